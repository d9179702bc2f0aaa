// A site, and beside it a second origin that plays Embudo. It serves the test pages and remembers what was reported.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';

const dist = new URL('../../dist/', import.meta.url);
const pages = new URL('../pages/', import.meta.url);

const types = { js: 'text/javascript', html: 'text/html; charset=utf-8' };

/** An address of this machine that no browser takes for a developer's own, if there is one. */
export const farHost = Object.values(networkInterfaces())
  .flat()
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

class Site {
  /** Every hit that was answered with 202, in the order in which it came. */
  hits = [];
  /** Every request but those for pages: method, path, headers, body. */
  requests = [];
  /** What the next hits are answered with instead: `{ status, headers }`; status 0 cuts the line. */
  failures = [];
  /** Refuses a body in which this is true for a hit. */
  refuses = () => false;
  /** What is added to the answer of the collector. */
  told = {};

  named(name) {
    return this.hits.filter((hit) => hit.name === name);
  }

  /** Paths of the page views, in order. */
  get trail() {
    return this.named('page').map(({ url }) => url.replace(this.origin, ''));
  }

  /** What was sent to a door other than that of hits. */
  asked(door) {
    return this.requests.filter(({ path, method }) => path === door && method === 'POST').map(({ text }) => JSON.parse(text));
  }

  bodies() {
    return this.requests.filter(({ path }) => path.endsWith('/v1/hit')).map(({ text }) => JSON.parse(text));
  }

  async answer(request, response) {
    const url = new URL(request.url, this.origin);
    // What a proxy does for a path of the site's own; it also gives the script another name.
    const path = url.pathname.replace(/^\/stats\//, '/').replace(/^\/s\.js$/, '/e.js');
    let text = '';
    for await (const part of request) text += part;
    const send = (status, body = '', headers = {}) => {
      response.writeHead(status, { 'access-control-allow-origin': '*', ...headers });
      response.end(body);
    };

    if (/^\/(e|launcher|moments|chat|forms)\.js$/.test(path)) {
      this.requests.push({ method: request.method, path: url.pathname, headers: request.headers, text, host: request.headers.host });
      return send(200, await readFile(new URL('.' + path, dist)), { 'content-type': types.js });
    }
    if (path.startsWith('/v1/')) {
      this.requests.push({ method: request.method, path: url.pathname, headers: request.headers, text, host: request.headers.host });
      if (path === '/v1/identify' && request.method === 'POST') return send(200, '{}', { 'content-type': 'application/json' });
      if (path !== '/v1/hit' || request.method !== 'POST') return send(204);
      const failure = this.failures.shift();
      if (failure?.status === 0) return request.socket.destroy();
      if (failure) return send(failure.status, '{}', { 'access-control-expose-headers': 'retry-after', ...failure.headers });
      const hits = [JSON.parse(text)].flat();
      if (hits.some(this.refuses)) return send(400, '{}');
      this.hits.push(...hits);
      return send(202, JSON.stringify({ accepted: hits.length, ...this.told }), { 'content-type': 'application/json' });
    }
    const file = path === '/' ? 'page.html' : path.slice(1).replace(/\/.*/, '') + (/\.\w+$/.test(path) ? '' : '.html');
    const found = await readFile(new URL(file, pages), 'utf8').catch(() => null);
    if (found == null) return send(200, 'a file', { 'content-type': 'text/plain' });
    const filled = found.replaceAll('{{other}}', this.other).replaceAll('{{far}}', this.far);
    // `no-store` would keep a page out of the browser's back cache.
    send(200, filled, { 'content-type': types[file.split('.').at(-1)], 'cache-control': 'no-cache' });
  }

  async close() {
    await Promise.all(
      this.servers.map((server) => {
        server.closeAllConnections();
        return new Promise((done) => server.close(done));
      }),
    );
  }
}

const listen = async (site, host) => {
  const server = createServer((request, response) => {
    site.answer(request, response).catch((mistake) => {
      console.error(mistake);
      response.destroy();
    });
  });
  await new Promise((done) => server.listen(0, host, done));
  return server;
};

export async function open() {
  const site = new Site();
  site.servers = [await listen(site, '127.0.0.1'), await listen(site, '127.0.0.1')];
  if (farHost) site.servers.push(await listen(site, farHost));
  const [origin, other] = site.servers.map((server) => `http://127.0.0.1:${server.address().port}`);
  const far = farHost && `http://${farHost}:${site.servers[2].address().port}`;
  return Object.assign(site, { origin, other, far });
}

/** Waits until `probe`, asked so often, gives something true; says what it waited for. */
export async function until(what, probe, ms = 12_000, every_ms = 25) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await rest(every_ms);
  }
}

export const rest = (ms) => new Promise((done) => setTimeout(done, ms));

// The real server for the engines: `embudo demo` in a fresh folder on a free port, one or several of them on the same
// stores, with a mail server whose mails can be read.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { until } from './site.mjs';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
const program = resolve(root, process.env.EMBUDO_BIN || 'target/debug/embudo');
/** The machine may be busy: a server starts in one second or in thirty. */
const START_MS = 60_000;
const MAIL_MS = 60_000;

/** A module of the walks in Chromium (`tests/browser/support`) that needs nothing but Node. */
export async function support(name) {
  const { code } = await transform(await readFile(join(root, `tests/browser/support/${name}.ts`), 'utf8'), { loader: 'ts', format: 'esm' });
  return import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Ends with what started it: its standard input closes. See tests/tools/smtp.py. */
async function mailServer(folder) {
  const own = join(root, 'target/tools/venv/bin/python');
  const python = process.env.EMBUDO_TEST_PYTHON || (existsSync(own) ? own : 'python3');
  const child = spawn(python, [join(root, 'tests/tools/smtp.py'), folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((done) => child.once('exit', done));
  let said = '';
  child.stdout.on('data', (text) => (said += text));
  await until('the mail server (aiosmtpd: scripts/test installs it)', () => {
    assert.equal(child.exitCode, null, 'the mail server ended');
    return /^port \d+\n/.test(said);
  }, START_MS);
  const all = async () => {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
    return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8'))));
  };
  return {
    port: parseInt(said.slice(5)),
    all,
    /** How it takes mails from now on; the words are those of tests/tools/smtp.py. */
    async behave(manner) {
      said = '';
      child.stdin.write(`${manner}\n`);
      await until(`a mail server that is told to ${manner}`, () => said.startsWith(`${manner}\n`), START_MS);
    },
    /** The first mail to `address` whose subject is like `subject`. */
    receive: (address, subject) =>
      until(`a mail to ${address} like ${subject}`, async () => (await all()).find((mail) => mail.envelope_to.includes(address) && subject.test(mail.subject)), MAIL_MS),
    async close() {
      child.stdin.end();
      child.kill();
      await ended;
    },
  };
}

/** Settings that put a server on a database of its own; null where no database server was named. */
export function databases() {
  const { EMBUDO_TEST_POSTGRES_URL: postgres, EMBUDO_TEST_REDIS_URL: redis, PSQL } = process.env;
  if (!postgres || !redis) return null;
  return () => {
    const name = `walk_${randomBytes(6).toString('hex')}`;
    execFileSync(PSQL || 'psql', ['--quiet', '--dbname', postgres, '--command', `create database ${name}`]);
    const database = new URL(postgres);
    database.pathname = `/${name}`;
    return {
      EMBUDO__STORAGE__POSTGRES: database.href,
      EMBUDO__STORAGE__REDIS: redis,
      EMBUDO__STORAGE__REDIS_PREFIX: name,
      EMBUDO__SERVER__SECRET: randomBytes(32).toString('hex'),
    };
  };
}

/** What an operator writes for a server that stands behind something else: where people find it. */
const settings = (folder, port, origin) => `
[server]
listen = "127.0.0.1:${port}"
public_url = "${origin}"
[company]
name = "Librería Faro"
bot_name = "Faro"
[storage]
data = "${join(folder, 'data')}"
[definitions]
assets = "../assets"
[forms]
check_mail_servers = false
[mail]
from = "hola@faro.example"
[[site]]
key = "faro"
name = "Librería Faro"
origins = ["${origin}"]
language = "en"
time_zone = "Europe/Madrid"
[log]
level = "warn"
`;

/** The walks are people. A browser that says it is driven is rightly taken for a machine, and not every driver can be
 * told to keep that to itself: what stands before the servers leaves the word out. */
const asPeople = (path, body) => {
  if (!path.startsWith('/v1/hit')) return body;
  const hits = [JSON.parse(body)].flat();
  for (const hit of hits) delete hit.bot;
  return Buffer.from(JSON.stringify(hits));
};

/** The same before anything is set up: no site, no flow, no account. */
const bareSettings = (folder, port, origin) => `
[server]
listen = "127.0.0.1:${port}"
public_url = "${origin}"
[storage]
data = "${join(folder, 'data')}"
[mail]
from = "hello@faro.example"
[log]
level = "warn"
`;

/** Starts `nodes` servers on the stores of `environment`; behind one address that is made for people if `isWalked`. A bare
 * one is the server itself, with nothing set up. `files` lie in the folder of each before it starts. */
export async function demo({ nodes = 1, environment = {}, isWalked = false, isBare = false, files = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'embudo-engines-'));
  const running = [];
  const closing = [];
  const close = async () => {
    for (const { child } of running) child.kill();
    await Promise.all(running.map(({ ended }) => ended));
    for (const end of closing) await end();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const output = () => running.map(({ said }) => said.join('')).join('');
  try {
    const mail = await mailServer(join(folder, 'mails'));
    closing.push(mail.close);
    const ports = [];
    for (let at = 0; at < nodes; at++) ports.push(await freePort());
    let proxy = null;
    if (isWalked) {
      const { Proxy } = await support('proxy');
      proxy = await Proxy.start(ports, asPeople);
      closing.push(() => proxy.stop());
    }
    const origin = `http://localhost:${proxy ? proxy.port : ports[0]}`;
    for (const [at, port] of ports.entries()) {
      const own = join(folder, `node-${at}`);
      if (proxy) {
        await mkdir(join(own, 'config'), { recursive: true });
        await mkdir(join(own, 'data'), { recursive: true });
        await writeFile(join(own, 'config/embudo.toml'), (isBare ? bareSettings : settings)(own, port, origin));
        for (const [name, text] of Object.entries(files)) await writeFile(join(own, name), text);
      }
      const command = isBare ? ['serve', '--config', join(own, 'config/embudo.toml')] : ['demo', '--port', port, '--folder', own];
      const child = spawn(program, command, {
        cwd: root,
        env: { ...process.env, EMBUDO__MAIL__SMTP: `smtp+plain://127.0.0.1:${mail.port}`, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const said = [];
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => said.push(String(text)));
      const ended = new Promise((done) => child.once('exit', done).once('error', done));
      running.push({ child, said, ended });
      await until('the demo', async () => {
        assert.equal(child.exitCode, null, `the demo ended:\n${output()}`);
        return (await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => null))?.ok;
      }, START_MS);
    }
    return {
      origin,
      mail,
      proxy,
      output,
      close,
      /** The password that the demo prints for all its colleagues. */
      password: () => /password {2,}(.+)/.exec(output())[1].trim(),
      /** Lets somebody into the console who is none of the demo's people. */
      hire(email, name, role, password) {
        const settings = join(folder, 'node-0/config/embudo.toml');
        execFileSync(program, ['user', 'add', email, '--name', name, '--role', role, '--password-stdin', '--config', settings], { cwd: root, input: `${password}\n` });
      },
      /** What a file in the folder of the first says. */
      file: (name) => readFile(join(folder, 'node-0', name), 'utf8'),
      /** Moves every clock to eleven in Madrid on the next day on which the house works. */
      async opens() {
        const { now } = await (await fetch(`http://127.0.0.1:${ports[0]}/demo/clock`)).json();
        const told = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Madrid', weekday: 'short', month: '2-digit', day: '2-digit', hour: '2-digit' });
        const works = (at) => {
          const part = Object.fromEntries(told.formatToParts(at).map(({ type, value }) => [type, value]));
          const isHoliday = ['08/12', '24/12', '25/12', '01/01'].includes(`${part.day}/${part.month}`);
          return !part.weekday.startsWith('S') && !isHoliday && part.hour === '11';
        };
        let at = now;
        while (!works(at)) at += 900_000;
        await this.later((at - now) / 3_600_000);
      },
      /** Moves the clock of every server. */
      async later(hours) {
        for (const port of ports) {
          const body = new URLSearchParams({ advance_ms: Math.round(hours * 3_600_000) });
          const answer = await fetch(`http://127.0.0.1:${port}/demo/clock`, { method: 'POST', body, redirect: 'manual' });
          assert.ok(answer.status < 400, await answer.text());
        }
      },
      /** Moves the clock of every server past the webinar that lies ahead, as the button of the demo's bar does. */
      async afterWebinar() {
        for (const port of ports) {
          const answer = await fetch(`http://127.0.0.1:${port}/demo/clock`, { method: 'POST', body: new URLSearchParams({ to: 'after-webinar' }), redirect: 'manual' });
          assert.equal(answer.status, 303, await answer.text());
        }
      },
      /** A link to a recording as the server makes it (src/base/signing.rs). */
      async link(subject) {
        const secret = (await readFile(join(folder, 'node-0/data/secret'), 'utf8')).trim();
        const now = Date.now();
        const claims = { s: subject, e: now + 3_600_000, i: now, n: randomBytes(9).toString('base64url') };
        const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
        const tag = createHmac('sha256', secret).update(`recording.${body}`).digest('base64url');
        return `${origin}/r/${body}.${tag}`;
      },
    };
  } catch (mistake) {
    await close();
    throw mistake;
  }
}

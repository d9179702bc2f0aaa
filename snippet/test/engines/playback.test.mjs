// The demo's recording, from the real server, in Chromium and in Firefox: it plays, and one can jump about in it.
// (Firefox refuses a part that says it is encoded: actix-web 3191.)

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as chromium from './chromium.mjs';
import * as firefox from './firefox.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const program = process.env.EMBUDO_BIN || join(root, 'target/debug/embudo');
const LENGTH_S = 84;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function demo() {
  const [port, folder] = [await freePort(), await mkdtemp(join(tmpdir(), 'embudo-playback-'))];
  const child = spawn(program, ['demo', '--port', port, '--folder', join(folder, 'demo')], { cwd: root, stdio: 'ignore' });
  const ended = new Promise((done) => child.once('exit', done).once('error', done));
  const origin = `http://localhost:${port}`;
  await until('the demo', async () => (await fetch(`${origin}/health/ready`).catch(() => null))?.ok);
  const secret = (await readFile(join(folder, 'demo/data/secret'), 'utf8')).trim();
  return {
    origin,
    /** A link as the server makes it (src/base/signing.rs). */
    link(subject) {
      const now = Date.now();
      const claims = { s: subject, e: now + 3_600_000, i: now, n: randomBytes(9).toString('base64url') };
      const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
      const tag = createHmac('sha256', secret).update(`recording.${body}`).digest('base64url');
      return `${origin}/r/${body}.${tag}`;
    },
    async close() {
      child.kill();
      await ended;
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function until(what, found, most_ms = 20_000) {
  for (const end = Date.now() + most_ms; Date.now() < end; await new Promise((done) => setTimeout(done, 50))) {
    const value = await found();
    if (value) return value;
  }
  assert.fail(`waited in vain for ${what}`);
}

describe('a recording', () => {
  let server;
  before(async () => (server = await demo()));
  after(() => server?.close());

  for (const [name, engine] of [['Chromium', chromium], ['Firefox', firefox]]) {
    test(`plays in ${name}, and one can jump about in it`, async (t) => {
      const browser = await engine.launch();
      t.after(() => browser.close());
      const tab = await browser.tab();
      await tab.goto(`${server.origin}/en/`);
      await tab.run((src) => {
        const video = document.createElement('video');
        video.muted = true;
        video.src = src;
        document.body.append(video);
        window.film = video;
        video.play().catch((why) => (window.refused = String(why)));
      }, server.link('reading-culture-short'));
      const look = () =>
        tab.run(() => ({
          at: film.currentTime,
          length: film.duration,
          seen: film.played.length && film.played.end(film.played.length - 1),
          ready: film.readyState,
          error: film.error && film.error.message,
          refused: window.refused,
          seekable: film.seekable.length && film.seekable.end(0),
        }));
      const playing = await until('the first second', async () => {
        const now = await look();
        assert.equal(now.error || now.refused || null, null, JSON.stringify(now));
        return now.at > 0.5 && now;
      });
      assert.ok(Math.abs(playing.length - LENGTH_S) < 2, JSON.stringify(playing));
      assert.ok(playing.seekable > LENGTH_S - 2, 'ranges make it possible to jump');
      for (const place of [70, 10, 40]) {
        await tab.run((place) => void (film.currentTime = place), place);
        await until(`the picture at ${place} s`, async () => {
          const now = await look();
          assert.equal(now.error, null, JSON.stringify(now));
          return now.at > place + 0.3 && now.at < place + 5 && now.ready >= 3;
        });
      }
    });
  }
});

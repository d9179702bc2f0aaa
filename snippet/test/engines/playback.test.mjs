// The demo's recording, from the real server, in Chromium and in Firefox: it plays, and one can jump about in it.
// (Firefox refuses a part that says it is encoded: actix-web 3191.)

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as chromium from './chromium.mjs';
import { demo } from './demo.mjs';
import * as firefox from './firefox.mjs';
import { until } from './site.mjs';

const LENGTH_S = 84;
const PLAYS_MS = 20_000;

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
      }, await server.link('reading-culture-short'));
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
      }, PLAYS_MS);
      assert.ok(Math.abs(playing.length - LENGTH_S) < 2, JSON.stringify(playing));
      assert.ok(playing.seekable > LENGTH_S - 2, 'ranges make it possible to jump');
      for (const place of [70, 10, 40]) {
        await tab.run((place) => void (film.currentTime = place), place);
        await until(`the picture at ${place} s`, async () => {
          const now = await look();
          assert.equal(now.error, null, JSON.stringify(now));
          return now.at > place + 0.3 && now.at < place + 5 && now.ready >= 3;
        }, PLAYS_MS);
      }
    });
  }
});

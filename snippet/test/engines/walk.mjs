// Steps 5 to 8 of the story against the real server, in a browser other than Chromium (there: tests/browser): the bot
// greets whoever missed the webinar, shows the recording, asks its questions; Mike takes over and suggests times, she
// picks one, everybody is told. She has a browser of this kind, and Mike has another one.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { databases, demo, root, support } from './demo.mjs';
import { rest, until } from './site.mjs';

export const NIKKI = 'nikki@olmos-textil.example';
export const MIKE = 'mike@faro.example';
/** Where people of each language sit. */
const PLACES = {
  en: { languages: 'en-GB, en', zone: 'Europe/London' },
  es: { languages: 'es-MX, es', zone: 'America/Mexico_City' },
};
const SIZE = [1280, 860];
/** What somebody waits for; generous, for a machine that does other things, too. */
const PATIENCE_MS = 45_000;
/** 84 seconds, three times as fast, on a machine that may be too slow for that. */
const FILM_MS = 120_000;
/** So long no second of a film passes that plays. */
const STUCK_MS = 10_000;
/** Forms take no one who is faster than people are. */
const FILL_MS = 2_500;
/** The flow wants 60 % of the recording to be seen. */
const SHARE = 0.65;

export const wait = (what, probe, ms = PATIENCE_MS) => until(what, probe, ms, 100);
const matches = (text, wanted) => (wanted instanceof RegExp ? wanted.test(text) : text.includes(wanted));

/** The element that is meant, found in the page. */
const found = (selector, inChat, which) => {
  const all = [...((inChat ? document.querySelector('embudo-chat')?.shadowRoot : document)?.querySelectorAll(selector) || [])].filter((it) => it.checkVisibility());
  if (typeof which === 'number') return all.at(which);
  return all.find(({ innerText }) => (which.source ? new RegExp(which.source).test(innerText.trim()) : innerText.includes(which)));
};

/** Where it stands, if nothing lies over it. */
const standing = `(selector, inChat, which) => {
  const it = (${found})(selector, inChat, which);
  if (!it) return null;
  it.scrollIntoView({ block: 'nearest' });
  const { left, top, width, height } = it.getBoundingClientRect();
  const above = it.getRootNode().elementFromPoint(left + width / 2, top + height / 2);
  return it.contains(above) ? [left, top, width, height].join() : null;
}`;

/** One page, with what people see of it and do in it. */
export class Page {
  constructor(tab, name, pictures) {
    Object.assign(this, { tab, name, pictures });
  }

  /** The words of what `selector` finds, in the chat's own tree if `inChat`. */
  texts(selector, inChat = false) {
    return this.tab.run(
      (selector, inChat) =>
        [...((inChat ? document.querySelector('embudo-chat')?.shadowRoot : document)?.querySelectorAll(selector) || [])]
          .filter((it) => it.checkVisibility())
          .map((it) => it.innerText.trim()),
      selector,
      inChat,
    );
  }

  /** Waits until the one that says `words`, or the one at a place (-1: the last), stands still and free, and clicks on it. */
  async click(selector, which = 0, inChat = false) {
    const wanted = which instanceof RegExp ? { source: which.source } : which;
    let before;
    await wait(`${selector} ${which} for ${this.name}`, async () => {
      const box = await this.tab.run(standing, selector, inChat, wanted);
      const isStill = box && box === before;
      before = box;
      if (!isStill) return false;
      // What the page has drawn anew in between is looked for again.
      return this.tab.clickFound(found, selector, inChat, wanted).then(
        () => true,
        () => false,
      );
    });
  }

  async sees(selector, words, inChat = false) {
    let seen = '';
    try {
      await wait('words', async () => {
        seen = (await this.texts(selector, inChat)).join('\n');
        return matches(seen, words);
      });
    } catch {
      assert.fail(`${this.name} waited in vain for ${words} in ${selector}, and saw: ${seen}`);
    }
  }

  async type(selector, words, inChat = false) {
    await this.click(selector, 0, inChat);
    await this.tab.type(words);
  }

  async look(step) {
    // What moves comes to rest first.
    await rest(400);
    await mkdir(this.pictures, { recursive: true });
    await writeFile(join(this.pictures, `${step}.png`), await this.tab.picture());
  }
}

/** She has asked for the white paper and saved a seat in the webinar: told by HTTP, without clicks. */
export async function savedASeat(server, words, language, visitor) {
  const { origin, mail } = server;
  const post = (path, body, headers = {}) => fetch(origin + path, { method: 'POST', headers: { origin, ...headers }, body, redirect: 'manual' });
  const form = await (await fetch(`${origin}/v1/forms/white-paper?site=faro&language=${language}&visitor=${visitor}`, { headers: { origin } })).json();
  await rest(FILL_MS);
  const sent = await post(
    '/v1/forms/white-paper',
    JSON.stringify({
      site: 'faro',
      values: { email: NIKKI },
      visitor,
      consent: 'analytics',
      page: origin + words.paper,
      language,
      zone: PLACES[language].zone,
      nonce: form.nonce,
      agreed: [],
    }),
    { 'content-type': 'text/plain' },
  );
  assert.equal(sent.status, 200, await sent.text());
  const linkIn = ({ text }, start) => text.match(/https?:\/\/[^\s<>"]+/g).find((link) => new URL(link).pathname.startsWith(start));
  const paper = linkIn(await mail.receive(NIKKI, words.paperMail), '/d/');
  const confirmed = await post('/v1/confirm', JSON.stringify({ token: new URL(paper).pathname.slice(3), visitor }), { 'content-type': 'text/plain' });
  assert.equal((await confirmed.json()).trust, 'confirmed');
  const seat = new URL(linkIn(await mail.receive(NIKKI, words.inviteMail), '/w/'));
  const saved = await post(seat.pathname, new URLSearchParams({ t: seat.searchParams.get('t'), lang: language }));
  assert.ok(saved.status < 400, await saved.text());
  await mail.receive(NIKKI, words.seatMail);
}

/** The same, and she did not come. */
async function missedTheWebinar(server, words, language, visitor) {
  await savedASeat(server, words, language, visitor);
  await server.afterWebinar();
  // That she did not come is told by mail.
  await server.mail.receive(NIKKI, words.missedMail);
}

/** Mike logs in, has the console speak his language, and is there for chats. */
async function logIn(mike, server, language) {
  await mike.tab.goto(`${server.origin}/console`);
  await mike.type('#email', MIKE);
  await mike.type('#password', server.password());
  await mike.click('main form button');
  await mike.sees('h1', /\S/);
  await wait('the console', async () => (await mike.texts('nav.rail')).length);
  if ((await wait('his page', () => mike.tab.run(() => document.documentElement?.lang))) !== language) {
    await mike.click('details.menu > summary');
    await mike.click(`button[name=language][value=${language}]`);
    await wait('his language', () => mike.tab.run((language) => document.documentElement?.lang === language, language));
  }
  const isThere = () => mike.tab.run(() => document.querySelector('.presence-switch')?.ariaChecked === 'true');
  await wait('the switch', async () => (await mike.texts('.presence-switch')).length);
  if (!(await isThere())) await mike.click('.presence-switch');
  await wait('him to be there', isThere);
  await mike.tab.goto(`${server.origin}/console/inbox`);
}

/** Plays the recording until enough of it was seen, three times as fast as it is once it runs. */
async function watch(nikki) {
  // WebKit takes what has come so far for the length of a film that is played before the length is known.
  const length = await wait('the length of the recording', () =>
    nikki.tab.run(() => document.querySelector('embudo-chat').shadowRoot.querySelector('video')?.duration || 0),
  );
  assert.ok(length > 60, `${length} s`);
  await nikki.tab.run(() => {
    const player = document.querySelector('embudo-chat').shadowRoot.querySelector('video');
    player.muted = true;
    const hurry = () => {
      if (player.currentTime < 1) return;
      player.removeEventListener('timeupdate', hurry);
      player.playbackRate = 3;
    };
    player.addEventListener('timeupdate', hurry);
    player.play().catch((why) => (window.refused = String(why)));
  });
  const seen = () =>
    nikki.tab.run((length) => {
      const player = document.querySelector('embudo-chat').shadowRoot.querySelector('video');
      let seen = 0;
      for (let at = 0; at < player.played.length; at++) seen += player.played.end(at) - player.played.start(at);
      return { problem: player.error?.message || window.refused || '', share: seen / length };
    }, length);
  let [best, since] = [0, Date.now()];
  await wait(`${SHARE * 100} % of the recording`, async () => {
    const { problem, share } = await seen();
    assert.equal(problem, '', 'the recording plays');
    if (share > best) [best, since] = [share, Date.now()];
    else if (Date.now() - since > STUCK_MS) {
      // On a busy machine GStreamer's film stands still now and then when its speed changes: she moves it a little.
      since = Date.now();
      await nikki.tab.run(() => {
        const player = document.querySelector('embudo-chat').shadowRoot.querySelector('video');
        player.playbackRate = 1;
        player.currentTime += 0.1;
        player.play().catch((why) => (window.refused = String(why)));
      });
    }
    return share >= SHARE;
  }, FILM_MS);
  await nikki.tab.run(() => document.querySelector('embudo-chat').shadowRoot.querySelector('video').pause());
}

async function story(server, words, language, nikki, mike) {
  const { origin, mail } = server;
  const says = (text) => nikki.sees('.log', text, true);
  const choose = (label) => nikki.click('.choices button', label, true);
  const write = async (text) => {
    await nikki.type('form.composer .field', text, true);
    await nikki.tab.press('Enter');
    await says(text);
  };

  await nikki.tab.goto(origin + words.home);
  await nikki.click('[data-accept]');
  const visitor = await wait('her consent', () => nikki.tab.run(() => localStorage.getItem('embudo.visitor')));
  // She is away until she comes back.
  await nikki.tab.goto('about:blank');
  await missedTheWebinar(server, words, language, visitor);
  await logIn(mike, server, language);
  await mike.look('05-console-inbox-empty');

  // 5. The chatbot knows that she missed it, and speaks first.
  await nikki.tab.goto(origin + words.home);
  await says(words.missed);
  await wait('the answers', async () => (await nikki.texts('.choices button', true)).length);
  await nikki.look('05-chat-greeting');

  // 6. The recording, a call, four questions.
  await choose(words.watchNow);
  await watch(nikki);
  await nikki.look('06-chat-recording');
  await choose(words.wantsCall);
  await wait('the first question', async () => (await nikki.texts('.choices button', true)).includes(words.budget));
  await nikki.look('06-chat-bant');
  await choose(words.budget);
  await choose(words.authority);
  // The line at the bottom fits the question: this one has room for a sentence or two.
  await wait('the third question', async () => (await nikki.texts('form.composer textarea', true)).length);
  await write(words.need);
  await choose(words.timeline);

  // 7. Mike takes the chat over; each sees what the other writes.
  await mike.click('.inbox-list .threads a');
  await mike.sees('#talk-log', words.need);
  await mike.look('07-console-waiting');
  for (const answer of [words.budget, words.authority, words.need, words.timeline]) await mike.sees('#talk-context .bant', answer);
  await nikki.look('07-chat-waiting');
  await mike.click('#talk-head button', words.acceptChat);
  await wait('the line to write', async () => (await mike.texts('#composer:not(.note-only)')).length);
  await says(/Mike/);
  await mike.type('#say', words.mikeAsks);
  await mike.click('#composer .button.primary.when-say');
  await mike.sees('#talk-log', words.mikeAsks);
  await says(words.mikeAsks);
  await write(words.nikkiSays);
  await mike.sees('#talk-log', words.nikkiSays);
  await mike.type('#first-name', 'Nikki');
  await mike.click('#talk-context .name-form button');
  await mike.sees('#talk-head', 'Nikki');
  await mike.look('07-console-talk');
  await mike.click('#composer button', words.suggestTimes);
  await wait('the times', async () => (await nikki.texts('form.picker', true)).length);
  await nikki.look('07-chat-times');

  // 8. She picks a time: booked, an SQL, everybody is told.
  if ((await nikki.texts('.picker fieldset.days label', true)).length) await nikki.click('.picker fieldset.days label', -1, true);
  await nikki.click('.picker .times label', 0, true);
  await nikki.look('08-chat-picked');
  await nikki.click('.picker button', words.book, true);
  await says(words.booked);
  await nikki.look('08-chat-booked');
  for (const said of [words.mikeAsks, words.nikkiSays, words.need]) {
    assert.equal((await nikki.texts('.log .bubble', true)).filter((text) => text === said).length, 1, `once: ${said}`);
  }
  const booked = await mail.receive(NIKKI, words.bookedMail);
  assert.match(booked.calendar, /^METHOD:REQUEST\r$/m);
  assert.equal(booked.calendar.match(/^BEGIN:VEVENT\r$/gm).length, 1);
  assert.ok(booked.calendar.replace(/\r\n /g, '').includes(NIKKI));
  assert.ok((await mail.receive(MIKE, words.repMail)).text.includes(NIKKI));
  await mike.tab.goto(`${origin}/console/contacts?q=${encodeURIComponent(NIKKI)}`);
  await mike.click('main .cell-main a');
  await mike.sees('#contact', NIKKI);
  await wait('the stage of a sales-qualified lead', async () => {
    if ((await mike.texts('.person-stage .stage-sql')).length) return true;
    await rest(500);
    await mike.tab.goto(await mike.tab.run(() => location.href));
    return false;
  });
  await mike.look('08-console-sql');
  await mike.tab.goto(`${origin}/console/notifications`);
  await mike.sees('#notifications', 'Nikki');
  await mike.tab.goto(`${origin}/console/bookings`);
  await mike.sees('main', 'Nikki');
  await mike.look('08-console-bookings');
}

/** The story in `engine`: in both languages, on the stores of one machine, and on those of many with one and with two
 * nodes. */
export function walk(engine, launch) {
  const shared = databases();
  const stores = [{ on: 'the stores of one machine', called: '' }];
  if (shared) {
    stores.push({ on: 'PostgreSQL and Redis, one node', called: '-one-node', environment: shared });
    stores.push({ on: 'PostgreSQL and Redis, two nodes', called: '-two-nodes', nodes: 2, environment: shared });
  }
  const ways = stores.flatMap((store) => Object.keys(PLACES).map((language) => ({ language, ...store })));

  // Most of a walk is waiting: two share the machine well.
  describe(`the story in ${engine}`, { concurrency: 2 }, () => {
    for (const { language, on, called, nodes = 1, environment = () => ({}) } of ways) {
      test(`missed, watched, asked, taken over, booked: ${engine}, ${language}, on ${on}`, { timeout: 300_000 }, async () => {
        const pictures = join(root, 'target/screenshots/engines', `${engine.toLowerCase()}-${language}${called}`);
        const open = [];
        try {
          const { words } = await support('words');
          const server = await demo({ nodes, environment: environment(), isWalked: true });
          open.push(server);
          const person = async (name, place) => {
            const browser = await launch({ ...place, size: SIZE, isCalm: true });
            open.push(browser);
            return new Page(await browser.tab(), name, pictures);
          };
          const nikki = await person('Nikki', PLACES[language]);
          const mike = await person('Mike', { ...PLACES[language], zone: 'Europe/Madrid' });
          try {
            await story(server, words[language], language, nikki, mike);
          } catch (mistake) {
            for (const page of [nikki, mike]) await page.look(`failed-${page.name}`).catch(() => {});
            console.error(server.output());
            throw mistake;
          }
        } finally {
          for (const it of open.reverse()) await it.close();
        }
      });
    }
  });
}

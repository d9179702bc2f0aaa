// The console's line (src/http/assets/line.js), without a browser: a WebSocket that breaks, is silent, or never opens.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';

const source = await readFile(new URL('../../src/http/assets/line.js', import.meta.url), 'utf8');
// A second of the protocol is ten milliseconds here: a machine that stalls for a moment is no dead line.
const later = (act, ms = 0, ...given) => setTimeout(act, ms / 100, ...given);
const wait = (ms) => new Promise((done) => later(done, ms));
const until = async (what, isSo) => {
  for (let at = 0; at < 2000; at++) {
    if (isSo()) return;
    await wait(500);
  }
  assert.fail(`never: ${what}`);
};

/** A page, and a server that holds one log. */
function stage(t, { opens = true, after = 0 } = {}) {
  const world = { log: [], sockets: [], streams: [], said: new Map(), told: [], reloads: 0, isDown: !opens, mute: false };
  class WebSocket {
    constructor(url) {
      this.url = new URL(url);
      world.sockets.push(this);
      later(() => {
        if (world.isDown) return this.end(1006);
        this.isOpen = true;
        this.onopen?.();
        let at = Number(this.url.searchParams.get('after') || 0);
        for (; at < world.log.length; at++) this.tell('event', world.log[at]);
        this.tell('head', { head: world.log.length, read: 0 });
      }, 100);
    }
    tell(type, data) {
      if (this.isOpen && !world.mute) later(() => this.isOpen && this.onmessage?.({ data: JSON.stringify({ type, data }) }), 1);
    }
    send(text) {
      assert.ok(this.isOpen, 'nothing is sent into a line that is not open');
      const message = JSON.parse(text);
      if (message.type === 'hello') this.tell(message.csrf === 'right' ? 'hello' : 'refused', { id: 'hello' });
      if (message.type === 'say') {
        if (message.text === 'refused') return this.tell('refused', { id: message.id });
        const event = world.said.get(message.id) || world.append(message.text);
        world.said.set(message.id, event);
        if (message.text !== 'unheard') this.tell('done', { id: message.id, event });
      }
    }
    end(code = 1006) {
      this.isOpen = false;
      later(() => this.onclose?.({ code }), 1);
    }
    close() {
      this.isOpen = false;
    }
  }
  class EventSource {
    static CLOSED = 2;
    readyState = 1;
    listeners = new Map();
    constructor(url) {
      this.url = url;
      world.streams.push(this);
      later(() => this.fire('open'), 100);
    }
    addEventListener(name, act) {
      this.listeners.set(name, act);
    }
    fire(name, data) {
      this.listeners.get(name)?.({ data: data && JSON.stringify(data) });
    }
    close() {
      this.isClosed = true;
    }
  }
  world.append = (text) => {
    const event = { seq: world.log.length + 1, body: { type: 'text', text } };
    world.log.push(event);
    for (const socket of world.sockets) socket.tell('event', event);
    return event;
  };
  const page = new Map();
  const window = { EventSource };
  const global = {
    window, WebSocket, EventSource, URLSearchParams, setTimeout: later, clearTimeout, Math, Map, JSON, Promise, Error, Number, Object,
    location: { origin: 'https://embudo.example', reload: () => world.reloads++ },
    document: { visibilityState: 'visible', addEventListener() {} },
    addEventListener: (name, act) => page.set(name, act),
  };
  runInNewContext(source, global);
  const on = { found: () => world.told.push('found'), lost: () => world.told.push('lost') };
  for (const name of ['event', 'wake', 'typing', 'notification']) on[name] = (data) => world.told.push([name, data]);
  world.seen = () => world.told.filter(([name]) => name === 'event').map(([, { seq }]) => seq);
  world.line = window.embudoLine({ conversation: 'c', after, csrf: 'right', on });
  world.leave = () => page.get('pagehide')();
  t.after(() => world.line.close());
  return world;
}

test('it tells the log once and in order, whatever breaks', async (t) => {
  const world = stage(t, { after: 1 });
  world.append('before the page was made');
  world.append('one');
  await until('it is open', () => world.told.includes('found'));
  assert.equal(world.sockets[0].url.href, 'wss://embudo.example/console/line?conversation=c&after=1');
  world.append('two');
  await until('two', () => world.seen().length === 2);
  world.sockets.at(-1).end();
  world.append('while it was broken');
  await until('it came back', () => world.seen().length === 3);
  assert.ok(world.told.includes('lost'));
  // A lost frame leaves a gap: what is missing is asked for.
  world.log.push({ seq: 5, body: {} });
  world.append('after the gap');
  await until('both', () => world.seen().length === 5);
  // Known ones are known.
  world.sockets.at(-1).tell('event', world.log[2]);
  await wait(3000);
  assert.deepEqual(world.seen(), [2, 3, 4, 5, 6]);
});

test('silence is a dead line', async (t) => {
  const world = stage(t);
  await until('it is open', () => world.told.includes('found'));
  world.mute = true;
  world.append('into the void');
  await wait(36_000);
  world.mute = false;
  await until('another line', () => world.sockets.length > 1 && world.seen().length === 1);
});

test('what is said is said once, over whichever line', async (t) => {
  const world = stage(t);
  assert.equal(world.line.say('id 0', 'too early'), null);
  await until('it is open', () => world.told.includes('found'));
  assert.equal(await world.line.say('id 1', 'hello'), true);
  assert.equal(await world.line.say('id 2', 'refused'), false);
  // The answer is lost with the line: whoever waits is told so, and says it again under the same id.
  const unheard = world.line.say('id 3', 'unheard');
  world.sockets.at(-1).end();
  await assert.rejects(unheard, /broke/);
  await until('it came back', () => world.told.filter((what) => what === 'found').length === 2);
  assert.equal(await world.line.say('id 3', 'again'), true);
  // No answer at all.
  await assert.rejects(world.line.say('id 4', 'unheard'), /no answer/);
  assert.deepEqual(world.log.map(({ body }) => body.text), ['hello', 'unheard', 'unheard']);
  assert.deepEqual(world.seen(), [1, 2, 3]);
});

test('where no socket opens it takes the event stream, and tries again when that ends for good', async (t) => {
  const world = stage(t, { opens: false });
  await until('a stream', () => world.streams.length === 1);
  assert.equal(world.sockets.length, 2);
  assert.equal(world.streams[0].url, '/console/events?conversation=c');
  await until('it is open', () => world.told.includes('found'));
  world.streams[0].fire('wake', { topic: 'inbox' });
  assert.deepEqual(world.told.at(-1), ['wake', { topic: 'inbox' }]);
  assert.equal(world.line.say('id', 'hello'), null, 'the form is posted instead');
  assert.equal(world.line.typing(), false);
  world.isDown = false;
  world.streams[0].readyState = 2;
  world.streams[0].fire('error');
  await until('a socket', () => world.told.filter((what) => what === 'found').length === 2);
  assert.equal(await world.line.say('id', 'hello'), true);
});

test('a session that is over, or a page of another one, is loaded anew; a page that goes leaves nothing open', async (t) => {
  const world = stage(t);
  await until('it is open', () => world.told.includes('found'));
  world.sockets.at(-1).end(4401);
  await until('a reload', () => world.reloads === 1);
  const refused = stage(t);
  await until('it is open', () => refused.told.includes('found'));
  refused.sockets.at(-1).tell('refused', { id: 'hello' });
  await until('a reload', () => refused.reloads === 1);
  refused.leave();
  const { length } = refused.sockets;
  await wait(40_000);
  assert.equal(refused.sockets.length, length);
  assert.ok(refused.sockets.every(({ isOpen }) => !isOpen));
});

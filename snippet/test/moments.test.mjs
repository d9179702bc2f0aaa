import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errors, html, until, withBrowser } from './support/browser.mjs';
import { serve } from './support/server.mjs';

const held = withBrowser();
const long = '<h1>Faro</h1><div id="shelf" style="height:5000px"></div>';

async function stage(t, flow, { body = long, how = {}, again_ms, scheme = 'data-consent="full"' } = {}) {
  const server = await serve({ flow, again_ms });
  for (const path of ['/', '/two']) server.page(path, html({ attributes: scheme, body }));
  const context = await held.browser.newContext({ viewport: { width: 1000, height: 700 }, reducedMotion: 'reduce', ...how });
  const page = await context.newPage();
  const wrong = errors(page);
  // Time goes on by itself, and a test can jump.
  await page.clock.install();
  t.after(async () => {
    await context.close();
    await server.close();
    assert.deepEqual(wrong, []);
  });
  await page.goto(server.origin);
  await until('the question which flows there are', () => server.triggers.length);
  await page.waitForFunction(() => window.embudo.host.heard);
  const opened = () => server.requests.filter(({ path }) => path === '/v1/chat').map(({ text }) => JSON.parse(text).flow);
  /** Long enough for whatever was going to happen. */
  const rest = () => page.waitForTimeout(250);
  return { server, page, opened, rest };
}

describe('the moment at which a flow offers itself', () => {
  test('far enough down the page, and not before', async (t) => {
    const { server, page, opened, rest } = await stage(t, { flow: 'read', open: true, scroll: 50 });
    await page.mouse.wheel(0, 500);
    await rest();
    assert.deepEqual(opened(), []);
    await page.mouse.wheel(0, 2500);
    await until('the flow', () => opened().length);
    assert.deepEqual(opened(), ['read']);
    const asked = server.requests.filter(({ path }) => path === '/v1/chat').map(({ text }) => JSON.parse(text));
    assert.deepEqual(asked.map(({ returning }) => returning), server.triggers.map(({ returning }) => returning));
  });

  test('a page that is seen whole is read as soon as it is seen', async (t) => {
    const { opened } = await stage(t, { flow: 'read', open: true, scroll: 90 }, { body: '<h1>Faro</h1>' });
    await until('the flow', () => opened().length);
  });

  test('when the pointer leaves through the top, and not through a side', async (t) => {
    const { page, opened, rest } = await stage(t, { flow: 'stay', open: true, exit_intent: true });
    const leaves = (clientX, clientY) =>
      page.evaluate(
        (at) => document.dispatchEvent(new MouseEvent('mouseout', { ...at, bubbles: true, relatedTarget: null })),
        { clientX, clientY },
      );
    await leaves(0, 300);
    await rest();
    assert.deepEqual(opened(), []);
    await leaves(300, 0);
    await until('the flow', () => opened().length);
  });

  test('after a rest, which begins anew with whatever she does', async (t) => {
    const { page, opened, rest } = await stage(t, { flow: 'rests', open: true, idle_ms: 30_000 });
    for (const act of [() => page.mouse.move(40, 60), () => page.keyboard.press('a'), () => page.mouse.wheel(0, 300)]) {
      await page.clock.fastForward(20_000);
      await act();
      await rest();
    }
    assert.deepEqual(opened(), [], 'a minute, and never half of it without a movement');
    // Away from the page she rests, too, and is not waited for.
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.clock.fastForward(60_000);
    await rest();
    assert.deepEqual(opened(), []);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: false });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.clock.fastForward(31_000);
    await until('the flow', () => opened().length);
    assert.deepEqual(opened(), ['rests']);
  });

  test('at an event of the page, then after its time', async (t) => {
    const { page, opened, rest } = await stage(t, { flow: 'demo', open: true, event: 'demo_clicked', delay_ms: 60 });
    await page.evaluate(() => window.embudo('event', 'something_else'));
    await rest();
    assert.deepEqual(opened(), []);
    await page.evaluate(() => window.embudo('event', 'demo_clicked', { plan: 'team' }));
    await until('the flow', () => opened().length);
    assert.deepEqual(opened(), ['demo']);
  });

  test('the first moment that comes wins, and the other flows keep quiet', async (t) => {
    const { page, opened, rest } = await stage(t, [
      { flow: 'first', open: true, scroll: 30 },
      { flow: 'second', open: true, delay_ms: 60_000, scroll: 90 },
    ]);
    await page.mouse.wheel(0, 2000);
    await until('the flow', () => opened().length);
    await page.clock.fastForward(61_000);
    await page.mouse.wheel(0, 4000);
    await rest();
    assert.deepEqual(opened(), ['first']);
  });

  test('on the next page of the same document the old offers are over', async (t) => {
    const { server, page, opened, rest } = await stage(t, { flow: 'read', open: true, scroll: 60 });
    server.flow = { flow: 'other', open: true, event: 'never' };
    await page.evaluate(() => history.pushState(null, '', '/two'));
    await until('the second question', () => server.triggers.length === 2);
    await page.waitForFunction(() => window.embudo.host.heard);
    await page.mouse.wheel(0, 4000);
    await rest();
    assert.deepEqual(opened(), []);
  });

  test('whoever has opened the chat herself is not talked over', async (t) => {
    const { server, page, opened, rest } = await stage(t, { flow: 'read', open: true, event: 'read' });
    await page.evaluate(() => window.embudo('chat', 'open'));
    await until('the conversation', () => server.conversations.size);
    await rest();
    await page.evaluate(() => window.embudo('event', 'read'));
    await rest();
    assert.deepEqual(opened(), [null]);
  });

  test('somebody of the company speaks first: the page that is looked at asks from time to time', async (t) => {
    const { server, page, opened, rest } = await stage(t, { flow: 'read', open: true, event: 'never' }, { again_ms: 5000 });
    const asked = () => server.requests.filter(({ path }) => path === '/v1/chat/called').map(({ text }) => JSON.parse(text));
    await rest();
    assert.equal(asked().length, 0);
    await page.clock.fastForward(5000);
    await until('the question', () => asked().length);
    assert.equal(asked()[0].visitor, server.triggers[0].visitor);
    assert.deepEqual(opened(), []);
    server.called = { flow: 'live_chat', open: true, delay_ms: 0 };
    await page.clock.fastForward(5000);
    await until('the conversation', () => opened().length);
    const count = asked().length;
    await page.clock.fastForward(60_000);
    await rest();
    assert.deepEqual(opened(), ['live_chat']);
    assert.equal(asked().length, count, 'and nothing is asked any more');
  });

  test('a dialog of the page comes first', async (t) => {
    const { page, opened, rest } = await stage(t, { flow: 'read', open: true, event: 'now' });
    await page.evaluate(() => {
      const dialog = document.body.appendChild(document.createElement('dialog'));
      dialog.append('One moment');
      dialog.showModal();
      window.embudo('event', 'now');
    });
    await rest();
    await page.clock.fastForward(10_000);
    await rest();
    assert.deepEqual(opened(), []);
    await page.evaluate(() => document.querySelector('dialog').close());
    await page.clock.fastForward(2000);
    await until('the flow', () => opened().length);
  });

  test('the page can ask for a flow by its name', async (t) => {
    const { page, opened } = await stage(t, { flow: 'read', open: true, event: 'never' });
    await page.evaluate(() => window.embudo('chat', 'open', 'demo'));
    await until('the flow', () => opened().length);
    assert.deepEqual(opened(), ['demo']);
  });

  test('without a flow for the page nothing of it is fetched', async (t) => {
    const server = await serve({});
    server.page('/', html({ attributes: 'data-consent="full"' }));
    const page = await held.browser.newPage();
    t.after(() => Promise.all([page.close(), server.close()]));
    await page.goto(server.origin);
    await until('the page view', () => server.hits.length);
    await page.waitForTimeout(200);
    assert.ok(!server.requests.some(({ path }) => path === '/moments.js'));
  });
});

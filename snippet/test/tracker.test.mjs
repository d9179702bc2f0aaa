import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errors, html, storage, until, withBrowser } from './support/browser.mjs';
import { serve } from './support/server.mjs';

const held = withBrowser();
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A server, a page and what went wrong in it. */
async function stage(t, { page: options = {}, context: how = {}, before, ...story } = {}) {
  const server = await serve(story);
  server.page('/', html(options), options.headers);
  server.page('/two', html({ ...options, body: '<h1>Two</h1>' }), options.headers);
  const context = await held.browser.newContext({ viewport: { width: 1280, height: 720 }, ...how });
  const page = await context.newPage();
  const wrong = errors(page);
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  await before?.(page, server);
  t.after(async () => {
    await context.close();
    await server.close();
    assert.deepEqual(wrong, []);
  });
  return { server, context, page, said };
}

const named = (server, name) => server.hits.filter((hit) => hit.name === name);
const hide = (page, state) =>
  page.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);

describe('what is counted', () => {
  test('a page view says where, what, and how wide, and nothing that identifies', async (t) => {
    const { server, page } = await stage(t, { context: { locale: 'es-ES', timezoneId: 'Europe/Madrid' } });
    await page.goto(`${server.origin}/?utm_source=letter#part`);
    const [hit] = await until('a page view', () => named(server, 'page').length && named(server, 'page'));
    assert.match(hit.id, UUID7);
    assert.equal(hit.site, 'faro');
    assert.equal(hit.url, `${server.origin}/?utm_source=letter`);
    assert.equal(hit.title, 'Faro');
    assert.equal(hit.width, 1280);
    assert.equal(hit.language, 'es-ES');
    assert.equal(hit.zone, 'Europe/Madrid');
    assert.equal(hit.visitor, null);
    assert.equal(hit.consent, 'none');
    assert.ok(hit.age_ms >= 0 && hit.age_ms < 5000);
  });

  test('from another origin no preflight is needed', async (t) => {
    const { server, page } = await stage(t);
    const shop = await serve();
    t.after(() => shop.close());
    shop.page('/', html().replace('/e.js', `${server.origin}/e.js`));
    await page.goto(shop.origin);
    await until('a page view', () => named(server, 'page').length);
    const request = server.requests.find(({ path }) => path === '/v1/hit');
    assert.match(request.headers['content-type'], /^text\/plain/);
    assert.equal(server.requests.filter(({ method }) => method === 'OPTIONS').length, 0);
    assert.equal(request.headers.cookie, undefined);
  });

  test('a new address by push, replace and back is a page view each, the same address is none', async (t) => {
    const { server, page } = await stage(t);
    await page.goto(server.origin);
    await until('the first', () => named(server, 'page').length === 1);
    await page.evaluate(() => history.pushState({}, '', '/books'));
    await until('the second', () => named(server, 'page').length === 2);
    await page.evaluate(() => history.replaceState({}, '', '/books?by=name'));
    await until('the third', () => named(server, 'page').length === 3);
    await page.evaluate(() => history.replaceState({ again: 1 }, '', '/books?by=name#top'));
    await page.evaluate(() => history.back());
    await until('the fourth', () => named(server, 'page').length === 4);
    assert.deepEqual(
      named(server, 'page').map(({ url }) => url.replace(server.origin, '')),
      ['/', '/books', '/books?by=name', '/'],
    );
    assert.equal(named(server, 'page')[1].referrer, `${server.origin}/`);
  });

  test('with hash routing the part after # is a page of its own', async (t) => {
    const { server, page } = await stage(t, { page: { attributes: 'data-hash' } });
    await page.goto(`${server.origin}/#/one`);
    await page.evaluate(() => (location.hash = '#/two'));
    await until('both', () => named(server, 'page').length === 2);
    assert.match(named(server, 'page')[1].url, /#\/two$/);
  });

  test('a page that nobody sees yet is counted when it is shown', async (t) => {
    const { server, page } = await stage(t, {
      before: (page) =>
        page.addInitScript(() => Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })),
    });
    await page.goto(server.origin);
    await page.waitForTimeout(300);
    assert.equal(server.hits.length, 0);
    await hide(page, 'visible');
    await until('the page view', () => named(server, 'page').length === 1);
    assert.equal(named(server, 'engagement').length, 0);
  });

  test('a page that comes back from the browser’s cache is seen again', async (t) => {
    const { server, page } = await stage(t);
    await page.goto(server.origin);
    await until('the first', () => named(server, 'page').length === 1);
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
    await until('the second', () => named(server, 'page').length === 2);
  });

  test('leaving says once how long and how far it was read', async (t) => {
    const { server, page } = await stage(t, { page: { body: '<h1>Long</h1><p style="height:3000px"></p>' } });
    await page.goto(server.origin);
    await until('the page view', () => named(server, 'page').length === 1);
    await page.evaluate(() => scrollTo(0, 800));
    await page.waitForTimeout(1100);
    await hide(page, 'hidden');
    await until('the engagement', () => named(server, 'engagement').length === 1);
    const [hit] = named(server, 'engagement');
    assert.ok(hit.engaged_ms >= 1000 && hit.engaged_ms < 8000, `${hit.engaged_ms}`);
    assert.ok(hit.scroll > 40 && hit.scroll < 60, `${hit.scroll}`);
    await hide(page, 'visible');
    await hide(page, 'hidden');
    await page.waitForTimeout(200);
    assert.equal(named(server, 'engagement').length, 1);
  });

  test('links away and files are events, without their query', async (t) => {
    const { server, page } = await stage(t, {
      page: {
        body: `<h1>Links</h1><a id="away" href="https://other.example/a?secret=1">a</a><a id="file" href="/paper.pdf?x=1">b</a><a id="own" href="/two">c</a>`,
      },
      before: (page) => page.addInitScript(() => addEventListener('click', (event) => event.preventDefault())),
    });
    await page.goto(server.origin);
    for (const id of ['away', 'file', 'own']) await page.click('#' + id);
    await until('both events', () => named(server, 'download').length && named(server, 'outbound').length);
    assert.deepEqual(named(server, 'outbound')[0].props, { url: 'https://other.example/a' });
    assert.deepEqual(named(server, 'download')[0].props, { url: `${server.origin}/paper.pdf` });
    assert.equal(server.hits.filter(({ name }) => name !== 'page' && name !== 'engagement').length, 2);
  });

  test('events given before the script was there are not lost, and unknown commands break nothing', async (t) => {
    const { server, page } = await stage(t, {
      page: {
        head: `<script>window.embudo=window.embudo||function(){(embudo.q=embudo.q||[]).push(arguments)};
          embudo('event','early',{shelf:3}); embudo('no such thing'); embudo('identify',{});</script>`,
      },
    });
    await page.goto(server.origin);
    await until('the early event', () => named(server, 'early').length);
    assert.deepEqual(named(server, 'early')[0].props, { shelf: 3 });
    await page.evaluate(() => embudo('event', 'late'));
    await until('the late event', () => named(server, 'late').length);
    assert.deepEqual(
      await page.evaluate(() => Object.keys(window).filter((key) => /embudo/i.test(key))),
      ['embudo'],
    );
  });
});

describe('consent', () => {
  test('without consent nothing at all is stored', async (t) => {
    const { server, page, context } = await stage(t);
    await page.goto(server.origin);
    await page.evaluate(() => embudo('event', 'x'));
    await until('the event', () => named(server, 'x').length);
    assert.deepEqual(await storage(page), {});
    assert.deepEqual(await context.cookies(), []);
    assert.equal(await page.evaluate(() => embudo('consent')), 'none');
  });

  test('an agreement makes a visitor and says so; a refusal forgets everything but itself', async (t) => {
    const { server, page } = await stage(t);
    await page.goto(server.origin);
    await page.evaluate(() => embudo('consent', 'analytics'));
    const [agreed] = await until('the consent hit', () => named(server, 'consent').length && named(server, 'consent'));
    assert.match(agreed.visitor, UUID7);
    assert.equal(agreed.consent, 'analytics');
    assert.equal((await storage(page))['embudo.visitor'], agreed.visitor);
    await page.reload();
    await until('the second page', () => named(server, 'page').length === 2);
    assert.equal(named(server, 'page')[1].visitor, agreed.visitor);
    await page.evaluate(() => embudo('consent', 'none'));
    assert.deepEqual(await storage(page), { 'embudo.consent': 'none' });
    await until('the refusal', () => named(server, 'consent').length === 2);
    assert.equal(named(server, 'consent')[1].visitor, null);
  });

  test('Global Privacy Control is a refusal, whatever the page would like', async (t) => {
    const { server, page } = await stage(t, {
      page: { attributes: 'data-consent="full"' },
      before: (page) => page.addInitScript(() => Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })),
    });
    await page.goto(server.origin);
    const [hit] = await until('the page view', () => named(server, 'page').length && named(server, 'page'));
    assert.equal(hit.visitor, null);
    assert.equal(hit.consent, 'none');
    assert.deepEqual(await storage(page), {});
  });

  test('identify tells who it is once there is consent, and whoever is somebody else gets an id of their own', async (t) => {
    const other = '01970000-0000-7000-8000-000000000001';
    const asked = [];
    const { server, page, said } = await stage(t);
    await page.route('**/v1/identify', (route) => {
      asked.push(JSON.parse(route.request().postData()));
      return route.fulfill({ status: asked.length == 3 ? 409 : 200, json: asked.length > 1 ? { visitor: other } : {} });
    });
    await page.goto(server.origin);
    await page.evaluate(() => embudo('identify', { email: 'nikki@acme.example' }));
    await until('the reason', () => said.includes('embudo: not sent: no consent'));
    assert.equal(asked.length, 0);
    await page.evaluate(() => (embudo('consent', 'analytics'), embudo('identify', { email: 'nikki@acme.example' })));
    await until('the claim', () => asked.length == 1);
    assert.deepEqual(asked[0].to, { email: 'nikki@acme.example' });
    assert.match(asked[0].visitor, UUID7);
    assert.equal((await storage(page))['embudo.visitor'], asked[0].visitor);
    await page.evaluate(() => embudo('identify', 'a.b.c'));
    await until('the new id', async () => (await storage(page))['embudo.visitor'] == other);
    assert.equal(asked[1].to, 'a.b.c');
    await page.evaluate(() => embudo('identify', 'd.e.f'));
    await until('the third', () => asked.length == 3);
    assert.equal(asked[2].visitor, other);
  });

  test('reset begins a new visitor', async (t) => {
    const { server, page } = await stage(t, { page: { attributes: 'data-consent="analytics"' } });
    await page.goto(server.origin);
    await until('the page view', () => named(server, 'page').length);
    await page.evaluate(() => (embudo('reset'), embudo('event', 'after')));
    await until('the event', () => named(server, 'after').length);
    assert.match(named(server, 'after')[0].visitor, UUID7);
    assert.notEqual(named(server, 'after')[0].visitor, named(server, 'page')[0].visitor);
  });
});

describe('why nothing is sent', () => {
  test('an opt-out is kept, obeyed and explained', async (t) => {
    const { server, page, said } = await stage(t, { page: { attributes: 'data-consent="full"' } });
    await page.goto(server.origin);
    await until('the page view', () => named(server, 'page').length);
    await page.evaluate(() => embudo('optout', true));
    assert.deepEqual(await storage(page), { 'embudo.optout': '1' });
    await page.goto(`${server.origin}/two`);
    await until('the reason', () => said.includes('embudo: not sent: optout'));
    assert.equal(named(server, 'page').length, 1);
  });

  test('a page in a frame is not counted', async (t) => {
    const { server, page, said } = await stage(t);
    server.page('/outer', `<!doctype html><iframe src="/"></iframe>`);
    await page.goto(`${server.origin}/outer`);
    await until('the reason', () => said.includes('embudo: not sent: in a frame'));
    assert.equal(server.hits.length, 0);
  });

  test('a developer’s machine is not counted, unless asked', async (t) => {
    const { server, page, said } = await stage(t, {
      before: async (page, server) => {
        await page.route('https://embudo.example/**', async (route) => {
          const answer = await fetch(server.origin + new URL(route.request().url()).pathname, {
            method: route.request().method(),
            body: route.request().postData() || undefined,
          });
          await route.fulfill({
            status: answer.status,
            headers: { 'access-control-allow-origin': '*', 'content-type': answer.headers.get('content-type') },
            body: await answer.text(),
          });
        });
      },
    });
    const far = (extra = '') => html({ attributes: extra }).replace('/e.js', 'https://embudo.example/e.js');
    server.page('/far', far());
    server.page('/asked', far('data-localhost="on"'));
    await page.goto(`${server.origin}/far`);
    await until('the reason', () => said.includes('embudo: not sent: localhost'));
    await page.goto(`${server.origin}/asked`);
    await until('the page view', () => named(server, 'page').length === 1);
  });
});

describe('when the network fails', () => {
  test('a busy server gets the same hit again, when it said', async (t) => {
    const { server, page } = await stage(t);
    server.fail('/v1/hit', 503, 1, { 'retry-after': '1' });
    await page.goto(server.origin);
    await until('the page view', () => named(server, 'page').length === 1);
    const tries = server.requests.filter(({ path }) => path === '/v1/hit').map(({ text }) => JSON.parse(text)[0].id);
    assert.equal(tries.length, 2);
    assert.equal(tries[0], tries[1]);
  });

  test('what could not be sent goes with the next page of the tab', async (t) => {
    const { server, page } = await stage(t, { page: { attributes: 'data-consent="analytics"' } });
    server.fail('/v1/hit', 0, 5);
    await page.goto(server.origin);
    await until('a try', () => server.requests.some(({ path }) => path === '/v1/hit'));
    await until('the failure', async () => /"page"/.test((await storage(page))['embudo.hits'] || ''));
    server.failures.length = 0;
    await page.goto(`${server.origin}/two`);
    await until('both', () => named(server, 'page').length === 2);
    await until('an empty store', async () => !(await storage(page))['embudo.hits']);
  });

  test('a refused hit is said in the console and not repeated', async (t) => {
    const { server, page, said } = await stage(t);
    server.fail('/v1/hit', 400);
    await page.goto(server.origin);
    await until('the words', () => said.includes('embudo: refused: 400'));
    await page.evaluate(() => embudo('event', 'next'));
    await until('the next', () => named(server, 'next').length);
    assert.equal(named(server, 'page').length, 0);
  });

  test('a browser that forbids its stores is counted all the same', async (t) => {
    const { server, page } = await stage(t, {
      page: { attributes: 'data-consent="full"' },
      before: (page) =>
        page.addInitScript(() => {
          for (const name of ['localStorage', 'sessionStorage'])
            Object.defineProperty(window, name, {
              get() {
                throw new DOMException('no', 'SecurityError');
              },
            });
        }),
    });
    await page.goto(server.origin);
    await page.evaluate(() => embudo('event', 'x'));
    await until('both', () => named(server, 'page').length && named(server, 'x').length);
    assert.equal(named(server, 'page')[0].visitor, named(server, 'x')[0].visitor);
  });
});

describe('links in mails', () => {
  test('a token is spent once and leaves the address before it is counted', async (t) => {
    const { server, page } = await stage(t, { page: { attributes: 'data-consent="analytics"' } });
    await page.goto(`${server.origin}/?a=1&embudo_t=TOKEN`);
    await until('the page view', () => named(server, 'page').length);
    assert.equal(page.url(), `${server.origin}/?a=1`);
    assert.equal(named(server, 'page')[0].url, `${server.origin}/?a=1`);
    assert.deepEqual(server.confirms, [{ token: 'TOKEN', visitor: named(server, 'page')[0].visitor }]);
  });

  test('without a visitor a token only leaves the address', async (t) => {
    const { server, page } = await stage(t);
    await page.goto(`${server.origin}/?embudo_t=TOKEN`);
    await until('the page view', () => named(server, 'page').length);
    assert.equal(page.url(), `${server.origin}/`);
    assert.deepEqual(server.confirms, []);
    // It waits for consent, as long as the page lives, and is told once.
    const asked = { text: 'May we remember this browser?', text_id: 'banner', language: 'en' };
    await page.evaluate((asked) => embudo('consent', 'analytics', asked), asked);
    await page.evaluate(() => embudo('consent', 'full'));
    await until('the answers', () => named(server, 'consent').length === 2);
    const [first, second] = named(server, 'consent');
    assert.deepEqual(server.confirms, [{ token: 'TOKEN', visitor: first.visitor }]);
    assert.deepEqual(first.props, { to: 'analytics', ...asked }, 'what was asked goes with the answer');
    assert.deepEqual(second.props, { to: 'full' });
  });
});

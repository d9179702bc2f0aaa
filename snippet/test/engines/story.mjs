// What the tracker does in a real browser, one page for each behaviour. Every engine tells the same story.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { farHost, open, rest, until } from './site.mjs';

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** After this long without one, no further hit is expected. */
const QUIET_MS = 400;

const one = async (site, name) => (await until(`a hit called ${name}`, () => site.named(name)[0] && site.named(name)))[0];
const stored = (tab) => tab.run(() => ({ ...localStorage, ...sessionStorage }));

export function story(engine, launch, alone) {
  describe(engine, () => {
    let browser;
    before(async () => {
      browser = await launch();
      console.log(`${engine} ${browser.version}`);
    });
    after(() => browser?.close());

    /** Opens `page` of a site of its own; at the end nothing of ours may have gone wrong in it. */
    const told = (title, page, act, { skip } = {}) =>
      test(title, { skip, timeout: 60_000 }, async () => {
        const site = await open();
        const tab = await browser.tab();
        try {
          await tab.goto(`${site.origin}/${page}`);
          await act(site, tab);
          assert.deepEqual(await tab.run(() => window.wrong), []);
        } finally {
          await tab.close();
          await site.close();
        }
      });

    describe('page views', () => {
      told('a page view says where, what and how wide, and nothing that identifies', 'page?utm_source=letter#part', async (site) => {
        const hit = await one(site, 'page');
        assert.match(hit.id, UUID7);
        assert.ok(Math.abs(parseInt(hit.id.slice(0, 8) + hit.id.slice(9, 13), 16) - Date.now()) < 60_000, 'the id begins with the time');
        assert.equal(hit.site, 'faro');
        assert.equal(hit.url, `${site.origin}/page?utm_source=letter`);
        assert.equal(hit.title, 'A page');
        assert.ok(hit.width > 500, `${hit.width}`);
        assert.match(hit.language, /^[a-z]{2}/);
        assert.equal(typeof hit.zone, 'string');
        assert.equal(hit.visitor, null);
        assert.equal(hit.consent, 'none');
        assert.ok(hit.age_ms >= 0 && hit.age_ms < 5000, `${hit.age_ms}`);
      });

      told('from another origin no preflight is needed and no cookie goes along', 'cross', async (site) => {
        await one(site, 'page');
        const [request] = site.requests.filter(({ path }) => path === '/v1/hit');
        assert.equal(`http://${request.host}`, site.other);
        assert.match(request.headers['content-type'], /^text\/plain/);
        assert.equal(request.headers.cookie, undefined);
        assert.equal(site.requests.filter(({ method }) => method === 'OPTIONS').length, 0);
      });

      told('push, replace and back are page views, the same address is none', 'spa', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => go('pushState', '/spa/books'));
        await until('the second', () => site.trail.length === 2);
        await tab.run(() => go('replaceState', '/spa/books?by=name'));
        await until('the third', () => site.trail.length === 3);
        await tab.run(() => go('replaceState', '/spa/books?by=name#top'));
        await tab.run(() => history.back());
        await until('the fourth', () => site.trail.length === 4);
        assert.deepEqual(site.trail, ['/spa', '/spa/books', '/spa/books?by=name', '/spa']);
        const [, second, third] = site.named('page');
        assert.equal(second.title, '/spa/books');
        assert.equal(second.referrer, `${site.origin}/spa`);
        assert.equal(third.referrer, `${site.origin}/spa/books`);
        assert.equal(new Set(site.hits.map(({ id }) => id)).size, site.hits.length);
      });

      told('with hash routing the part after # is a page of its own', 'hash#/one', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => (location.hash = '#/two'));
        await until('the second', () => site.trail.length === 2);
        assert.deepEqual(site.trail, ['/hash#/one', '/hash#/two']);
      });

      told('without it a jump within the page is none', 'anchors', async (site, tab) => {
        await one(site, 'page');
        await tab.click('#jump');
        await rest(QUIET_MS);
        assert.deepEqual(site.trail, ['/anchors']);
      });

      told('a page in the background says nothing until it is seen', 'hidden', async (site, tab) => {
        await tab.run(() => embudo('event', 'meanwhile'));
        await rest(QUIET_MS);
        assert.equal(site.bodies().length, 0);
        await tab.run(() => show());
        await one(site, 'page');
        await one(site, 'meanwhile');
        assert.equal(site.named('engagement').length, 0);
      });

      told('a page that was opened in the background and never seen is not counted', 'hidden', async (site, tab) => {
        await tab.run(() => embudo('event', 'meanwhile'));
        await tab.goto(`${site.origin}/next`);
        await until('the next', () => site.trail.length);
        await rest(QUIET_MS);
        assert.deepEqual(site.trail, ['/next']);
        assert.equal(site.named('meanwhile').length, 0);
      });

      test(
        'a page that was made ready in advance is counted when it is opened',
        { skip: !alone && 'this browser makes nothing ready', timeout: 60_000 },
        async () => {
          const site = await open();
          const page = await alone(`${site.origin}/prerender`);
          try {
            await until('the script to be fetched for the second', () => site.requests.filter(({ path }) => path === '/e.js').length === 2, 30_000);
            await rest(QUIET_MS);
            assert.deepEqual(site.trail, ['/prerender']);
            await until('the second', () => site.trail.length === 2);
            assert.deepEqual(site.trail, ['/prerender', '/prerendered']);
            // What the page did before it was opened was kept, and goes with the view.
            assert.equal((await one(site, 'made ready')).props.prerendering, true);
          } finally {
            await page.close();
            await site.close();
          }
        },
      );

      told('a page that comes back from the browser’s cache is a view of its own', 'page', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => (window.isTheSame = true));
        await tab.click('#next');
        await until('the second', () => site.trail.length === 2);
        await tab.back();
        await until('the third', () => site.trail.length === 3);
        assert.deepEqual(site.trail, ['/page', '/next', '/page']);
        assert.equal(await tab.run(() => !!window.isTheSame), true, 'it came from the cache');
        assert.equal(site.named('page')[2].referrer, `${site.origin}/page`);
      });

      told('two script tags count once', 'twice', async (site) => {
        await one(site, 'page');
        await rest(QUIET_MS);
        assert.equal(site.trail.length, 1);
      });

      told('a module finds its tag by the site', 'module', async (site) => {
        assert.equal((await one(site, 'page')).site, 'faro');
      });

      told('a browser that is driven says so, and is counted', 'page', async (site) => {
        assert.equal((await one(site, 'page')).bot, 'webdriver');
      });
    });

    describe('attention', () => {
      told('leaving says how long and how far a page was read', 'long', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => scrollTo(0, 1400));
        await rest(1200);
        await tab.goto(`${site.origin}/short`);
        const hit = await one(site, 'engagement');
        assert.equal(hit.url, `${site.origin}/long`);
        assert.ok(hit.engaged_ms >= 1000 && hit.engaged_ms < 15_000, `${hit.engaged_ms}`);
        assert.ok(hit.scroll > 35 && hit.scroll < 65, `${hit.scroll}`);
        await until('the next page', () => site.trail.length === 2);
      });

      told('a page that is seen at once is read to its end', 'short', async (site, tab) => {
        await one(site, 'page');
        await tab.goto(`${site.origin}/next`);
        assert.equal((await one(site, 'engagement')).scroll, 100);
      });

      told('depth is a part of the page as it is in the end', 'long', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => scrollTo(0, 1400));
        await rest(200);
        await tab.run(() => (document.querySelector('#grows').style.height = '12000px'));
        await tab.hide();
        const { scroll } = await one(site, 'engagement');
        assert.ok(scroll > 8 && scroll < 18, `${scroll}`);
      });

      told('what is not worth a request waits: under three seconds and no deeper', 'long', async (site, tab) => {
        await one(site, 'page');
        await tab.hide();
        await one(site, 'engagement');
        await tab.show();
        await rest(300);
        await tab.hide();
        await rest(QUIET_MS);
        assert.equal(site.named('engagement').length, 1);
        await tab.show();
        await rest(3200);
        await tab.hide();
        await until('the second', () => site.named('engagement').length === 2);
        const [, second] = site.named('engagement');
        // What waited is not lost: both looks are in it.
        assert.ok(second.engaged_ms >= 3300 && second.engaged_ms < 15_000, `${second.engaged_ms}`);
        await tab.show();
      });

      told('time in the background does not count', 'long', async (site, tab) => {
        await one(site, 'page');
        await tab.hide();
        await rest(2500);
        await tab.show();
        await rest(300);
        await tab.goto(`${site.origin}/next`);
        await until('the next page', () => site.trail.length === 2);
        const engaged_ms = site.named('engagement').reduce((sum, hit) => sum + hit.engaged_ms, 0);
        assert.ok(engaged_ms < 2400, `${engaged_ms}`);
      });

      told('in an application time belongs to the page it was spent on', 'spa', async (site, tab) => {
        await one(site, 'page');
        await rest(1000);
        await tab.run(() => go('pushState', '/spa/books'));
        const hit = await one(site, 'engagement');
        assert.equal(hit.url, `${site.origin}/spa`);
        assert.ok(hit.engaged_ms >= 900, `${hit.engaged_ms}`);
        await until('the second', () => site.trail.length === 2);
        await tab.goto(`${site.origin}/next`);
        await until('the second report', () => site.named('engagement').length === 2);
        assert.equal(site.named('engagement')[1].url, `${site.origin}/spa/books`);
      });
    });

    describe('events', () => {
      told('links away and files are events, without their query', 'links', async (site, tab) => {
        await one(site, 'page');
        for (const id of ['away', 'away-file', 'file', 'named', 'own', 'mail', 'ours']) await tab.click(`#${id}`);
        await until('them', () => site.named('outbound').length === 1 && site.named('download').length === 3);
        await rest(QUIET_MS);
        assert.deepEqual(
          site.hits.filter(({ name }) => name !== 'page').map(({ name, props }) => [name, props.url]),
          [
            ['outbound', 'https://other.example/shelf'],
            ['download', 'https://other.example/list.XLSX'],
            ['download', `${site.origin}/paper.pdf`],
            ['download', `${site.origin}/export`],
          ],
        );
      });

      told('the middle button follows a link, the right one does not', 'links', async (site, tab) => {
        await one(site, 'page');
        await tab.click('#away', 2);
        await tab.run(() => document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' })));
        // A menu may be open over the page: the middle click is made by hand.
        await tab.run(() => document.querySelector('#file').dispatchEvent(new MouseEvent('auxclick', { bubbles: true, cancelable: true, button: 1 })));
        await one(site, 'download');
        assert.equal(site.named('outbound').length, 0);
      });

      told('what the page marked is an event, with its properties', 'marked', async (site, tab) => {
        await one(site, 'page');
        await tab.click('#inner');
        await tab.click('#away');
        await tab.click('#field');
        await tab.click('#send');
        await until('all', () => site.named('ordered').length && site.named('card').length && site.named('form').length);
        assert.deepEqual(site.named('shelf opened')[0].props, { shelf: '3', 'book-title': 'Faro' });
        assert.deepEqual(site.named('card')[0].props, {});
        assert.equal(site.named('outbound').length, 1);
        assert.equal(site.named('ordered').length, 1);
        assert.deepEqual(site.named('ordered')[0].props, { books: '2' });
        assert.doesNotMatch(JSON.stringify(site.hits), /secret/);
      });

      told('events given before the script was there are not lost, and unknown commands break nothing', 'events', async (site, tab) => {
        assert.deepEqual((await one(site, 'early')).props, { shelf: 3 });
        await tab.run(() => {
          const props = { shelf: 1 };
          embudo('event', 'late', props);
          props.shelf = 2;
          const ring = {};
          ring.ring = ring;
          embudo('event', 'impossible', ring);
          embudo('event', 'after');
        });
        await one(site, 'after');
        assert.deepEqual(site.named('late')[0].props, { shelf: 1 });
        assert.equal(site.named('impossible').length, 0);
        assert.deepEqual(await tab.run(() => Object.keys(window).filter((key) => /embudo/i.test(key))), ['embudo']);
      });

      told('a form that is sent is an event with its name, and nothing that was typed', 'form', async (site, tab) => {
        await one(site, 'page');
        await tab.click('#search'); // not valid: the browser does not send it
        await rest(200);
        assert.equal(site.named('form').length, 0);
        await tab.click('#send');
        assert.deepEqual((await one(site, 'form')).props, { form: 'letter' });
        await until('the next page', () => site.trail.length === 2);
        assert.doesNotMatch(JSON.stringify(site.named('form')), /acme|not this/);
      });
    });

    describe('who it is', () => {
      told('without consent nothing at all is stored, and nobody is named', 'person', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => (embudo('identify', { email: 'nikki@acme.example' }), embudo('event', 'x')));
        assert.equal((await one(site, 'x')).visitor, null);
        assert.equal(site.asked('/v1/identify').length, 0);
        assert.deepEqual(await stored(tab), {});
        assert.equal(await tab.run(() => document.cookie), '');
        assert.equal(await tab.run(() => embudo('consent')), 'none');
        assert.ok((await tab.run(() => said)).includes('embudo: not sent: no consent'));
      });

      told('with consent a name goes with the visitor, and reset begins another', 'person', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => embudo('consent', 'full'));
        const agreed = await one(site, 'consent');
        assert.deepEqual([agreed.consent, agreed.props.to], ['full', 'full']);
        assert.match(agreed.visitor, UUID7);
        await tab.run(() => embudo('identify', { email: 'nikki@acme.example' }));
        await until('the claim', () => site.asked('/v1/identify').length === 1);
        const [claim] = site.asked('/v1/identify');
        assert.deepEqual(claim.to, { email: 'nikki@acme.example' });
        assert.equal(claim.visitor, agreed.visitor);
        assert.equal(site.named('identify').length, 0, 'who somebody is is no event');
        await tab.run(() => (embudo('reset'), embudo('event', 'after')));
        const after = await one(site, 'after');
        assert.match(after.visitor, UUID7);
        assert.notEqual(after.visitor, agreed.visitor);
      });

      told('an agreement outlives the page; a refusal forgets everything but itself', 'person', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => embudo('consent', 'analytics'));
        const { visitor } = await one(site, 'consent');
        assert.equal((await stored(tab))['embudo.visitor'], visitor);
        await tab.goto(`${site.origin}/next`);
        await until('the next page', () => site.trail.length === 2);
        assert.equal(site.named('page')[1].visitor, visitor);
        await tab.run(() => embudo('consent', 'none'));
        assert.deepEqual(await stored(tab), { 'embudo.consent': 'none' });
        await until('the refusal', () => site.named('consent').length === 2);
        assert.equal(site.named('consent')[1].visitor, null);
      });

      for (const [title, page] of [
        ['Global Privacy Control', 'gpc'],
        ['Do Not Track', 'dnt'],
      ]) {
        told(`${title} is a refusal, whatever the page would like`, page, async (site, tab) => {
          await one(site, 'page');
          await tab.run(() => (embudo('consent', 'full'), embudo('event', 'x')));
          const hit = await one(site, 'x');
          assert.deepEqual([hit.visitor, hit.consent], [null, 'none']);
          assert.deepEqual(await stored(tab), {});
        });
      }

      told('a browser that forbids its stores is counted all the same', 'closed', async (site, tab) => {
        await tab.run(() => embudo('event', 'x'));
        const { visitor } = await one(site, 'x');
        assert.match(visitor, UUID7);
        assert.equal((await one(site, 'page')).visitor, visitor);
      });
    });

    describe('why nothing is sent', () => {
      told('an opt-out is kept, obeyed and explained once', 'analytics', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => (embudo('event', 'on its way'), embudo('optout', true)));
        assert.deepEqual(await stored(tab), { 'embudo.optout': '1' });
        await tab.goto(`${site.origin}/analytics-next`);
        await until('the reason', async () => (await tab.run(() => said)).includes('embudo: not sent: optout'));
        await tab.run(() => (embudo('event', 'a'), embudo('event', 'b')));
        assert.equal((await tab.run(() => said)).filter((text) => /^embudo/.test(text)).length, 1);
        await rest(QUIET_MS);
        assert.deepEqual(site.hits.filter(({ name }) => name !== 'page' && name !== 'engagement'), []);
        assert.equal(site.trail.length, 1);
        await tab.run(() => embudo('optout', false));
        await tab.goto(`${site.origin}/analytics`);
        await until('a view again', () => site.trail.length === 2);
      });

      told('a page in a frame is not counted', 'frame', async (site, tab) => {
        await until('the reason', () => tab.run(() => frames[0].said?.includes('embudo: not sent: in a frame')));
        assert.equal(site.bodies().length, 0);
      });

      told('a page in a frame is counted where the page asks for it', 'frame-asked', async (site) => {
        assert.equal((await one(site, 'page')).title, 'In a frame');
      });

      const skip = !farHost && 'this machine has no address but its own';
      told(
        'a developer’s machine is not counted',
        'local',
        async (site, tab) => {
          await until('the reason', () => tab.run(() => said.includes('embudo: not sent: localhost')));
          assert.equal(site.bodies().length, 0);
        },
        { skip },
      );
      told('a developer’s machine is counted where the page asks for it', 'local-asked', (site) => one(site, 'page'), { skip });
    });

    describe('when the network fails', () => {
      told('a busy server gets the same hit again, older by then', 'page', async (site, tab) => {
        await one(site, 'page');
        site.failures.push({ status: 503, headers: { 'retry-after': '1' } }, { status: 429, headers: { 'retry-after': '1' } });
        await tab.run(() => embudo('event', 'x'));
        const hit = await one(site, 'x');
        const tries = site.bodies().filter(([{ name }]) => name === 'x');
        assert.equal(tries.length, 3);
        assert.equal(new Set(tries.map(([{ id }]) => id)).size, 1);
        assert.ok(hit.age_ms >= 2000 && hit.age_ms < 15_000, `${hit.age_ms}`);
        assert.ok((await tab.run(() => said)).includes('embudo: not sent: no answer'));
      });

      told('a cut line is tried again', 'page', async (site, tab) => {
        await one(site, 'page');
        site.failures.push({ status: 0 }, { status: 0 });
        await tab.run(() => embudo('event', 'x'));
        await until('it', () => site.named('x').length, 20_000);
      });

      told('with consent, what could not be sent goes with the next page of the tab', 'analytics', async (site, tab) => {
        await one(site, 'page');
        await until('an empty queue', async () => !(await stored(tab))['embudo.hits']);
        site.failures.push(...Array(20).fill({ status: 0 }));
        await tab.run(() => embudo('event', 'x'));
        await until('the failure', () => tab.run(() => said.includes('embudo: not sent: no answer')));
        assert.match((await stored(tab))['embudo.hits'], /"x"/);
        await tab.goto(`${site.origin}/analytics-next`);
        site.failures.length = 0;
        await until('it', () => site.named('x').length, 20_000);
        assert.equal(site.named('x')[0].url, `${site.origin}/analytics`);
        await until('an empty queue', async () => !(await stored(tab))['embudo.hits'], 20_000);
      });

      told('at most twenty wait there, and none without consent', 'person', async (site, tab) => {
        await one(site, 'page');
        site.failures.push(...Array(40).fill({ status: 503 }));
        await tab.run(() => {
          for (let at = 0; at < 30; at++) embudo('event', `e${at}`);
        });
        await until('the failure', () => tab.run(() => said.includes('embudo: not sent: no answer')));
        assert.deepEqual(await stored(tab), {});
        await tab.run(() => embudo('consent', 'analytics'));
        const kept = JSON.parse((await stored(tab))['embudo.hits']);
        assert.equal(kept.length, 20);
      });

      told('a refused hit is said in the console, dropped, and takes no other with it', 'page', async (site, tab) => {
        await one(site, 'page');
        site.refuses = ({ name }) => name === 'bad';
        await tab.run(() => (embudo('event', 'a'), embudo('event', 'bad'), embudo('event', 'b')));
        await until('the others', () => site.named('a').length && site.named('b').length);
        await until('the words', () => tab.run(() => said.includes('embudo: refused: 400')));
        assert.equal(site.named('bad').length, 0);
        await tab.run(() => embudo('event', 'c'));
        await one(site, 'c');
        assert.ok(site.bodies().flat().filter(({ name }) => name === 'bad').length <= 3);
      });

      told('what happens in the last moment goes with a beacon', 'page', async (site, tab) => {
        await one(site, 'page');
        await tab.run(() => {
          addEventListener('pagehide', () => embudo('event', 'goodbye'), true);
          setTimeout(() => document.querySelector('#next').click());
        });
        await until('the next page', () => site.trail.length === 2);
        await one(site, 'engagement');
      });
    });

    describe('where the script is', () => {
      told('behind a path of the site’s own everything follows the script', 'proxied', async (site) => {
        await one(site, 'page');
        await until('the neighbours', () => ['launcher', 'forms'].every((name) => site.requests.some(({ path }) => path === `/stats/${name}.js`)));
        assert.ok(site.requests.some(({ path }) => path === '/stats/v1/hit'));
        assert.deepEqual(site.requests.filter(({ path }) => !path.startsWith('/stats/')), []);
      });

      told('data-api moves the doors alone', 'api', async (site) => {
        await one(site, 'page');
        assert.deepEqual(site.requests.map(({ path }) => path), ['/e.js', '/stats/v1/hit']);
      });

      told('the strictest policy allows all of it', 'strict', async (site, tab) => {
        await one(site, 'early');
        await one(site, 'page');
        await until('the launcher', () => tab.run(() => !!document.querySelector('embudo-chat')));
        assert.deepEqual(await tab.run(() => window.wrong), []);
        await tab.run(() => scrollTo(0, 10));
        await tab.goto(`${site.origin}/next`);
        await one(site, 'engagement');
      });
    });

    describe('what it fetches', () => {
      told('the launcher stands in its corner and fetches the chat when it is wanted', 'launcher', async (site, tab) => {
        await one(site, 'page');
        await until('the launcher', () => tab.run(() => !!document.querySelector('embudo-chat')));
        const box = await tab.run(() => {
          const button = document.querySelector('embudo-chat').shadowRoot.querySelector('button');
          const { left, top, width, height } = button.getBoundingClientRect();
          const { clientWidth, clientHeight } = document.documentElement;
          return { right: clientWidth - left - width, bottom: clientHeight - top - height, width, height, name: button.title };
        });
        assert.deepEqual(box, { right: 20, bottom: 20, width: 56, height: 56, name: 'Chat' });
        assert.ok(!site.requests.some(({ path }) => path === '/chat.js'));
        await tab.run(() => document.querySelector('embudo-chat').shadowRoot.querySelector('button').click());
        await until('the chat', () => site.requests.some(({ path }) => path === '/chat.js'));
        await until('its panel', () => tab.run(() => !!document.querySelector('embudo-chat').shadowRoot.querySelector('.panel')));
      });

      told('an element of the page fetches the chat, too', 'launcher', async (site, tab) => {
        await one(site, 'page');
        await tab.click('#chat');
        await until('the chat', () => site.requests.some(({ path }) => path === '/chat.js'));
        await until('its panel', () => tab.run(() => !!document.querySelector('embudo-chat')?.shadowRoot.querySelector('.panel')));
        assert.equal(await tab.run(() => document.querySelectorAll('embudo-chat').length), 1);
        assert.equal(await tab.run(() => location.pathname), '/launcher');
      });

      told('the server is asked for a flow where it says so', 'launcher', async (site, tab) => {
        await one(site, 'page');
        assert.ok(!site.requests.some(({ path }) => path === '/v1/chat/trigger'));
        site.told = { chat: 'ask' };
        await tab.run(() => history.pushState({}, '', '/launcher/two'));
        await until('the question', () => site.requests.some(({ path }) => path === '/v1/chat/trigger'));
        const { page } = JSON.parse(site.requests.find(({ path }) => path === '/v1/chat/trigger').text);
        assert.equal(page.url, `${site.origin}/launcher/two`);
      });
    });
  });
}

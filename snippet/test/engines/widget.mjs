// What the chat does in a real browser, as people use it. Every engine tells the same story.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { html } from '../support/browser.mjs';
import { serve } from '../support/server.mjs';
import { until } from './site.mjs';

const LUMI = { kind: 'bot', name: 'Lumi' };
const root = new URL('../../../', import.meta.url);

/** The lines that `docs/widget.md` publishes. */
const published = async (origin) => {
  const [, lines] = /```csp\n([\s\S]+?)```/.exec(await readFile(new URL('docs/widget.md', root), 'utf8'));
  return lines.trim().replace(/\n/g, ' ').replaceAll('https://embudo.example', origin);
};

/** What tests ask of the chat's own tree, run in the page. */
const chat = (tab) => {
  const all = (selector, get) =>
    tab.run(
      `(selector) => [...(document.querySelector('embudo-chat')?.shadowRoot?.querySelectorAll(selector) || [])].map(${get})`,
      selector,
    );
  return {
    texts: (selector) => all(selector, '(it) => it.innerText.trim()'),
    count: async (selector) => (await all(selector, '() => 1')).length,
    styles: (selector, name) => all(selector, `(it) => getComputedStyle(it)[${JSON.stringify(name)}]`),
    attributes: (selector, name) => all(selector, `(it) => it.getAttribute(${JSON.stringify(name)})`),
    boxes: (selector) => all(selector, '(it) => (({ left, right, top, bottom }) => ({ left, right, top, bottom }))(it.getBoundingClientRect())'),
    click: (selector, at = 0) =>
      tab.run((selector, at) => document.querySelector('embudo-chat').shadowRoot.querySelectorAll(selector)[at].click(), selector, at),
    /** Presses the button that says so. */
    choose: (text) =>
      tab.run((text) => [...document.querySelector('embudo-chat').shadowRoot.querySelectorAll('button, .pick')].find((it) => it.innerText.trim() === text).click(), text),
    focused: () =>
      tab.run(() => {
        const it = document.activeElement?.shadowRoot?.activeElement;
        return it ? it.innerText?.trim() || it.getAttribute('aria-label') || it.className : document.activeElement?.localName;
      }),
    async says(text, ms) {
      const log = async () => (await this.texts('.log, .tray, .notice, .foot')).join('\n');
      await until(`“${text}”`, async () => (await log()).includes(text), ms);
    },
  };
};

export function widget(engine, launch) {
  describe(`the chat in ${engine}`, () => {
    let browser;
    before(async () => (browser = await launch()));
    after(() => browser?.close());

    const told = (title, how, act) =>
      test(title, { timeout: 60_000 }, async () => {
        const { page = {}, headers, ...story } = how;
        const server = await serve(story);
        const tab = await browser.tab();
        try {
          server.page('/', html({ attributes: 'data-consent="full"', ...page }), headers);
          await tab.goto(`${server.origin}/`);
          const it = chat(tab);
          await until('the launcher', () => it.count('button'));
          await act({ server, tab, it });
        } finally {
          await tab.close();
          await server.close();
        }
      });

    const opened = async ({ server, it }) => {
      await it.click('button');
      await until('the first words', () => it.count('.bubble'));
      await until('a stream', () => server.streams.size);
    };

    told('the whole way by keyboard alone, and Escape gives the focus back', { start: 'call' }, async ({ server, tab, it }) => {
      // Days are told as the browser's own English has them.
      const led = (name) => until(`the focus on ${name}`, async () => (name.test ? name.test(await it.focused()) : (await it.focused()) === name));
      const at = () => tab.run(() => document.activeElement?.localName);
      for (let left = 4; left && (await at()) !== 'embudo-chat'; left--) await tab.press('Tab');
      assert.equal(await at(), 'embudo-chat');
      await tab.press('Enter');
      await led('Yes, let’s talk');
      await tab.press('Enter');
      await led('Under €5,000');
      await tab.press('Tab');
      await tab.press('Space');
      await led('I decide');
      await tab.press('Enter');
      await led('What should the programme solve first?');
      await tab.type('x');
      await tab.press('Enter');
      await until('why not', async () => (await it.texts('.problem'))[0]);
      assert.deepEqual(await it.attributes('.field', 'aria-invalid'), ['true']);
      await tab.type(' is what managers read');
      await tab.press('Enter');
      await led('This quarter');
      await tab.press('Enter');
      await until('the times', () => it.count('.picker'));
      await led(/^Tuesday,? (24 November|November 24)$/);
      await tab.press('ArrowRight');
      await tab.press('Tab');
      await tab.press('Space');
      await until('a time to book', async () => (await it.texts('.picker .button')).some((text) => /^Book Wed,? (25 Nov|Nov 25)/.test(text)));
      await tab.press('Tab');
      await tab.press('Enter');
      await it.says('Your call is booked');
      assert.equal(server.newest.events.at(-1).body.outcome, 'booked');
      await tab.press('Escape');
      await until('it to close', async () => !(await it.boxes('.panel'))[0].right);
      assert.match(await it.focused(), /Open chat/);
    });

    told('days, marks, pictures and codes; images, files and cards; axe has nothing to say', { start: 'none', isSilent: true, page: { head: '<script src="/axe.js"></script>' } }, async ({ server, tab, it }) => {
      const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
      server.page('/axe.js', axe, { 'content-type': 'text/javascript' });
      await tab.goto(`${server.origin}/`);
      await until('the launcher', () => it.count('button'));
      await opened({ server, it });
      const fine = async () => {
        await tab.run(() => {
          window.found = null;
          axe.run(document).then(({ violations }) => (window.found = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 120)}`)));
        });
        assert.deepEqual(await until('axe', () => tab.run(() => window.found)), []);
      };
      const ask = async (input) => {
        server.ask(server.newest, `q${server.newest.events.length}`, `${input.kind}?`, input);
        await it.says(`${input.kind}?`);
      };
      const answered = () => until('the answer', () => server.newest.events.at(-1).author.kind === 'visitor' && server.newest.events.at(-1).body);

      await ask({ kind: 'date', min: '2027-06-03', max: '2027-06-30' });
      await until('the month', () => it.count('td .pick'));
      assert.deepEqual(await it.texts('.month'), ['June 2027']);
      await it.click('td .pick:not([disabled])');
      await tab.press('ArrowDown');
      assert.equal(await it.focused(), '10');
      await tab.press('Enter');
      await fine();
      await until('the button', async () => (await it.texts('.picker .button')).some((text) => text.startsWith('Choose')));
      await it.click('.picker .button');
      assert.equal((await answered()).text, '2027-06-10');

      await ask({ kind: 'time', min: '09:00', max: '12:00' });
      await until('the times', () => it.count('.times .pick'));
      await it.choose('10:30');
      await it.click('.picker .button');
      assert.equal((await answered()).text, '10:30');

      await ask({ kind: 'rating', max: 5, low: 'Not at all', high: 'Very much' });
      await until('the stars', () => it.count('.star'));
      await fine();
      await it.click('.star', 3);
      assert.equal((await answered()).text, '4');

      await ask({ kind: 'choice', choices: [{ id: 'a', label: 'Shelf', image: '/none.png', alt: 'A shelf' }, { id: 'b', label: 'Club' }] });
      await until('the pictures', () => it.count('.picture'));
      await fine();
      await it.click('.picture', 1);
      assert.equal((await answered()).choice, 'b');

      await ask({ kind: 'code', digits: 6 });
      await until('its field', async () => (await it.attributes('.field', 'autocomplete'))[0] === 'one-time-code');
      await tab.run(() => document.querySelector('embudo-chat').shadowRoot.querySelector('.field').focus());
      await tab.type('123456');
      await tab.press('Enter');
      assert.equal((await answered()).text, '123456');
      await it.says('••••••');

      server.append(server.newest, LUMI, { type: 'image', src: '/none.png', alt: 'A shelf by the window', caption: 'Our shelf' });
      server.append(server.newest, LUMI, { type: 'file', title: 'Price list', href: 'https://faro.example/prices.pdf', kind: 'pdf' });
      server.append(server.newest, LUMI, { type: 'card', title: 'The club', text: 'Once a month.', link: { href: '/club', label: 'See how' } });
      await it.says('See how');
      await until('words for the picture', async () => (await it.texts('.shown')).join().includes('A shelf by the window'));
      await fine();
    });

    told('what is written while the server is away waits, survives a reload and arrives once', { start: 'none' }, async ({ server, tab, it }) => {
      await opened({ server, it });
      server.fail('/messages', 503, 99);
      await tab.run(() => document.querySelector('embudo-chat').shadowRoot.querySelector('.field').focus());
      await tab.type('Are you there?');
      await tab.press('Enter');
      await it.says('Waiting to be sent');
      await tab.goto(`${server.origin}/`);
      await it.says('Are you there?');
      server.failures.length = 0;
      await tab.run(() => void dispatchEvent(new Event('online')));
      await until('her words', () => server.newest.events.filter(({ body }) => body.text === 'Are you there?').length === 1);
      await until('the note to go', async () => !(await it.count('.note')));
      assert.equal((await it.texts('.ours .bubble')).length, 1);
    });

    told('from right to left it stands on the left and begins at the right', { page: { dir: 'rtl', lang: 'ar' } }, async ({ server, tab, it }) => {
      await opened({ server, it });
      const width = await tab.run(() => innerWidth);
      const [panel] = await it.boxes('.panel');
      assert.ok(panel.left < width - panel.right, JSON.stringify(panel));
      const [face] = await it.boxes('.row .face');
      assert.ok(face.left > (panel.left + panel.right) / 2, JSON.stringify(face));
    });

    told('“not you?” leaves nothing of the person', { known: true }, async ({ server, tab, it }) => {
      await opened({ server, it });
      const before = await tab.run(() => ({ ...localStorage }));
      await it.choose('Not you?');
      await until('a second conversation', () => server.conversations.size === 2);
      await until('its first words', () => it.count('.choice'));
      const after = await tab.run(() => ({ ...localStorage }));
      assert.notEqual(after['embudo.visitor'], before['embudo.visitor']);
      assert.notEqual(JSON.parse(after['embudo.chat']).conversation, JSON.parse(before['embudo.chat']).conversation);
    });

    for (const way of ['hosts', 'nonce', 'hash']) {
      test(`the strictest policy, by ${way}, from another origin: it works, it is dressed, and nothing was refused`, { timeout: 60_000 }, async () => {
        const [site, embudo] = [await serve(), await serve()];
        const tab = await browser.tab();
        try {
          const hash = createHash('sha256').update(await readFile(new URL('snippet/dist/e.js', root))).digest('base64');
          const watch = "window.broken=[];addEventListener('securitypolicyviolation',(e)=>broken.push(e.violatedDirective+' '+e.blockedURI))";
          const own = `'sha256-${createHash('sha256').update(watch).digest('base64')}'`;
          const [scripts, attributes] = {
            hosts: [embudo.origin, ''],
            nonce: ["'nonce-abc' 'strict-dynamic'", 'nonce="abc"'],
            hash: [`'sha256-${hash}' 'strict-dynamic'`, `integrity="sha256-${hash}" crossorigin`],
          }[way];
          const policy = (await published(embudo.origin)).replace(/script-src [^;]+/, `script-src ${scripts} ${own}`);
          site.page('/', html({ api: embudo.origin, attributes: `data-consent="full" ${attributes}`, head: `<script>${watch}</script>` }), { 'content-security-policy': policy });
          await tab.goto(`${site.origin}/`);
          const it = chat(tab);
          await until('the launcher', () => it.count('button'));
          await it.click('button');
          await until('the answers', () => it.count('.choice'));
          await it.choose('Watch now');
          await until('the recording', () => it.count('video'));
          await until('its poster to be asked for', () => embudo.requests.some(({ path }) => path.startsWith('/r/')));
          assert.deepEqual(await it.styles('.ours .bubble', 'backgroundColor'), ['rgb(15, 107, 92)']);
          // The browser asks for the icon of the site by itself; that is the site's own affair.
          assert.deepEqual(await tab.run(() => window.broken.filter((what) => !/favicon/.test(what))), []);
        } finally {
          await tab.close();
          await Promise.all([site.close(), embudo.close()]);
        }
      });
    }
  });
}

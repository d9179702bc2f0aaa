// For everybody and everywhere: sizes, directions, keyboards, colours, tabs, a server that is away, and what it costs the page.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { html, storage, until, violations } from './support/browser.mjs';
import { serve } from './support/server.mjs';
import { focused, stage } from './support/stage.mjs';

const PHONE = { viewport: { width: 390, height: 800 }, hasTouch: true };

/** Fills the chat with one of everything. */
async function crowd({ server, open, chat }) {
  await open();
  const c = server.newest;
  const lumi = { kind: 'bot', name: 'Lumi' };
  server.append(c, lumi, { type: 'file', title: 'Price list', href: 'https://faro.example/prices.pdf', kind: 'pdf' });
  server.append(c, lumi, { type: 'card', title: 'The club', text: 'Once a month.', link: { href: '/club', label: 'See' } });
  server.append(c, lumi, { type: 'booked', booking: 'b', starts_at: 1795514400000, ends_at: 1795515600000, zone: 'Europe/Madrid', with: 'Mike', manage: '/b/T', calendar: '/b/T.ics' });
  await chat.getByText('Your call is booked').waitFor();
  await chat.getByText('Price list').waitFor();
}

describe('targets, sizes and zoom', () => {
  for (const [name, viewport] of Object.entries({
    'a desktop': { width: 1280, height: 800 },
    'a phone': { width: 390, height: 800 },
    // 1280 × 800 at 200 % and at 400 %.
    'twice the size': { width: 640, height: 400 },
    'four times the size': { width: 320, height: 200 },
  })) {
    test(`on ${name} nothing is cut off, and what can be pressed has 24 pixels each way`, async (t) => {
      const it = await stage(t, { known: true, start: 'none', isSilent: true, context: { viewport } });
      const { server, chat } = it;
      await crowd(it);
      const inputs = [
        { kind: 'choice', choices: [{ id: 'a', label: 'Yes' }, { id: 'b', label: 'A much longer answer that will not fit on a single line of the panel' }] },
        { kind: 'choice', choices: [{ id: 'a', label: 'Shelf', image: '/a.gif' }, { id: 'b', label: 'Club', image: '/b.gif' }] },
        { kind: 'rating', max: 5, low: 'Not at all', high: 'Very much' },
        { kind: 'rating', max: 10 },
        { kind: 'date' },
        { kind: 'time' },
        { kind: 'slot', slots: server.slots, zone: 'Europe/Madrid', more: true },
      ];
      for (const [at, input] of inputs.entries()) {
        server.ask(server.newest, `q${at}`, `Question ${at}?`, input);
        await chat.getByText(`Question ${at}?`).waitFor();
        await until('its answers', async () => (await chat.locator('.tray').innerText()).length || (await chat.locator('.star').count()));
        const small = await chat.evaluate((it) =>
          [...it.shadowRoot.querySelectorAll('button, a[href], input:not(.sr), textarea, .pick')]
            .filter((element) => element.getClientRects().length && !element.closest('.bubble') && !element.closest('li'))
            .map((element) => [element.className, element.getBoundingClientRect().width, element.getBoundingClientRect().height])
            .filter(([, width, height]) => width < 24 || height < 24),
        );
        assert.deepEqual(small, []);
        const cut = await chat.evaluate((it) => {
          const { scrollWidth, clientWidth } = it.shadowRoot.querySelector('.scroll');
          const { left, right, top, bottom } = it.shadowRoot.querySelector('.panel').getBoundingClientRect();
          return { sideways: scrollWidth - clientWidth, out: left < 0 || top < 0 || right > innerWidth || bottom > innerHeight };
        });
        assert.deepEqual(cut, { sideways: 0, out: false });
      }
      assert.ok((await chat.locator('.scroll').evaluate((it) => it.clientHeight)) > 80, 'there is room to read');
    });
  }

  test('the font of fields is 16 pixels: below that phones zoom in', async (t) => {
    const { open, chat } = await stage(t);
    await open();
    assert.equal(await chat.locator('.field').evaluate((it) => getComputedStyle(it).fontSize), '16px');
  });
});

describe('on a phone', () => {
  test('the panel is what the keyboard leaves of the screen', async (t) => {
    const { page, open, panel } = await stage(t, { context: PHONE });
    await open();
    const box = () => panel.evaluate((it) => [it.getBoundingClientRect().top, it.getBoundingClientRect().height]);
    assert.deepEqual(await box(), [0, 800]);
    // A keyboard takes from the visual viewport only; iOS also pushes it down.
    await page.evaluate(() => {
      Object.defineProperty(visualViewport, 'height', { value: 460, configurable: true });
      Object.defineProperty(visualViewport, 'offsetTop', { value: 40, configurable: true });
      visualViewport.dispatchEvent(new Event('resize'));
    });
    assert.deepEqual(await box(), [40, 460]);
    const end = await panel.evaluate((it) => it.querySelector('.foot').getBoundingClientRect().bottom);
    assert.equal(end, 500, 'the line to write in stands on the keyboard');
    await page.evaluate(() => {
      delete visualViewport.height;
      delete visualViewport.offsetTop;
      visualViewport.dispatchEvent(new Event('resize'));
    });
    assert.deepEqual(await box(), [0, 800]);
  });

  test('nothing stands under the notch or the bar', async (t) => {
    const { page, context, open, chat } = await stage(t, { context: PHONE });
    const devtools = await context.newCDPSession(page);
    await devtools.send('Emulation.setSafeAreaInsetsOverride', { insets: { top: 47, bottom: 34 } });
    assert.equal(await chat.locator('button').first().evaluate((it) => innerHeight - it.getBoundingClientRect().bottom), 20 + 34);
    await open();
    const { head, foot } = await chat.evaluate((it) => ({
      head: it.shadowRoot.querySelector('.head-who').getBoundingClientRect().top,
      foot: innerHeight - it.shadowRoot.querySelector('.line').getBoundingClientRect().bottom,
    }));
    assert.ok(head >= 47, `${head}`);
    assert.ok(foot >= 34, `${foot}`);
  });

  test('a touch brings no keyboard up unasked', async (t) => {
    const { chat } = await stage(t, { context: PHONE, start: 'email' });
    await chat.locator('button').first().tap();
    await chat.locator('.field[type=email]').waitFor();
    assert.equal(await chat.evaluate((it) => it.shadowRoot.activeElement?.localName), 'section', 'the panel, not its field');
  });

  test('the page’s own viewport is left alone', async (t) => {
    const { page, open } = await stage(t, { context: PHONE });
    await open();
    assert.deepEqual(await page.locator('meta[name=viewport]').evaluateAll((all) => all.map(({ content }) => content)), ['width=device-width']);
  });
});

describe('from right to left', () => {
  test('it stands on the left, the bot speaks from the right, and a text keeps the direction of its script', async (t) => {
    const { server, open, chat, page } = await stage(t, { dir: 'rtl', lang: 'ar', start: 'none' });
    const side = (selector) => chat.locator(selector).first().evaluate((it) => {
      const { left, right } = it.getBoundingClientRect();
      return left + right < innerWidth ? 'left' : 'right';
    });
    await until('the launcher', () => chat.count());
    assert.equal(await side('button'), 'left');
    await open();
    assert.equal(await side('.panel'), 'left');
    server.say(server.newest, 'مرحبا بك في مكتبة فارو (Faro).');
    await chat.getByText('مرحبا').waitFor();
    const faces = await chat.evaluate((it) => {
      const middle = it.shadowRoot.querySelector('.panel').getBoundingClientRect();
      return it.shadowRoot.querySelector('.row .face').getBoundingClientRect().left > (middle.left + middle.right) / 2;
    });
    assert.ok(faces, 'the face of the bot is on the right');
    // Where a text begins: that of an English one at the left of its bubble, that of an Arabic one at the right.
    const begins = await chat.locator('.bubble').evaluateAll((all) =>
      all.map((bubble) => {
        const walk = document.createTreeWalker(bubble, NodeFilter.SHOW_TEXT);
        const range = document.createRange();
        range.setStart(walk.nextNode(), 0);
        range.setEnd(range.startContainer, 1);
        const [letter, box] = [range.getBoundingClientRect(), bubble.getBoundingClientRect()];
        return letter.left - box.left < box.right - letter.right ? 'left' : 'right';
      }),
    );
    assert.deepEqual(begins, ['left', 'right']);
    server.pick(server.newest);
    await chat.locator('.picker').waitFor();
    assert.deepEqual(await violations(page), []);
  });

  test('the arrows of a month go where they point', async (t) => {
    const { server, page, open, chat } = await stage(t, { dir: 'rtl', start: 'none' });
    await open();
    server.ask(server.newest, 'q', 'Which day?', { kind: 'date', min: '2027-06-03', max: '2027-06-30' });
    await chat.getByRole('button', { name: 'Thursday 3 June' }).focus();
    await page.keyboard.press('ArrowLeft');
    assert.equal(await focused(page), '4');
  });

  test('the style sheet knows no left and no right', async () => {
    const { readFile } = await import('node:fs/promises');
    for (const name of ['chat', 'launcher']) {
      const sheet = await readFile(new URL(`../src/${name}/style.css`, import.meta.url), 'utf8');
      const physical = sheet.match(/^.*(?:margin|padding|border)-(?:left|right)\b.*$|^\s*(?:left|right)\s*:.*$|^.*text-align: (?:left|right).*$/gm) || [];
      assert.deepEqual(physical, [], name);
    }
  });
});

describe('colours', () => {
  test('with forced colours every part has an edge and every sign is seen', async (t) => {
    const it = await stage(t, { start: 'none', context: { forcedColors: 'active' } });
    const { page, server, chat } = it;
    const sign = () => chat.locator('button').first().evaluate((it) => {
      const { backgroundColor } = getComputedStyle(it, '::before');
      return [backgroundColor, getComputedStyle(it).backgroundColor];
    });
    await until('the launcher', () => chat.count());
    assert.notEqual(...(await sign()), 'launcher.js alone');
    await crowd(it);
    server.ask(server.newest, 'q', 'How was it?', { kind: 'slot', slots: server.slots, zone: 'Europe/Madrid' }, { step: 1, of: 3 });
    await chat.locator('.picker').waitFor();
    const styles = await chat.evaluate((it) => {
      const of = (selector, pseudo) => getComputedStyle(it.shadowRoot.querySelector(selector), pseudo);
      return {
        sign: of('.launcher', '::before').backgroundColor !== of('.launcher').backgroundColor,
        bubble: of('.bubble').borderTopStyle,
        bars: of('.bars .on').backgroundColor !== of('.bars i:not(.on)').backgroundColor,
        day: of('input:checked + .pick').outlineWidth,
        state: of('.head-state i').backgroundColor !== of('.head').backgroundColor,
      };
    });
    assert.deepEqual(styles, { sign: true, bubble: 'solid', bars: true, day: '3px', state: true });
    assert.ok(page);
  });

  test('each variable of the list does what it says, in light and dark', async (t) => {
    const { readFile } = await import('node:fs/promises');
    const guide = await readFile(new URL('../../docs/widget.md', import.meta.url), 'utf8');
    const named = [...new Set([...guide.matchAll(/`(--embudo-[a-z-]+)`/g)].map(([, name]) => name))].sort();
    const used = new Set();
    for (const file of ['../src/shared/tokens.css', '../src/chat/style.css', '../src/launcher/style.css']) {
      const sheet = await readFile(new URL(file, import.meta.url), 'utf8');
      for (const [name] of sheet.matchAll(/--embudo-[a-z-]+/g)) used.add(name);
    }
    assert.deepEqual(named, [...used].sort(), 'the list is whole');
    for (const colorScheme of ['light', 'dark']) {
      const dark = colorScheme === 'dark' ? '-dark' : '';
      const rules = { surface: 'rgb(1, 2, 3)', text: 'rgb(4, 5, 6)', accent: 'rgb(7, 8, 9)', 'on-accent': 'rgb(250, 251, 252)', bg: 'rgb(10, 11, 12)', line: 'rgb(13, 14, 15)' };
      const style = Object.entries(rules).map(([name, value]) => `--embudo-${name}${dark}:${value}`).join(';');
      const { open, chat } = await stage(t, {
        head: `<style>:root{${style};--embudo-radius:3px;--embudo-width:420px;--embudo-height:500px;--embudo-inset:auto auto 9px 7px;--embudo-z:77;--embudo-font:monospace}</style>`,
        context: { colorScheme },
      });
      await open();
      const seen = await chat.evaluate((it) => {
        const of = (selector) => getComputedStyle(it.shadowRoot.querySelector(selector));
        const box = it.shadowRoot.querySelector('.panel').getBoundingClientRect();
        return [of('.head').backgroundColor, of('.head-name').color, of('.choice').borderTopColor, of('.panel').backgroundColor, of('.panel').borderTopColor,
          of('.panel').borderTopLeftRadius, box.width, box.height, box.left, innerHeight - box.bottom, getComputedStyle(it).zIndex, of('.bubble').fontFamily];
      });
      assert.deepEqual(seen, [rules.surface, rules.text, rules.accent, rules.bg, rules.line, '3px', 420, 500, 7, 9, '77', 'monospace']);
    }
  });

  test('without motion nothing moves', async (t) => {
    const { open, chat } = await stage(t);
    await open();
    const moving = await chat.evaluate((it) => it.getAnimations({ subtree: true }).length + it.shadowRoot.getAnimations().length);
    assert.equal(moving, 0);
    assert.equal(await chat.locator('.panel').evaluate((it) => getComputedStyle(it).animationName), 'none');
  });
});

describe('what is read out', () => {
  test('the log is a log, the typing is not announced, and every control has a name', async (t) => {
    const { server, open, chat, log, panel } = await stage(t, { known: true });
    const launcher = chat.locator('button').first();
    await open();
    assert.equal(await launcher.getAttribute('aria-expanded'), 'true');
    assert.equal(await launcher.getAttribute('aria-controls'), await panel.getAttribute('id'));
    assert.equal(await panel.getAttribute('role'), 'region');
    assert.equal(await log.getAttribute('aria-live'), 'polite');
    assert.equal(await log.locator('.dots').count(), 0, 'the dots stand outside of it');
    assert.equal(await chat.locator('.dots').getAttribute('aria-hidden'), 'true');
    server.status(server.newest, 'human', { name: 'Mike', initials: 'MI' });
    server.mike('Hello');
    await log.getByText('Hello').waitFor();
    const rows = await log.locator('.row').allInnerTexts();
    assert.match(rows.at(-1), /Mike[\s\S]*Hello/, 'who speaks is said before what is said');
    const nameless = await chat.evaluate((it) =>
      [...it.shadowRoot.querySelectorAll('button, a, input, textarea')].filter((element) => !(element.ariaLabel || element.textContent.trim() || element.labels?.length)).map((element) => element.className),
    );
    assert.deepEqual(nameless, []);
  });

  test('Escape closes the menu first, then the panel, and the focus comes home each time', async (t) => {
    const { page, open, chat, panel } = await stage(t);
    await open();
    const more = chat.getByRole('button', { name: 'More' });
    await more.focus();
    await page.keyboard.press('Enter');
    await chat.locator('.menu').waitFor();
    await page.keyboard.press('Escape');
    assert.ok(await chat.locator('.menu').isHidden());
    assert.ok(await panel.isVisible());
    assert.equal(await focused(page), 'More');
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'hidden' });
    assert.match(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.className), /launcher/);
  });

  test('on a large screen Tab leads out of it: the page is not held back', async (t) => {
    const { page, open } = await stage(t, { body: '<h1>Faro</h1><a href="/two" id="own">Two</a>' });
    await open();
    await page.focus('#own');
    const ways = [];
    for (let at = 0; at < 16; at++) {
      await page.keyboard.press('Shift+Tab');
      ways.push(await page.evaluate(() => document.activeElement.localName));
    }
    assert.ok(ways.includes('embudo-chat') && ways.some((name) => name !== 'embudo-chat'), ways.join());
  });
});

describe('the server is away', () => {
  test('before the first word: it is said, what is written waits, and goes by itself when it is back', async (t) => {
    const { server, page, chat, log, say } = await stage(t, { before: (page) => page.clock.install() });
    server.fail('POST /v1/chat', 0, 99);
    await chat.locator('button').first().click();
    await chat.getByText('The chat could not be reached.').waitFor();
    await chat.getByText('The chat does not answer at the moment. What you write is kept and sent when it is back.').waitFor();
    await say('Are you there?');
    await log.getByText('Are you there?').waitFor();
    await log.getByText('Waiting to be sent').waitFor();
    await page.reload();
    await chat.locator('button').first().click();
    server.failures.length = 0;
    await page.clock.fastForward(60_000);
    await until('her words', () => server.newest?.events.some(({ body }) => body.text === 'Are you there?'));
    await until('the note to go', async () => (await log.locator('.note').count()) === 0);
    assert.equal(await log.getByText('Are you there?').count(), 1);
    assert.equal(server.newest.events.filter(({ body }) => body.text === 'Are you there?').length, 1);
  });

  test('without a network it says so; with one again, everything arrives in order', async (t) => {
    const { server, context, open, say, chat, log } = await stage(t);
    await open();
    await context.setOffline(true);
    await chat.getByText('You are offline. What you write is kept and sent when it is back.').waitFor();
    await chat.getByText('No connection', { exact: true }).waitFor();
    await say('one');
    await say('two');
    await log.getByText('Waiting to be sent').first().waitFor();
    await context.setOffline(false);
    await until('both', () => server.newest.events.filter(({ author }) => author.kind === 'visitor').length === 2);
    await until('the notice to go', async () => !(await chat.locator('.notice').innerText()));
    assert.deepEqual(server.newest.events.filter(({ author }) => author.kind === 'visitor').map(({ body }) => body.text), ['one', 'two']);
    assert.equal(await log.locator('.note').count(), 0);
  });

  test('where nothing may be kept, it promises no more than that', async (t) => {
    const { context, open, chat, page } = await stage(t, { attributes: '' });
    await open();
    await context.setOffline(true);
    await chat.getByText('What you write is sent when it is back, if this page stays open.').waitFor();
    assert.deepEqual(await storage(page), {});
  });

  test('a server that asks for patience gets it, and says why', async (t) => {
    const { server, chat } = await stage(t);
    server.failures.push({ match: 'POST /v1/chat', status: 429, times: 1, headers: { 'retry-after': '30' }, body: { detail: 'One moment, please.' } });
    await chat.locator('button').first().click();
    await chat.getByText('One moment, please.').waitFor();
    assert.equal(server.conversations.size, 0);
  });
});

test('what she is typing while another talk begins stays there to be sent', async (t) => {
  const it = await stage(t, { start: 'offer' });
  await it.open();
  await it.choose('No thanks');
  let goOn;
  const held = new Promise((resolve) => (goOn = resolve));
  await it.page.route('**/v1/chat', async (route) => {
    await held;
    await route.continue();
  });
  await it.choose('Start again');
  await it.chat.getByRole('log').getByText('No thanks').waitFor({ state: 'detached' });
  await it.chat.locator('.field').fill('Once more');
  goOn();
  await it.chat.locator('.bubble').first().waitFor();
  assert.equal(await it.chat.locator('.field').inputValue(), 'Once more');
});

describe('several tabs', () => {
  const second = async ({ context, server }) => {
    const page = await context.newPage();
    await page.goto(server.origin);
    const chat = page.locator('embudo-chat');
    return { page, chat, panel: chat.locator('.panel'), log: chat.getByRole('log') };
  };

  test('what was read in one is read in all', async (t) => {
    const it = await stage(t);
    await it.open();
    await it.chat.getByRole('button', { name: 'Close chat' }).click();
    const other = await second(it);
    await other.chat.locator('button').first().waitFor();
    await it.page.bringToFront();
    await other.page.evaluate(() => embudo('chat', 'open'));
    await other.panel.waitFor();
    await other.chat.getByRole('button', { name: 'Close chat' }).click();
    it.server.say(it.server.newest, 'Still there?');
    await it.chat.getByRole('button', { name: /1 unread message/ }).waitFor();
    await it.chat.locator('.teaser').waitFor();
    await other.chat.getByRole('button', { name: /1 unread message/ }).click();
    await it.chat.getByRole('button', { name: 'Open chat', exact: true }).waitFor();
    assert.ok(await it.chat.locator('.teaser').isHidden());
  });

  test('“not you?” in one leaves nothing of the person in the other', async (t) => {
    const it = await stage(t, { known: true });
    await it.open();
    const other = await second(it);
    await other.log.getByText('Welcome back, Nikki').waitFor();
    await it.choose('Not you?');
    await until('the other to forget', async () => !/Nikki/.test(await other.chat.evaluate((it) => it.shadowRoot.textContent)));
    assert.ok(await other.panel.isHidden());
    const visitors = await Promise.all([it.page, other.page].map((page) => page.evaluate(() => embudo.host.sender('en').visitor)));
    assert.equal(visitors[0], visitors[1]);
  });

  test('a talk that begins anew in one is the one of the other, too', async (t) => {
    const it = await stage(t, { start: 'offer' });
    await it.open();
    const other = await second(it);
    await other.log.locator('.bubble').first().waitFor();
    await it.choose('No thanks');
    await it.choose('Start again');
    await until('a second conversation', () => it.server.conversations.size === 2);
    await it.say('Once more');
    await other.log.getByText('Once more').waitFor();
  });
});

describe('what it costs the page', () => {
  const meter = () => {
    window.cost = { long: [], moved: 0 };
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => window.cost.long.push(duration))).observe({ type: 'longtask', buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (window.cost.moved += value))).observe({ type: 'layout-shift', buffered: true });
  };

  // What else the machine does makes tasks longer, never shorter: the best of a few loads is the page's own.
  test('on a phone of a quarter of this speed no task takes 50 ms, and nothing moves', async (t) => {
    const { server, page, context } = await stage(t, {
      body: '<h1>Faro</h1>' + '<p>Some words to be moved.</p>'.repeat(40),
      context: PHONE,
      before: (page) => page.addInitScript(meter),
    });
    const devtools = await context.newCDPSession(page);
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
    const loads = [];
    for (let at = 0; at < 6; at++) {
      const before = server.hits.length;
      await page.goto(`${server.origin}/two?${at}`);
      await page.locator('embudo-chat').waitFor({ state: 'attached' });
      await until('the page view', () => server.hits.length > before);
      await page.waitForTimeout(150);
      const cost = await page.evaluate(() => window.cost);
      assert.equal(cost.moved, 0);
      loads.push(cost.long);
      if (!cost.long.length) return;
    }
    assert.fail(`each load had a long task: ${JSON.stringify(loads)}`);
  });

  test('opening it takes no long task, and what comes in moves nothing of the page', async (t) => {
    const loads = [];
    for (let at = 0; at < 5; at++) {
      const { page, open } = await stage(t, {
        body: '<h1>Faro</h1>' + '<p>Some words to be moved.</p>'.repeat(40),
        before: (page) => page.addInitScript(meter),
      });
      await page.waitForTimeout(100);
      await page.evaluate(() => (window.cost.long.length = 0));
      await open();
      await page.waitForTimeout(150);
      const cost = await page.evaluate(() => window.cost);
      assert.equal(cost.moved, 0);
      loads.push(cost.long);
      if (!cost.long.length) return;
    }
    assert.fail(`each opening had a long task: ${JSON.stringify(loads)}`);
  });
});

describe('a strict page', () => {
  test('from another origin, with the lines that are published', async (t) => {
    const { readFile } = await import('node:fs/promises');
    const guide = await readFile(new URL('../../docs/widget.md', import.meta.url), 'utf8');
    const [, lines] = /```csp\n([\s\S]+?)```/.exec(guide);
    const site = await serve();
    const embudo = await serve();
    const context = await (await stage(t)).context.browser().newContext();
    t.after(async () => {
      await context.close();
      await Promise.all([site.close(), embudo.close()]);
    });
    const policy = lines.trim().replace(/\n/g, ' ').replaceAll('https://embudo.example', embudo.origin);
    assert.match(policy, /^default-src 'none';/);
    site.page('/', html({ api: embudo.origin, attributes: 'data-consent="full"' }), { 'content-security-policy': policy });
    const page = await context.newPage();
    await page.addInitScript(() => {
      window.broken = [];
      addEventListener('securitypolicyviolation', (event) => window.broken.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    await page.goto(site.origin);
    const chat = page.locator('embudo-chat');
    await chat.locator('button').first().click();
    await chat.getByRole('button', { name: 'Watch now' }).click();
    await until('a picture', () => chat.locator('video').evaluate((it) => it.readyState > 0));
    assert.equal(await chat.locator('.ours .bubble').evaluate((it) => getComputedStyle(it).backgroundColor), 'rgb(15, 107, 92)', 'it is dressed');
    assert.deepEqual(await page.evaluate(() => window.broken), []);
    // Each line is needed: without it something is refused.
    assert.deepEqual(lines.trim().split('\n').map((line) => line.split(' ')[0]), [
      'default-src', 'script-src', 'connect-src', 'img-src', 'media-src', 'require-trusted-types-for', 'trusted-types',
    ]);
  });
});

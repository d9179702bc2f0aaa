import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { storage, until, violations } from './support/browser.mjs';
import { focused, stage, texts } from './support/stage.mjs';

describe('the story', () => {
  test('from the greeting to the booked call', async (t) => {
    const { server, open, choose, say, chat, log, page } = await stage(t);
    await open();
    await choose('Watch now');
    await chat.locator('video').evaluate((video) => video.play());
    await choose('Yes, let’s talk');
    await choose('€5,000 to €20,000');
    await choose('I decide');
    await chat.getByText('3 of 4').waitFor();
    await say('x');
    await chat.getByText('A few more words would help us').waitFor();
    assert.equal(await chat.locator('.field').inputValue(), 'x');
    await say('Managers who read no books');
    await choose('This quarter');
    await chat.getByText('Madrid time (GMT+1)').waitFor();
    await chat.getByLabel('Wednesday 25 November').check({ force: true });
    await chat.locator('.times').getByText('10:30').click();
    await chat.getByRole('button', { name: 'Book Wed 25 Nov, 10:30' }).click();
    await chat.getByText('Your call is booked').waitFor();
    await chat.getByText('Wednesday 25 November').waitFor();
    await chat.getByText('10:30 – 10:50').waitFor();
    assert.equal(await chat.getByRole('link', { name: 'Change or cancel' }).getAttribute('href'), `${server.origin}/b/TOKEN`);
    await chat.getByRole('button', { name: 'Start again' }).waitFor();
    const link = log.getByRole('link', { name: 'faro.example/help' });
    assert.equal(await link.getAttribute('href'), 'https://faro.example/help');
    assert.equal(await link.getAttribute('rel'), 'noopener noreferrer');
    const said = server.newest.events.filter(({ author }) => author.kind === 'visitor').map(({ body }) => body.choice || body.text || body.starts_at);
    assert.deepEqual(said, ['now', 'yes', 'o1', 'o0', 'x', 'Managers who read no books', 'o0', Date.UTC(2026, 10, 25, 9, 30)]);
    await choose('Start again');
    await until('a second conversation', () => server.conversations.size === 2);
    await chat.getByRole('button', { name: 'Watch now' }).waitFor();
    assert.ok(page);
  });

  test('a person takes over, types, and is told apart', async (t) => {
    const { server, open, say, chat, log } = await stage(t);
    await open();
    await chat.getByRole('button', { name: 'More' }).click();
    await chat.getByRole('button', { name: 'Talk to a person' }).click();
    await chat.getByText('Looking for someone who is free').waitFor();
    server.mikeJoins();
    await log.getByText('Mike joined').waitFor();
    await chat.locator('.head .face.human').waitFor();
    server.types('agent', 'Mike');
    await chat.getByText('Mike is typing').waitFor();
    await chat.locator('.dots').waitFor();
    server.mike('How about Tuesday?');
    await log.getByText('How about Tuesday?').waitFor();
    assert.ok(await chat.locator('.dots').isHidden());
    await chat.locator('.field').pressSequentially('Yes');
    await until('her typing', () => server.typings > 0);
    await until('her reading', () => server.reads.length > 0);
    await say('Yes please');
    server.status(server.newest, 'bot');
    await log.getByText('Mike left the chat').waitFor();
    server.pick(server.newest);
    await chat.locator('.picker').waitFor();
  });

  test('in Spanish, with its own zone and words', async (t) => {
    const { open, chat } = await stage(t, { lang: 'es', start: 'slot', zone: 'America/Mexico_City' });
    await open();
    await chat.getByText('Hora de Ciudad de México (GMT-6)').waitFor();
    await chat.locator('.times .pick').first().click();
    await chat.getByRole('button', { name: /^Reservar .*24/ }).click();
    await chat.getByText('Tu llamada está reservada').waitFor();
  });

  test('none of the times fits: the question goes on', async (t) => {
    const { server, open, choose, chat, log } = await stage(t, { start: 'slot' });
    await open();
    await choose('None of these fit');
    await log.getByText('Which number can we call').waitFor();
    const field = chat.locator('.field');
    assert.equal(await field.getAttribute('type'), 'tel');
    assert.equal(await field.getAttribute('autocomplete'), 'tel');
    assert.equal(server.newest.events.find(({ body }) => body.type === 'slot').body.none_fit, true);
  });

  test('an e-mail question has the keyboard and the help of an e-mail field', async (t) => {
    const { open, say, chat, log } = await stage(t, { start: 'email' });
    await open();
    const field = chat.locator('.field[type=email]');
    await field.waitFor();
    assert.equal(await field.getAttribute('autocomplete'), 'email');
    assert.equal(await field.getAttribute('aria-label'), 'Where can we write to you?');
    await say('nikki');
    await chat.getByRole('alert').getByText('does not look like').waitFor();
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    await say('nikki@acme.example');
    await log.getByText('Thank you.').waitFor();
  });
});

describe('at the pace of a reader', () => {
  test('bubbles come one after the other, and all of them at once when the visitor goes on', async (t) => {
    const { server, open, say, chat, log } = await stage(t, { context: { reducedMotion: 'no-preference' } });
    await open();
    await until('a stream', () => server.streams.size);
    const began = Date.now();
    for (const text of ['one', 'two', 'three', 'four', 'five', 'six']) server.say(server.newest, text);
    await chat.locator('.dots').waitFor();
    await log.getByText('six').waitFor();
    const took = Date.now() - began;
    assert.ok(took > 600 && took < 3500, `${took}`);
    assert.ok(await chat.locator('.dots').isHidden());
    for (const text of ['seven', 'eight', 'nine']) server.say(server.newest, text);
    await chat.locator('.dots').waitFor();
    await say('I go on');
    assert.deepEqual((await texts(log)).slice(-4), ['seven', 'eight', 'nine', 'I go on']);
  });

  test('the typing dots go by themselves', async (t) => {
    const { server, open, choose, chat } = await stage(t, { context: { reducedMotion: 'no-preference' }, bot_ms: 60_000 });
    await open();
    await choose('Watch now');
    await chat.locator('.dots').waitFor();
    await chat.locator('.dots').waitFor({ state: 'hidden', timeout: 2500 });
    assert.ok(server);
  });

  test('it moves nothing on the page', async (t) => {
    const { page, chat } = await stage(t, {
      flow: { flow: 'x', delay_ms: 0, open: true },
      body: '<h1>Faro</h1>' + '<p>Some words to be moved.</p>'.repeat(30),
      before: (page) =>
        page.addInitScript(() => {
          window.moved = 0;
          new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (window.moved += value))).observe({
            type: 'layout-shift',
            buffered: true,
          });
        }),
    });
    await chat.locator('.choice').first().waitFor();
    await page.waitForTimeout(300);
    assert.equal(await page.evaluate(() => window.moved), 0);
  });
});

describe('who it is', () => {
  test('an e-mail of another person makes another visitor, and the talk goes on', async (t) => {
    const { server, page, open, say, log } = await stage(t, { start: 'email' });
    await open();
    server.nextVisitor = '0199cccc-0000-7000-8000-000000000003';
    await say('yuri@acme.example');
    await log.getByText('Thank you.').waitFor();
    assert.equal((await storage(page))['embudo.visitor'], server.nextVisitor);
    assert.equal(server.conversations.size, 1);
  });
});

describe('how it opens', () => {
  const flow = { flow: 'webinar-recording', delay_ms: 50, open: true };

  test('nothing of it is loaded before it is wanted', async (t) => {
    const { server, page } = await stage(t);
    await until('the page view', () => server.hits.length);
    await page.waitForTimeout(200);
    assert.ok(!server.requests.some(({ path }) => /chat/.test(path)));
    const launcher = page.locator('embudo-chat button');
    assert.equal(await launcher.getAttribute('aria-expanded'), 'false', 'that it opens something is said before that is there');
  });

  test('a flow opens it by itself, and leaves the focus where it is', async (t) => {
    const { server, page, chat, panel } = await stage(t, { flow, body: '<h1>Faro</h1><input id="own" autofocus>' });
    await page.focus('#own');
    await panel.waitFor();
    await chat.locator('.choice').first().waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'own');
    const [asked] = server.triggers;
    assert.equal(asked.site, 'faro');
    assert.equal(asked.page.title, 'Faro');
    assert.equal(asked.returning, false);
    assert.equal(asked.zone, 'Europe/Madrid');
    const [started] = server.requests.filter(({ path }) => path === '/v1/chat').map(({ text }) => JSON.parse(text));
    assert.equal(started.flow, 'webinar-recording');
  });

  test('closed by the visitor, it stays closed on the next page', async (t) => {
    const { server, page, chat, panel } = await stage(t, { flow });
    await panel.waitFor();
    await chat.getByRole('button', { name: 'Close chat' }).click();
    await page.goto(`${server.origin}/two`);
    await until('the second trigger', () => server.triggers.length === 2);
    await page.waitForTimeout(500);
    assert.ok(await panel.isHidden());
    assert.ok(await chat.locator('.teaser').isHidden());
  });

  test('on a phone a flow shows a card instead of covering the page', async (t) => {
    const { chat, panel } = await stage(t, { flow, context: { viewport: { width: 390, height: 800 }, hasTouch: true } });
    await chat.locator('.teaser').getByText('Would you like to watch').waitFor();
    assert.ok(await panel.isHidden());
    await chat.getByRole('button', { name: /2 unread messages/ }).waitFor();
    await chat.locator('.teaser-body').click();
    await panel.waitFor();
    assert.equal(await panel.getAttribute('role'), 'dialog');
    assert.equal(await panel.getAttribute('aria-modal'), 'true');
    assert.deepEqual(await panel.evaluate((it) => [it.getBoundingClientRect().width, it.getBoundingClientRect().height]), [390, 800]);
  });

  test('an element of the page opens it, also where the launcher is off', async (t) => {
    const { page, chat, panel } = await stage(t, {
      attributes: 'data-consent="full" data-chat="off"',
      body: '<h1>Faro</h1><a href="/contact" data-embudo-chat>Ask us</a>',
    });
    assert.equal(await chat.count(), 0);
    await page.click('[data-embudo-chat]');
    await panel.waitFor();
    await page.evaluate(() => embudo('chat', 'close'));
    await panel.waitFor({ state: 'hidden' });
    await page.evaluate(() => embudo('chat', 'open'));
    await panel.waitFor();
  });

  test('what is said while it is closed is counted and shown as a card', async (t) => {
    const { server, open, chat, panel } = await stage(t);
    await open();
    await chat.getByRole('button', { name: 'Close chat' }).click();
    await panel.waitFor({ state: 'hidden' });
    server.say(server.newest, 'Are you still there?');
    await chat.locator('.teaser').getByText('Are you still there?').waitFor();
    await chat.getByRole('button', { name: 'Open chat, 1 unread message' }).click();
    await panel.waitFor();
    await chat.getByRole('button', { name: 'Close chat' }).click();
    await chat.getByRole('button', { name: 'Open chat', exact: true }).waitFor();
  });

  test('a server that is away is said, and trying again works', async (t) => {
    const { server, chat, page } = await stage(t);
    await page.waitForTimeout(100);
    server.fail('POST /v1/chat', 500);
    await chat.locator('button').first().click();
    await chat.getByText('The chat could not be reached.').waitFor();
    await chat.getByRole('button', { name: 'Try again' }).click();
    await chat.locator('.choice').first().waitFor();
  });
});

describe('nothing is lost and nothing comes twice', () => {
  const inOrder = async (server, log) => {
    const expected = server.newest.events
      .map(({ body }) => body.label || (body.type === 'text' ? body.text : ''))
      .filter(Boolean);
    const shown = (await texts(log)).map((text) => text.trim());
    assert.deepEqual(
      shown.filter((text) => expected.includes(text)),
      expected,
    );
  };

  test('an event that was lost on the way is fetched', async (t) => {
    const { server, open, log } = await stage(t);
    await open();
    await until('a stream', () => server.streams.size);
    server.say(server.newest, 'one', { lost: true });
    server.say(server.newest, 'two');
    await log.getByText('two').waitFor();
    await inOrder(server, log);
    server.say(server.newest, 'three', { lost: true });
    server.beat();
    await log.getByText('three').waitFor();
    await inOrder(server, log);
  });

  test('a stream that dies is opened again where it ended', async (t) => {
    const { server, open, log } = await stage(t);
    await open();
    await until('a stream', () => server.streams.size);
    server.hangUp();
    server.say(server.newest, 'while you were gone');
    await log.getByText('while you were gone').waitFor();
    await until('a new stream', () => server.streams.size);
    server.say(server.newest, 'and back');
    await log.getByText('and back').waitFor();
    await inOrder(server, log);
  });

  test('silence of 35 seconds is a dead line', async (t) => {
    const { server, open, log, page } = await stage(t, { before: (page) => page.clock.install() });
    await open();
    await until('a stream', () => server.streams.size);
    const opened = () => server.requests.filter(({ path }) => path.includes('/stream')).length;
    const before = opened();
    server.pushes = false;
    server.say(server.newest, 'into the void');
    await page.clock.fastForward(36_000);
    await page.clock.fastForward(2_000);
    await log.getByText('into the void').waitFor();
    await until('a new stream', () => opened() > before || server.requests.some(({ path }) => /wait=25/.test(path)));
  });

  test('where a stream cannot be read, it polls', async (t) => {
    const { server, open, choose, log, chat } = await stage(t, { canStream: false });
    await open();
    await until('a poll', () => server.requests.some(({ path }) => /wait=25/.test(path)));
    server.say(server.newest, 'by poll');
    await log.getByText('by poll').waitFor();
    const polls = () => server.requests.filter(({ path }) => /wait=25/.test(path)).length;
    const before = polls();
    await until('the next poll', () => polls() > before || server.newest.waiters.length);
    server.types('agent', 'Mike');
    await chat.getByText('Mike is typing').waitFor();
    await choose('No thanks');
    await log.getByText('No thanks').waitFor();
    await inOrder(server, log);
  });

  test('a message whose answer was lost is sent again and stands there once', async (t) => {
    const { server, open, say, log } = await stage(t);
    // Without the stream, which would tell her own message before it has to be sent again.
    server.fail('/stream', 503, 99);
    await open();
    server.fail('/messages', 'after');
    await say('only once');
    await until('two tries', () => server.requests.filter(({ method, path }) => method === 'POST' && path.includes('/messages')).length === 2);
    await until('the note to go', async () => (await log.locator('.note').count()) === 0);
    assert.equal(server.newest.events.filter(({ body }) => body.text === 'only once').length, 1);
    assert.equal(await log.getByText('only once').count(), 1);
  });

  test('what was said without a network survives a reload, in order', async (t) => {
    const { server, page, open, say, chat, log } = await stage(t);
    await open();
    server.fail('/messages', 503, 99);
    await say('first');
    await say('second');
    await chat.getByText('Waiting to be sent').first().waitFor();
    await page.reload();
    await log.getByText('second').waitFor();
    assert.equal(await log.getByText('first').count(), 1);
    server.failures.length = 0;
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await until('both', () => server.newest.events.filter(({ body }) => /first|second/.test(body.text)).length === 2);
    await until('the notes to go', async () => (await log.locator('.note').count()) === 0);
    await inOrder(server, log);
    assert.equal((await storage(page))['embudo.outbox'], undefined);
  });

  test('the conversation goes on after a reload and on the next page', async (t) => {
    const { server, page, open, choose, chat, log, panel } = await stage(t, { start: 'call' });
    await open();
    await choose('Yes, let’s talk');
    await choose('€5,000 to €20,000');
    await chat.getByText('2 of 4').waitFor();
    await page.goto(`${server.origin}/two`);
    await panel.waitFor();
    await log.getByText('€5,000 to €20,000').waitFor();
    await choose('I decide');
    await chat.getByText('3 of 4').waitFor();
    await inOrder(server, log);
    assert.equal(server.conversations.size, 1);
    assert.equal(await page.evaluate(() => document.activeElement === document.body || document.activeElement.localName), 'embudo-chat');
  });

  test('a conversation that the server does not know begins anew, and keeps what was typed', async (t) => {
    const { server, page, open, say, log } = await stage(t);
    await open();
    server.fail('/messages', 503, 99);
    await say('still to be said');
    await log.getByText('Waiting to be sent').waitFor();
    server.failures.length = 0;
    server.conversations.clear();
    server.hangUp();
    await page.reload();
    await until('a new conversation with it', () => server.newest?.events.some(({ body }) => body.text === 'still to be said'));
    await until('once', async () => (await log.getByText('still to be said').count()) === 1);
    assert.equal(server.conversations.size, 1);
  });

  test('a token that is no longer good is renewed without losing the talk', async (t) => {
    const { server, open, choose, chat, log } = await stage(t, { start: 'call' });
    await open();
    server.newest.token = 'another';
    await choose('Yes, let’s talk');
    await chat.getByText('1 of 4').waitFor();
    assert.equal(server.conversations.size, 1);
    await inOrder(server, log);
  });

  test('a question that was answered elsewhere is not answered twice', async (t) => {
    const { server, open, choose, log, chat } = await stage(t, { start: 'call' });
    await open();
    server.newest.question = 'something else';
    await choose('Yes, let’s talk');
    await log.getByText('That question was answered already.').waitFor();
    assert.ok(await chat.locator('.field').isVisible());
  });

  test('two pages of one browser show the same talk', async (t) => {
    const { server, context, open, choose, log } = await stage(t, { start: 'call' });
    await open();
    const other = await context.newPage();
    await other.goto(server.origin);
    const otherLog = other.locator('embudo-chat').getByRole('log');
    await otherLog.locator('.bubble').first().waitFor();
    await choose('Yes, let’s talk');
    await otherLog.getByText('Which budget range').waitFor();
    await inOrder(server, otherLog);
    await inOrder(server, log);
  });

  test('of several pages of one browser one listens; when it is closed or put away, another one does', async (t) => {
    const { server, page, context, open, say, log } = await stage(t, { start: 'call' });
    await open();
    await until('a stream', () => server.streams.size === 1);
    const others = [await context.newPage(), await context.newPage()];
    const logs = [log];
    for (const other of others) {
      await other.goto(server.origin);
      logs.push(other.locator('embudo-chat').getByRole('log'));
      await logs.at(-1).locator('.bubble').first().waitFor();
    }
    const heard = async (text) => {
      server.say(server.newest, text);
      for (const one of logs) await one.getByText(text, { exact: true }).waitFor();
    };
    await heard('to all three');
    assert.equal(server.streams.size, 1);
    assert.equal(server.requests.filter(({ path }) => path.includes('/stream')).length, 1);

    // Put away into the back cache: it lets go of everything, and takes nothing with it.
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
    await until('another page listens', () => server.requests.filter(({ path }) => path.includes('/stream')).length === 2);
    server.say(server.newest, 'while it was away');
    await logs[1].getByText('while it was away').waitFor();
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
    await log.getByText('while it was away').waitFor();

    await others.shift().close();
    logs.splice(1, 1);
    await until('the next one listens', () => server.requests.filter(({ path }) => path.includes('/stream')).length >= 3);
    await heard('to those who are left');
    await page.bringToFront();
    await say('Hello from here');
    for (const one of logs) {
      await one.getByText('Hello from here').waitFor();
      await inOrder(server, one);
    }
    await until('one stream', () => server.streams.size === 1);
  });

  test('nothing of it keeps a page out of the back cache', async (t) => {
    const { server, page, open, log } = await stage(t, { start: 'call' });
    await page.evaluate(() => {
      for (const name of ['unload', 'beforeunload']) {
        const add = window.addEventListener;
        window.addEventListener = function (what, ...rest) {
          if (what === name) window.unloads = (window.unloads || 0) + 1;
          return add.call(this, what, ...rest);
        };
      }
    });
    await open();
    await until('a stream', () => server.streams.size === 1);
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
    await until('no stream', () => server.streams.size === 0);
    const { held, pending } = await page.evaluate(() => navigator.locks.query());
    assert.deepEqual([held.length, pending.length, await page.evaluate(() => window.unloads)], [0, 0, undefined]);
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
    await until('a stream again', () => server.streams.size === 1);
    server.say(server.newest, 'and on');
    await log.getByText('and on').waitFor();
  });

  test('where a stream says nothing in its first seconds, it polls', async (t) => {
    const { server, page, open, log } = await stage(t, { mute: true, before: (page) => page.clock.install() });
    await open();
    await until('a stream', () => server.streams.size);
    server.say(server.newest, 'held back');
    await page.clock.fastForward(9_000);
    await page.clock.fastForward(2_000);
    await until('a poll', () => server.requests.some(({ path }) => /wait=25/.test(path)));
    await log.getByText('held back').waitFor();
  });

  test('without consent it works and leaves no trace', async (t) => {
    const { server, page, open, choose, log } = await stage(t, { attributes: '', start: 'call' });
    await open();
    await choose('Yes, let’s talk');
    await log.getByText('Which budget range').waitFor();
    assert.deepEqual(await storage(page), {});
    assert.equal(JSON.parse(server.requests.find(({ path }) => path === '/v1/chat').text).visitor, null);
  });

  test('“not you?” forgets the person and the talk', async (t) => {
    const { server, page, open, choose, chat } = await stage(t, { known: true });
    await open();
    const before = await storage(page);
    await choose('Not you?');
    await until('a second conversation', () => server.conversations.size === 2);
    await chat.locator('.choice').first().waitFor();
    const after = await storage(page);
    assert.notEqual(after['embudo.visitor'], before['embudo.visitor']);
    assert.notEqual(JSON.parse(after['embudo.chat']).conversation, JSON.parse(before['embudo.chat']).conversation);
  });
});

describe('a link from a mail was opened here', () => {
  const whose = { who: 'n•••@o•••', mark: '0123456789abcdef' };
  const other = '0199bbbb-0000-7000-8000-000000000002';

  test('she is asked above the talk, says yes, and the talk goes on', async (t) => {
    const { server, page, open, choose, chat, log } = await stage(t, { whose, answered: {} });
    await open();
    const bar = chat.locator('.whose');
    await bar.getByText('Are you n•••@o•••?').waitFor();
    assert.ok(!(await log.innerText()).includes('n•••'), 'it stands in no log');
    const before = await storage(page);
    await choose('Yes, that is me');
    await bar.getByText('Thank you. That is noted.').waitFor();
    assert.ok(await page.evaluate(() => !!document.activeElement?.shadowRoot?.activeElement), 'the focus stays in the panel');
    assert.deepEqual(server.answers, ['yes']);
    assert.equal(server.conversations.size, 1);
    assert.equal((await storage(page))['embudo.visitor'], before['embudo.visitor']);
    await choose('Watch now');
    await page.reload();
    await log.locator('.bubble').first().waitFor();
    assert.equal(await bar.innerText(), '', 'it is asked once');
  });

  test('a no lets go: another visitor, the same talk, and this person is never asked again', async (t) => {
    const { server, page, open, choose, chat, log } = await stage(t, { lang: 'es', whose, answered: { visitor: other } });
    await open();
    await chat.getByText('¿Eres n•••@o•••?').waitFor();
    await choose('No');
    await chat.getByText('Gracias. Queda anotado.').waitFor();
    await until('another visitor', async () => (await storage(page))['embudo.visitor'] === other);
    assert.deepEqual(server.answers, ['no']);
    assert.equal(server.conversations.size, 1);
    server.whose = whose;
    await page.reload();
    await log.locator('.bubble').first().waitFor();
    assert.equal(await chat.locator('.whose').innerText(), '');
    server.whose = { ...whose, mark: 'fedcba9876543210' };
    await page.reload();
    await chat.getByText('¿Eres n•••@o•••?').waitFor();
  });

  test('where the talk is another person’s, a new one begins as the visitor of the answer', async (t) => {
    const { server, page, open, choose, chat, log } = await stage(t, { whose, answered: { visitor: other, goes_on: false } });
    await open();
    await choose('Watch now');
    await choose('Yes, that is me');
    await until('a second conversation', () => server.conversations.size === 2);
    await chat.getByRole('button', { name: 'Watch now' }).waitFor();
    assert.equal(server.newest.visitor, other);
    assert.equal((await storage(page))['embudo.visitor'], other);
    assert.equal(await log.locator('.ours').count(), 0, 'nothing of the other talk is left');
  });

  test('an answer that does not arrive leaves the chat as it is', async (t) => {
    const { server, open, choose, chat, say, log } = await stage(t, { whose });
    await open();
    server.fail('/whose', 409);
    await choose('Yes, that is me');
    await until('no question', async () => !(await chat.locator('.whose').innerText()));
    await say('Hello');
    await log.getByText('Hello').waitFor();
  });
});

describe('the recording', () => {
  test('is reported as what was really seen', async (t) => {
    const { server, open, choose, chat } = await stage(t);
    await open();
    await choose('Watch now');
    const video = chat.locator('video');
    await video.evaluate((it) => ((it.muted = true), it.play()));
    await until('some play', () => video.evaluate((it) => it.currentTime > 1.2));
    await video.evaluate((it) => (it.currentTime = 8));
    await until('some more', () => video.evaluate((it) => it.currentTime > 9));
    await video.evaluate((it) => it.pause());
    await until('two reports', () => server.watches.length >= 2);
    const ranges = server.watches.flatMap(({ ranges }) => ranges);
    const seconds = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
    assert.ok(seconds > 1.8 && seconds < 4, JSON.stringify(server.watches));
    assert.ok(ranges.every(([from, to]) => to <= 3 || from >= 7.9), JSON.stringify(ranges));
    assert.equal(server.watches[0].recording, 'reading-at-work');
    assert.ok(Math.abs(server.watches[0].duration_s - 12) < 0.1);
    // A report that does not arrive goes with the next one.
    server.fail('/watch', 500);
    await video.evaluate((it) => it.play());
    await until('play', () => video.evaluate((it) => it.currentTime > 10));
    await video.evaluate((it) => it.pause());
    await until('the failure', () => server.failures.length === 0);
    const before = server.watches.length;
    await video.evaluate((it) => it.play());
    await until('play', () => video.evaluate((it) => it.currentTime > 10.5));
    await video.evaluate((it) => it.pause());
    await until('the next report', () => server.watches.length > before);
    assert.ok(server.watches.at(-1).ranges[0][0] < 9.6, JSON.stringify(server.watches.at(-1)));
  });

  test('is reported when the page goes away', async (t) => {
    const { server, page, open, choose, chat } = await stage(t);
    await open();
    await choose('Watch now');
    const video = chat.locator('video');
    await video.evaluate((it) => ((it.muted = true), it.play()));
    await until('some play', () => video.evaluate((it) => it.currentTime > 1));
    await page.goto(`${server.origin}/two`);
    await until('the report', () => server.watches.length);
  });

  test('has captions, and can grow', async (t) => {
    const { open, choose, chat } = await stage(t, { context: { viewport: { width: 1280, height: 900 } } });
    await open();
    await choose('Watch now');
    const video = chat.locator('video');
    await video.waitFor();
    assert.equal(await video.locator('track[kind=captions][srclang=en]').count(), 1);
    const width = () => video.evaluate((it) => it.getBoundingClientRect().width);
    const before = await width();
    await chat.getByRole('button', { name: 'Larger picture' }).click();
    await until('more room', async () => (await width()) > before * 1.8);
  });
});

describe('for everybody', () => {
  test('the whole story by keyboard alone', async (t) => {
    const { server, page, chat, panel } = await stage(t, { start: 'call' });
    const key = (name) => page.keyboard.press(name);
    await until('the launcher', () => chat.count());
    await key('Tab');
    await key('Enter');
    await chat.locator('.choice').first().waitFor();
    await until('focus on the first answer', async () => {
      const at = await focused(page);
      if (at !== 'Yes, let’s talk') await key('Tab');
      return at === 'Yes, let’s talk';
    });
    await key('Enter');
    await chat.getByText('1 of 4').waitFor();
    await until('focus on the first answer', async () => (await focused(page)) === 'Under €5,000');
    await key('Tab');
    await key('Space');
    await chat.getByText('2 of 4').waitFor();
    await until('focus on the first answer', async () => (await focused(page)) === 'I decide');
    await key('Enter');
    await chat.getByText('3 of 4').waitFor();
    await until('focus on the line', async () => /What should/.test(await focused(page)));
    await page.keyboard.type('Managers who read no books');
    await key('Enter');
    await chat.getByText('4 of 4').waitFor();
    await until('focus on the first answer', async () => (await focused(page)) === 'This quarter');
    await key('Enter');
    await chat.locator('.picker').waitFor();
    await until('focus on the days', async () => (await focused(page)) === 'Tuesday 24 November');
    await key('ArrowRight');
    await key('Tab');
    await key('Space');
    await key('ArrowRight');
    await chat.getByRole('button', { name: 'Book Wed 25 Nov, 10:30' }).waitFor();
    await key('Tab');
    await key('Enter');
    await chat.getByText('Your call is booked').waitFor();
    assert.equal(server.newest.events.at(-1).body.outcome, 'booked');
    await key('Escape');
    await panel.waitFor({ state: 'hidden' });
    assert.match(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.className), /launcher/);
  });

  test('full screen keeps the focus inside, Escape gives it back', async (t) => {
    const { page, open, chat, panel } = await stage(t, {
      context: { viewport: { width: 360, height: 700 } },
      body: '<h1>Faro</h1><a href="/two">Two</a>',
    });
    await open();
    for (let at = 0; at < 14; at++) {
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.localName), 'embudo-chat');
    }
    assert.equal(await page.evaluate(() => document.documentElement.style.overflow), 'hidden');
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'hidden' });
    assert.equal(await page.evaluate(() => document.documentElement.style.overflow), '');
    assert.ok(chat);
  });

  test('it fits 320 pixels', async (t) => {
    const { page, open, chat } = await stage(t, { start: 'slot', context: { viewport: { width: 320, height: 640 } } });
    await open();
    await chat.locator('.picker').waitFor();
    const { scroll, client } = await chat.locator('.scroll').evaluate((it) => ({ scroll: it.scrollWidth, client: it.clientWidth }));
    assert.ok(scroll <= client, `${scroll} > ${client}`);
    assert.ok(page);
  });

  test('a site’s own accent gets a text that can be read on it', async (t) => {
    const { open, chat } = await stage(t, { head: '<style>:root{--embudo-accent:#ffd34d}</style>' });
    await open();
    assert.equal(await chat.evaluate((it) => it.style.getPropertyValue('--embudo-on-accent')), '#111');
    assert.equal(await chat.locator('.send').evaluate((it) => getComputedStyle(it).getPropertyValue('--accent')), '#ffd34d');
  });

  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      test(`axe finds nothing to say, ${colorScheme}, ${width} px`, async (t) => {
        const { server, page, open, choose, say, chat } = await stage(t, {
          known: true,
          context: { colorScheme, viewport: { width, height: 800 }, reducedMotion: 'reduce' },
        });
        const fine = async () => assert.deepEqual(await violations(page), []);
        await until('the launcher', () => chat.count());
        await fine();
        await open();
        await fine();
        await chat.getByRole('button', { name: 'More' }).click();
        await fine();
        await page.keyboard.press('Escape');
        await choose('Watch now');
        await chat.locator('video').waitFor();
        await fine();
        server.ask(server.newest, 'need', 'What should it solve?', { kind: 'text' }, { step: 3, of: 4 });
        await chat.getByText('3 of 4').waitFor();
        await say('x');
        await chat.locator('.problem:not(:empty)').waitFor();
        await fine();
        server.pick(server.newest);
        await chat.locator('.times .pick').first().click();
        await fine();
        server.mikeJoins();
        server.types('agent', 'Mike');
        await chat.locator('.dots').waitFor();
        await fine();
        server.append(
          server.newest,
          { kind: 'bot' },
          { type: 'booked', booking: 'b', starts_at: 1795514400000, ends_at: 1795515600000, zone: 'Europe/Madrid', with: 'Mike', manage: '/b/T' },
        );
        server.end(server.newest, 'booked');
        await chat.getByRole('button', { name: 'Start again' }).waitFor();
        await fine();
        await chat.getByRole('button', { name: 'Close chat' }).click();
        server.say(server.newest, 'One more thing');
        await chat.locator('.teaser').waitFor();
        await fine();
      });
    }
  }
});

describe('the strictest page', () => {
  const policy =
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types embudo";

  test('lets everything work and reports nothing', async (t) => {
    const { page, open, choose, chat } = await stage(t, {
      headers: { 'content-security-policy': policy },
      body: '<h1>Faro</h1><div data-embudo-form="white-paper"></div>',
      before: (page) =>
        page.addInitScript(() => {
          window.broken = [];
          addEventListener('securitypolicyviolation', (event) => window.broken.push(`${event.violatedDirective} ${event.blockedURI}`));
        }),
    });
    await page.locator('[data-embudo-form]').getByLabel('Work e-mail').fill('nikki@acme.example');
    await page.getByRole('button', { name: 'Send me the paper' }).click();
    await page.getByRole('heading', { name: 'It is yours' }).waitFor();
    await open();
    await choose('Watch now');
    await until('a picture', () => chat.locator('video').evaluate((it) => it.readyState > 0));
    await chat.getByRole('button', { name: 'Larger picture' }).click();
    await page.setViewportSize({ width: 390, height: 700 });
    await page.waitForTimeout(100);
    assert.deepEqual(await page.evaluate(() => window.broken), []);
  });

  test('a text from the server is text, whatever it looks like', async (t) => {
    const { server, page, open, log } = await stage(t);
    await open();
    server.say(server.newest, '<img src=x onerror="window.bad=1"> javascript:alert(1) http://plain.example https://ok.example/a?b=1.');
    await log.getByText('<img src=x').waitFor();
    const links = await log.locator('a').evaluateAll((all) => all.map((it) => it.href));
    assert.deepEqual(links, ['https://ok.example/a?b=1']);
    assert.equal(await page.evaluate(() => window.bad), undefined);
  });
});

// Every kind of question, and everything that a flow can show.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until, violations } from './support/browser.mjs';
import { focused, stage, texts } from './support/stage.mjs';

const LUMI = { kind: 'bot', name: 'Lumi' };
const PIXEL = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';

/** Opens the chat at one question, which the test asks itself. */
async function asked(t, input, { text = 'A question?', progress = null, ...how } = {}) {
  const it = await stage(t, { start: 'none', isSilent: true, ...how });
  await it.open();
  it.server.ask(it.server.newest, 'q', text, input, progress);
  await it.log.getByText(text).waitFor();
  it.answer = () => until('the answer', () => it.server.newest.events.find(({ author }) => author.kind === 'visitor')?.body);
  it.sees = async () => assert.deepEqual(await violations(it.page), []);
  return it;
}

describe('a day', () => {
  const june = { kind: 'date', min: '2027-06-03', max: '2027-07-20' };

  test('is picked out of a month, within its bounds, and said in words', async (t) => {
    const { chat, log, answer, sees } = await asked(t, june);
    await chat.getByText('June 2027').waitFor();
    assert.ok(await chat.getByRole('button', { name: 'Month before' }).isDisabled());
    assert.ok(await chat.getByRole('button', { name: 'Wednesday 2 June' }).isDisabled());
    await chat.getByRole('button', { name: 'Month after' }).click();
    await chat.getByText('July 2027').waitFor();
    assert.ok(await chat.getByRole('button', { name: 'Month after' }).isDisabled());
    await chat.getByRole('button', { name: 'Tuesday 20 July' }).click();
    await sees();
    await chat.getByRole('button', { name: 'Choose Tue 20 Jul' }).click();
    assert.equal((await answer()).text, '2027-07-20');
    await log.getByText('Tuesday, 20 July 2027').waitFor();
  });

  test('or a first and a last one: a second day ends the range, an earlier one begins another', async (t) => {
    const { chat, log, answer, sees } = await asked(t, { ...june, range: true });
    const pick = (name) => chat.getByRole('button', { name, exact: true }).click();
    const pressed = () => chat.locator('[aria-pressed=true]').allInnerTexts();
    await pick('Thursday 10 June');
    assert.equal(await chat.getByRole('button', { name: /^Choose/ }).count(), 0, 'one day is no range yet');
    await pick('Tuesday 8 June');
    await pick('Friday 11 June');
    assert.deepEqual(await pressed(), ['8', '9', '10', '11']);
    await sees();
    await pick('Choose Tue 8 Jun – Fri 11 Jun');
    assert.equal((await answer()).text, '2027-06-08/2027-06-11');
    await log.getByText('Tuesday, 8 June 2027 – Friday, 11 June 2027').waitFor();
  });

  test('by keyboard: arrows, Home, End, Page keys, never out of bounds', async (t) => {
    const { page, chat, answer } = await asked(t, june);
    const at = async (key) => {
      await page.keyboard.press(key);
      return chat.evaluate((it) => it.shadowRoot.activeElement.getAttribute('aria-label'));
    };
    await chat.getByRole('button', { name: 'Thursday 3 June' }).focus();
    assert.equal(await at('ArrowLeft'), 'Thursday 3 June', 'the first is the first');
    assert.equal(await at('ArrowRight'), 'Friday 4 June');
    assert.equal(await at('ArrowDown'), 'Friday 11 June');
    assert.equal(await at('Home'), 'Monday 7 June');
    assert.equal(await at('End'), 'Sunday 13 June');
    assert.equal(await at('PageDown'), 'Tuesday 13 July');
    assert.equal(await at('PageDown'), 'Tuesday 20 July', 'the last is the last');
    assert.equal(await at('PageUp'), 'Sunday 20 June');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'Choose Sun 20 Jun');
    await page.keyboard.press('Enter');
    assert.equal((await answer()).text, '2027-06-20');
  });

  test('a month later is the last day where a month is shorter', async (t) => {
    const { page, chat } = await asked(t, { kind: 'date', min: '2027-01-31', max: '2027-12-31' });
    await chat.getByRole('button', { name: 'Sunday 31 January' }).focus();
    await page.keyboard.press('PageDown');
    assert.match(await focused(page), /^28$/);
    await chat.getByText('February 2027').waitFor();
  });

  test('that is half picked stays so when something else is said, and the focus, too', async (t) => {
    const { server, page, chat, log } = await asked(t, june);
    await chat.getByRole('button', { name: 'Friday 4 June' }).click();
    server.say(server.newest, 'By the way, we are closed on Sundays.');
    await log.getByText('closed on Sundays').waitFor();
    await chat.getByRole('button', { name: 'Choose Fri 4 Jun' }).waitFor();
    assert.equal(await focused(page), '4');
  });

  test('may be typed instead', async (t) => {
    const { say, chat, answer } = await asked(t, june);
    assert.match(await chat.locator('.field').getAttribute('placeholder'), /24\/12\/2026/);
    await say('24/6/2027');
    assert.deepEqual(await answer(), { type: 'answer', question: 'q', text: '24/6/2027' });
  });

  test('in Spanish, the week begins on Monday', async (t) => {
    const { chat } = await asked(t, june, { lang: 'es' });
    await chat.getByText('Junio de 2027').waitFor();
    assert.equal(await chat.locator('th').first().getAttribute('abbr'), 'lunes');
    await chat.getByRole('button', { name: 'jueves 3 de junio' }).waitFor();
  });
});

describe('a time of day', () => {
  test('is picked by the half hour', async (t) => {
    const { chat, answer, sees } = await asked(t, { kind: 'time', min: '09:00', max: '17:30' });
    assert.equal(await chat.locator('.times .pick').count(), 18);
    await chat.getByText('14:30', { exact: true }).click();
    await sees();
    await chat.getByRole('button', { name: 'Choose 14:30' }).click();
    assert.equal((await answer()).text, '14:30');
  });

  test('of a whole day, by the hour', async (t) => {
    const { chat } = await asked(t, { kind: 'time' });
    assert.equal(await chat.locator('.times .pick').count(), 24);
  });
});

describe('a mark', () => {
  test('up to five are stars that say what they are', async (t) => {
    const { chat, log, answer, sees } = await asked(t, { kind: 'rating', max: 5, low: 'Not at all', high: 'Very much' });
    await chat.getByRole('button', { name: '1 of 5, Not at all' }).waitFor();
    await sees();
    await chat.getByRole('button', { name: '5 of 5, Very much' }).hover();
    await chat.getByRole('button', { name: '4 of 5' }).click();
    assert.equal((await answer()).text, '4');
    await log.getByText('4 of 5').waitFor();
  });

  test('more are numbers; the log says it the same way after a reload', async (t) => {
    const { page, chat, log, answer, sees } = await asked(t, { kind: 'rating', max: 10 });
    await sees();
    await chat.getByRole('button', { name: '9 of 10' }).click();
    await answer();
    await page.reload();
    await log.getByText('9 of 10').waitFor();
  });
});

describe('pictures to choose from', () => {
  const choices = [
    { id: 'a', label: 'Shelf', image: 'https://127.0.0.1:1/none.png', alt: 'A shelf by the window' },
    { id: 'b', label: 'Club', image: '/club.gif', alt: 'People around a table' },
    { id: 'c', label: 'Neither', image: 'javascript:alert(1)' },
  ];

  test('are buttons with a word; a picture that cannot be had leaves its words', async (t) => {
    const { chat, answer, sees } = await asked(t, { kind: 'choice', choices });
    await chat.getByText('A shelf by the window').waitFor();
    assert.equal(await chat.locator('.picture').count(), 3);
    assert.deepEqual(await chat.locator('.picture img').evaluateAll((all) => all.map(({ src }) => src).filter((src) => !/^https?:/.test(src))), []);
    await sees();
    await chat.getByRole('button', { name: /Club/ }).click();
    assert.equal((await answer()).choice, 'b');
  });
});

describe('what is typed', () => {
  test('a code has the keyboard of digits and the help of the phone, and is not shown again', async (t) => {
    const { chat, log, say, answer } = await asked(t, { kind: 'code', digits: 6 });
    const field = chat.locator('.field');
    assert.equal(await field.getAttribute('inputmode'), 'numeric');
    assert.equal(await field.getAttribute('autocomplete'), 'one-time-code');
    await say('123456');
    assert.equal((await answer()).text, '123456');
    assert.deepEqual((await texts(log)).at(-1), '••••••');
  });

  test('another code can be asked for beside the line', async (t) => {
    const { chat, choose, answer, sees } = await asked(t, { kind: 'code', digits: 6, choices: [{ id: 'again', label: 'Send me another code' }] });
    assert.equal(await chat.locator('.field').getAttribute('autocomplete'), 'one-time-code');
    await sees();
    await choose('Send me another code');
    assert.deepEqual(await answer(), { type: 'choice', question: 'q', choice: 'again', label: 'again' }, 'as the server of these tests writes it');
  });

  test('the page tells of its own events while no question is open', async (t) => {
    const { page, server, log, choose, answer } = await asked(t, { kind: 'choice', choices: [{ id: 'a', label: 'Try it' }] });
    await page.evaluate(() => embudo('event', 'too_early'));
    await choose('Try it');
    await answer();
    server.say(server.newest, 'Go on.');
    await log.getByText('Go on.').waitFor();
    await page.evaluate(() => embudo('event', 'calculated'));
    await until('the event', () => server.told.length);
    assert.deepEqual(server.told, ['calculated']);
  });

  test('a web address', async (t) => {
    const { chat, say, answer } = await asked(t, { kind: 'url' });
    assert.equal(await chat.locator('.field').getAttribute('type'), 'url');
    await say('www.acme.example');
    assert.equal((await answer()).text, 'www.acme.example');
  });

  for (const [bounds, placeholder] of [
    [{ min: 1, max: 500 }, '1 – 500'],
    [{ min: 10 }, '10 or more'],
    [{ max: 10 }, '10 or less'],
    [{}, 'Your answer'],
  ]) {
    test(`a number says its bounds: ${placeholder}`, async (t) => {
      const { chat } = await asked(t, { kind: 'number', ...bounds });
      await until('the hint', async () => (await chat.locator('.field').getAttribute('placeholder')) === placeholder);
    });
  }
});

describe('what a flow shows', () => {
  test('an image, a file and a card, with words for those who do not see them', async (t) => {
    const { page, server, open, chat, log } = await stage(t, { start: 'none' });
    await page.route('**/*.gif', (route) => route.fulfill({ contentType: 'image/gif', body: Buffer.from(PIXEL.split(',')[1], 'base64') }));
    await open();
    const show = (body) => server.append(server.newest, LUMI, body);
    show({ type: 'image', src: '/shelf.gif', alt: 'A shelf by the window', caption: 'Our shelf' });
    await log.getByAltText('A shelf by the window').waitFor();
    await log.getByText('Our shelf').waitFor();
    show({ type: 'file', title: 'Price list', href: 'https://faro.example/prices.pdf', kind: 'pdf' });
    const file = log.getByRole('link', { name: 'Price list PDF (opens in a new tab)' });
    assert.equal(await file.getAttribute('href'), 'https://faro.example/prices.pdf');
    assert.equal(await file.getAttribute('rel'), 'noopener noreferrer');
    show({
      type: 'card',
      title: 'The reading club',
      text: 'Once a month, in your canteen.',
      image: { src: 'https://127.0.0.1:1/club.png', alt: 'People around a table' },
      link: { href: '/club', label: 'See how it works' },
    });
    const link = log.getByRole('link', { name: /See how it works/ });
    assert.equal(await link.getAttribute('href'), `${server.origin}/club`);
    await log.getByText('People around a table').waitFor();
    assert.deepEqual(await violations(page), []);
    assert.ok(chat);
  });

  test('addresses that are none of the web lead nowhere', async (t) => {
    const { server, open, log } = await stage(t, { start: 'none' });
    await open();
    for (const bad of ['javascript:alert(1)', 'data:text/html,x', '//evil.example/x', 'http://plain.example']) {
      server.append(server.newest, LUMI, { type: 'file', title: `File ${bad}`, href: bad });
      server.append(server.newest, LUMI, { type: 'image', src: bad, alt: `Image ${bad}` });
      server.append(server.newest, LUMI, { type: 'card', title: `Card ${bad}`, link: { href: bad, label: 'Go' } });
    }
    await log.getByText('Card http://plain.example').waitFor();
    assert.equal(await log.locator('a').count(), 0);
    assert.equal(await log.locator('img').count(), 0);
  });

  test('the bot types as long as the flow says', async (t) => {
    const { server, open, chat, log } = await stage(t, { start: 'none', context: { reducedMotion: 'no-preference' } });
    await open();
    await until('a stream', () => server.streams.size);
    const began = Date.now();
    server.append(server.newest, LUMI, { type: 'text', text: 'Let me think.', typing_ms: 2000 });
    await chat.locator('.dots').waitFor();
    await log.getByText('Let me think.').waitFor();
    assert.ok(Date.now() - began > 1900, `${Date.now() - began}`);
    const then = Date.now();
    server.append(server.newest, LUMI, { type: 'text', text: 'At once.', typing_ms: 0 });
    await log.getByText('At once.').waitFor();
    assert.ok(Date.now() - then < 1000, `${Date.now() - then}`);
  });

  test('what this version does not know is passed over, and the talk goes on', async (t) => {
    const { server, open, log } = await stage(t, { start: 'none' });
    await open();
    server.append(server.newest, LUMI, { type: 'hologram', of: 'a book' });
    server.say(server.newest, 'Still here');
    await log.getByText('Still here').waitFor();
  });
});

// What follows what was said: that it was read, how it was, and the whole of it by e-mail.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until, violations } from './support/browser.mjs';
import { focused, stage } from './support/stage.mjs';

/** A conversation with Mike that he has closed. */
async function closed(t, how) {
  const it = await stage(t, { start: 'none', isSilent: true, ...how });
  await it.open();
  it.server.mikeJoins();
  await it.say('Thank you');
  await until('her words', () => it.server.newest.events.some(({ author }) => author.kind === 'visitor'));
  it.server.append(it.server.newest, { kind: 'system' }, { type: 'end', outcome: 'handed_over' });
  it.server.append(it.server.newest, { kind: 'system' }, { type: 'satisfaction', text: 'How was this conversation for you?' });
  await it.panel.getByText('How was this conversation for you?').waitFor();
  return it;
}

describe('how it was', () => {
  test('is asked in stars, with a word for whoever has one, and answered once', async (t) => {
    const { page, panel, log, server } = await closed(t);
    assert.deepEqual(await violations(page), []);
    assert.equal(await panel.getByRole('button', { name: 'Send', exact: true }).count(), 0, 'first the stars');
    await panel.getByRole('button', { name: '4 of 5' }).click();
    assert.equal(await panel.locator('.star.on').count(), 4);
    await panel.getByLabel('Anything to add? (optional)').fill(' Quick. ');
    assert.deepEqual(await violations(page), []);
    await panel.getByRole('button', { name: 'Send', exact: true }).click();
    await log.getByText('4 of 5: Quick.').waitFor();
    assert.equal(await panel.locator('form.rating').count(), 0);
    assert.deepEqual(server.newest.events.at(-1).body, { type: 'rated', score: 4, comment: 'Quick.' });
    await page.reload();
    // The panel is open again, as it was left.
    await log.getByText('4 of 5: Quick.').waitFor();
    assert.equal(await panel.locator('form.rating').count(), 0, 'nor is it asked again');
  });

  test('by keyboard alone, and a server that is away keeps what was typed', async (t) => {
    const { page, panel, server, log } = await closed(t);
    await panel.getByRole('button', { name: '5 of 5' }).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'Anything to add? (optional)');
    await page.keyboard.type('Well done');
    server.fail('/rating', 503);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await panel.getByText('This could not be sent.').waitFor();
    assert.equal(await panel.getByLabel('Anything to add? (optional)').inputValue(), 'Well done');
    await page.keyboard.press('Enter');
    await log.getByText('5 of 5: Well done').waitFor();
  });
});

describe('what was read', () => {
  test('is said under her last words while a person has the talk, and nowhere else', async (t) => {
    const { log, server, open, say } = await stage(t, { start: 'none', isSilent: true });
    await open();
    server.mikeJoins();
    await say('Are you there?');
    await until('her words', () => server.newest.events.some(({ author }) => author.kind === 'visitor'));
    server.beat(server.newest, server.newest.events.length - 1);
    await new Promise((done) => setTimeout(done, 100));
    assert.equal(await log.getByText('Read', { exact: true }).count(), 0, 'not yet');
    server.beat(server.newest, server.newest.events.length);
    await log.getByText('Read', { exact: true }).waitFor();
    await say('Good');
    await until('it is gone', async () => (await log.getByText('Read', { exact: true }).count()) === 0);
  });
});

describe('the talk by e-mail', () => {
  for (const known of [true, false]) {
    test(known ? 'is offered to whom the address certainly belongs' : 'is not offered to anybody else', async (t) => {
      const { panel, log, server, open, say } = await stage(t, { start: 'none', isSilent: true, known });
      await open();
      await say('Hello');
      await until('her words', () => server.newest.events.some(({ author }) => author.kind === 'visitor'));
      await panel.getByRole('button', { name: 'More' }).click();
      const item = panel.getByRole('button', { name: 'Send me this chat by e-mail' });
      if (!known) return assert.equal(await item.count(), 0);
      await item.click();
      await log.getByText('The conversation is on its way to your inbox.').waitFor();
      assert.equal(server.transcripts, 1);
    });
  }
});

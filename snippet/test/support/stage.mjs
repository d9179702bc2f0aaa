// What every test of the chat begins with.

import assert from 'node:assert/strict';
import { errors, html, withBrowser } from './browser.mjs';
import { serve } from './server.mjs';

const held = withBrowser();

/** A page with the chat in it, and a server that plays the story. At the end nothing of ours may have gone wrong in the page. */
export async function stage(t, { attributes = 'data-consent="full"', lang = 'en', dir, body, headers, head, context: how = {}, before, ...story } = {}) {
  const server = await serve(story);
  for (const path of ['/', '/two']) server.page(path, html({ attributes, lang, dir, body, head }), headers);
  const context = await held.browser.newContext({
    viewport: { width: 1280, height: 800 },
    timezoneId: 'Europe/Madrid',
    locale: lang === 'es' ? 'es-ES' : 'en-GB',
    reducedMotion: 'reduce',
    ...how,
  });
  context.setDefaultTimeout(12_000);
  const page = await context.newPage();
  const wrong = errors(page);
  await before?.(page);
  t.after(async () => {
    await context.close();
    await server.close();
    assert.deepEqual(wrong, []);
  });
  await page.goto(server.origin);
  const chat = page.locator('embudo-chat');
  return {
    server,
    page,
    context,
    chat,
    panel: chat.locator('.panel'),
    launcher: chat.locator('.launcher, :scope > button').first(),
    log: chat.getByRole('log'),
    field: chat.locator('.field'),
    async open() {
      await chat.locator('button').first().click();
      await chat.locator('.bubble').first().waitFor();
    },
    choose: (name) => chat.getByRole('button', { name, exact: true }).click(),
    async say(text) {
      await chat.locator('.field').fill(text);
      await chat.locator('.field').press('Enter');
    },
  };
}

export const texts = (log) => log.locator('.bubble').allInnerTexts();
/** Where the focus stands in the chat, in words; else the element of the page. */
export const focused = (page) =>
  page.evaluate(() => {
    const root = document.activeElement?.shadowRoot;
    const element = root?.activeElement;
    return element ? element.textContent || element.getAttribute('aria-label') || element.className : document.activeElement?.tagName;
  });

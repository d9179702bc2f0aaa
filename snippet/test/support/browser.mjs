// One Chromium for a test file, and the few gestures that all tests share.

import { chromium } from 'playwright-core';
import { after, before } from 'node:test';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--autoplay-policy=no-user-gesture-required'];

export const launch = () => chromium.launch({ executablePath, args });

export function withBrowser() {
  const held = {};
  before(async () => {
    held.browser = await launch();
  });
  after(() => held.browser.close());
  return held;
}

/** A page with the tracker in it. */
export const html = ({ attributes = '', head = '', body = '<h1>Librería Faro</h1>', lang = 'en', dir = 'ltr', api = '' } = {}) =>
  `<!doctype html><html lang="${lang}" dir="${dir}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Faro</title>${head}
<script defer src="${api}/e.js" data-site="faro" ${attributes}></script></head><body><main>${body}</main></body></html>`;

/** Waits until `probe` gives something true; says what it waited for. */
export async function until(what, probe, ms = 8000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) assert.fail(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 25));
  }
}

export const storage = (page) => page.evaluate(() => ({ ...localStorage, ...sessionStorage }));

const axe = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function violations(page) {
  await page.evaluate(await axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary).join(' | ')}`);
}

/** Errors that our files caused in the page: there must never be one. */
export function errors(page) {
  const seen = [];
  page.on('pageerror', (error) => seen.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|TrustedScript|Refused/i.test(message.text())) seen.push(message.text());
  });
  return seen;
}

// Chromium, driven by Playwright.

import { chromium } from 'playwright-core';
import { hidden, shown } from './seen.mjs';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';

export async function launch() {
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    // Playwright turns it off, for tests that are not about it.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
  const context = await browser.newContext({ viewport: { width: 1024, height: 700 } });
  return { version: browser.version(), tab: async () => new Tab(await context.newPage()), close: () => browser.close() };
}

class Tab {
  constructor(page) {
    this.page = page;
  }
  goto(url) {
    return this.page.goto(url);
  }
  async run(script, ...given) {
    return JSON.parse((await this.page.evaluate(`JSON.stringify((${script})(...${JSON.stringify(given)})) ?? 'null'`)) ?? 'null');
  }
  click(selector, button = 0) {
    return this.page.click(selector, { button: ['left', 'middle', 'right'][button] });
  }
  back() {
    return this.page.goBack({ waitUntil: 'commit' });
  }
  hide() {
    return this.page.evaluate(hidden);
  }
  show() {
    return this.page.evaluate(shown);
  }
  close() {
    return this.page.close();
  }
}

// Chromium, driven by Playwright.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Opens a page that nobody drives: what a driven browser turns off happens there. */
export async function alone(url) {
  const profile = await mkdtemp(join(tmpdir(), 'embudo-chromium-'));
  const browser = spawn(
    executablePath,
    ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`, url],
    { stdio: 'ignore', detached: true },
  );
  const ended = new Promise((done) => browser.once('exit', done));
  return {
    async close() {
      process.kill(-browser.pid);
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
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
  press(key) {
    return this.page.keyboard.press(key);
  }
  type(text) {
    return this.page.keyboard.type(text);
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

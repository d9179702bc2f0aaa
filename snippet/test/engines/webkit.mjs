// WebKitGTK's MiniBrowser, driven over WebDriver, on a screen that nobody sees.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pressed, typed } from './keys.mjs';
import { hidden, shown } from './seen.mjs';
import { rest } from './site.mjs';

const program = process.env.WEBKIT_DRIVER || 'WebKitWebDriver';
const browser =
  process.env.WEBKIT_BROWSER ||
  ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/webkit2gtk-4.1/MiniBrowser`).find(existsSync);
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

const press = (selector, button) =>
  document.querySelector(selector).dispatchEvent(new MouseEvent('auxclick', { bubbles: true, cancelable: true, button }));

const repaint = () => {
  let left = 40;
  const { style } = document.documentElement;
  const beat = setInterval(() => {
    style.outline = left-- % 2 ? '1px solid rgb(0 0 0 / 0.01)' : '';
    if (left < 0) clearInterval(beat);
  }, 50);
};

const freePort = () =>
  new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });

/** `languages` as the browser tells them, `zone` where it stands, `size` of its windows; if `isCalm`, nothing moves. */
export async function launch({ languages = 'en-US', zone = process.env.TZ || 'UTC', size, isCalm = false } = {}) {
  const home = await mkdtemp(join(tmpdir(), 'embudo-webkit-'));
  if (isCalm) {
    await mkdir(join(home, 'gtk-3.0'));
    await writeFile(join(home, 'gtk-3.0/settings.ini'), '[Settings]\ngtk-enable-animations=0\n');
  }
  const port = await freePort();
  const driver = spawn('xvfb-run', ['-a', program, `--port=${port}`], {
    // A group of its own, so that all of it can be stopped.
    detached: true,
    stdio: 'ignore',
    env: {
      ...process.env,
      LANG: `${languages.split(',')[0].replace('-', '_')}.UTF-8`,
      TZ: zone,
      HOME: home,
      XDG_CACHE_HOME: home,
      XDG_CONFIG_HOME: home,
      XDG_DATA_HOME: home,
      // Neither a graphics card nor nested name spaces are to be expected where tests run.
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      LIBGL_ALWAYS_SOFTWARE: '1',
    },
  });
  const ended = new Promise((done, failed) => driver.once('exit', done).once('error', failed));
  ended.catch(() => {});
  const call = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  };
  for (let left = 100; ; left--) {
    try {
      await call('GET', '/status');
      break;
    } catch (problem) {
      if (!left || driver.exitCode != null) throw new Error(`${program} did not start`, { cause: problem });
      await rest(100);
    }
  }
  const session = await call('POST', '/session', {
    capabilities: { alwaysMatch: { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': { binary: browser, args: ['--automation'] } } },
  });
  const within = (method, path, body) => call(method, `/session/${session.sessionId}${path}`, body);
  const aside = await within('GET', '/window');
  return {
    version: session.capabilities.browserVersion,
    async tab() {
      const { handle } = await within('POST', '/window/new', { type: 'window' });
      await within('POST', '/window', { handle });
      if (size) await within('POST', '/window/rect', { width: size[0], height: size[1] });
      return new Tab(within, aside);
    },
    async close() {
      await within('DELETE', '').catch(() => {});
      try {
        process.kill(-driver.pid, 'SIGTERM');
      } catch {
        // It has ended by itself.
      }
      await Promise.race([ended, rest(3000)]);
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

class Tab {
  constructor(within, aside) {
    this.within = within;
    this.aside = aside;
  }
  goto(url) {
    return this.within('POST', '/url', { url });
  }
  async run(script, ...given) {
    const text = await this.within('POST', '/execute/sync', {
      script: `return JSON.stringify((${script})(...arguments)) ?? 'null'`,
      args: given,
    });
    return JSON.parse(text);
  }
  async click(selector, button = 0) {
    // The driver makes a click of the left button of every other one's: those are made by hand.
    if (button) return this.run(press, selector, button);
    const element = await this.within('POST', '/element', { using: 'css selector', value: selector });
    await this.within('POST', `/element/${element[ELEMENT]}/click`, {});
  }
  /** Clicks on what `script` finds, in whose tree it may be. */
  async clickFound(script, ...given) {
    const element = await this.within('POST', '/execute/sync', {
      script: `const it = (${script})(...arguments); it.scrollIntoView({ block: 'nearest' }); return it`,
      args: given,
    });
    // Of a field in a shadow tree the driver believes that something lies over it; a pointer does not ask.
    await this.within('POST', '/actions', {
      actions: [
        {
          type: 'pointer',
          id: 'mouse',
          actions: [
            { type: 'pointerMove', x: 0, y: 0, origin: element },
            { type: 'pointerDown', button: 0 },
            { type: 'pointerUp', button: 0 },
          ],
        },
      ],
    });
  }
  async picture() {
    // The driver waits until the page is painted again, and a page at rest has no reason to be.
    await this.run(repaint);
    return Buffer.from(await this.within('GET', '/screenshot'), 'base64');
  }
  press(key) {
    return this.within('POST', '/actions', { actions: pressed(key) });
  }
  type(text) {
    return this.within('POST', '/actions', { actions: typed(text) });
  }
  back() {
    return this.within('POST', '/back', {});
  }
  hide() {
    return this.run(hidden);
  }
  show() {
    return this.run(shown);
  }
  async close() {
    await this.within('DELETE', '/window');
    await this.within('POST', '/window', { handle: this.aside });
  }
}

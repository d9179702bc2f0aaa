// Firefox, driven over WebDriver BiDi: one socket, JSON both ways.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { pressed, typed } from './keys.mjs';

const program = process.env.FIREFOX || 'firefox-esr';

/** `languages` as the browser tells them, `zone` where it stands, `size` of its window; if `isCalm`, nothing moves. */
export async function launch({ languages = 'en-US, en', zone = process.env.TZ || 'UTC', size = [1024, 768], isCalm = false } = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'embudo-firefox-'));
  await writeFile(
    join(profile, 'user.js'),
    `user_pref("intl.accept_languages", "${languages}");\nuser_pref("ui.prefersReducedMotion", ${+isCalm});\n` +
      ['app.update.enabled', 'browser.safebrowsing.malware.enabled', 'datareporting.policy.dataSubmissionEnabled', 'network.captive-portal-service.enabled']
        .map((name) => `user_pref("${name}", false);\n`)
        .join(''),
  );
  const browser = spawn(program, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port=0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TZ: zone, HOME: profile, MOZ_HEADLESS_WIDTH: `${size[0]}`, MOZ_HEADLESS_HEIGHT: `${size[1]}` },
  });
  const ended = new Promise((done) => browser.once('exit', done));
  const address = await new Promise((done, failed) => {
    let said = '';
    browser.once('error', failed);
    browser.once('exit', () => failed(new Error(`${program} did not start: ${said}`)));
    browser.stderr.on('data', (part) => {
      said += part;
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(said);
      if (found) done(found[1]);
    });
  });
  const socket = new WebSocket(`${address}/session`);
  await new Promise((done, failed) => socket.once('open', done).once('error', failed));
  const asked = new Map();
  socket.on('message', (text) => {
    const message = JSON.parse(text);
    asked.get(message.id)?.(message);
    asked.delete(message.id);
  });
  let last = 0;
  const call = (method, params = {}) =>
    new Promise((done, failed) => {
      const id = ++last;
      asked.set(id, ({ type, result, error, message }) => (type === 'error' ? failed(new Error(`${method}: ${error}: ${message}`)) : done(result)));
      socket.send(JSON.stringify({ id, method, params }));
    });
  const { capabilities } = await call('session.new', { capabilities: {} });
  // Where a tab goes to the background: another one in the same window.
  const { context: aside } = await call('browsingContext.create', { type: 'tab' });
  return {
    version: capabilities.browserVersion,
    async tab() {
      const { context } = await call('browsingContext.create', { type: 'tab' });
      return new Tab(call, context, aside);
    },
    /** The window of somebody else: her own cookies and store, always in view, of this size. */
    async window([width, height]) {
      const { userContext } = await call('browser.createUserContext');
      const { context } = await call('browsingContext.create', { type: 'window', userContext });
      await call('browsingContext.setViewport', { context, viewport: { width, height } });
      return new Tab(call, context, aside);
    },
    async close() {
      await call('browser.close').catch(() => {});
      socket.terminate();
      browser.kill();
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

class Tab {
  constructor(call, context, aside) {
    this.call = call;
    this.context = context;
    this.aside = aside;
  }
  async goto(url) {
    for (let left = 3; ; left--) {
      try {
        return await this.call('browsingContext.navigate', { context: this.context, url, wait: 'complete' });
      } catch (mistake) {
        // The page was on its way elsewhere by itself, after an order for example, and that ended this way.
        if (!left || !mistake.message.includes('NS_BINDING_ABORTED')) throw mistake;
      }
    }
  }
  async evaluate(expression) {
    const { type, result, exceptionDetails } = await this.call('script.evaluate', {
      expression,
      target: { context: this.context },
      awaitPromise: true,
    });
    if (type === 'exception') throw new Error(exceptionDetails.text);
    return result;
  }
  async run(script, ...given) {
    return JSON.parse((await this.evaluate(`JSON.stringify((${script})(...${JSON.stringify(given)})) ?? 'null'`)).value);
  }
  click(selector, button = 0) {
    return this.point(`document.querySelector(${JSON.stringify(selector)})`, button);
  }
  /** Clicks on what `script` finds, in whose tree it may be. */
  async clickFound(script, ...given) {
    const found = `(${script})(...${JSON.stringify(given)})`;
    // The driver does not scroll to what it points at.
    await this.evaluate(`${found}.scrollIntoView({ block: 'nearest' })`);
    await this.point(found);
  }
  async point(expression, button = 0) {
    const { sharedId } = await this.evaluate(expression);
    await this.call('input.performActions', {
      context: this.context,
      actions: [
        {
          type: 'pointer',
          id: 'mouse',
          actions: [
            { type: 'pointerMove', x: 0, y: 0, origin: { type: 'element', element: { sharedId } } },
            { type: 'pointerDown', button },
            { type: 'pointerUp', button },
          ],
        },
      ],
    });
  }
  press(key) {
    return this.call('input.performActions', { context: this.context, actions: pressed(key) });
  }
  type(text) {
    return this.call('input.performActions', { context: this.context, actions: typed(text) });
  }
  async picture() {
    const { data } = await this.call('browsingContext.captureScreenshot', { context: this.context });
    return Buffer.from(data, 'base64');
  }
  back() {
    return this.call('browsingContext.traverseHistory', { context: this.context, delta: -1 });
  }
  hide() {
    return this.call('browsingContext.activate', { context: this.aside });
  }
  show() {
    return this.call('browsingContext.activate', { context: this.context });
  }
  close() {
    return this.call('browsingContext.close', { context: this.context });
  }
}

// What the snippet costs a page: `npm run bench -- [--loads N] [--slowdown N]`, in a real Chromium (CHROMIUM=/usr/bin/chromium)
// whose processor is slowed down by four, as a phone's is, against the server that the tests play. The same page is loaded by
// turns without the snippet, with it, and with the chat opened in it. Prints medians and the machine, and writes
// `target/bench/page.json`. What else the machine does makes tasks longer, never shorter: read the least, too.

import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { html, launch, until } from '../test/support/browser.mjs';
import { serve } from '../test/support/server.mjs';

const number = (name, or) => (process.argv.includes(name) && Number(process.argv[process.argv.indexOf(name) + 1])) || or;
const loads = number('--loads', 11);
const slowdown = number('--slowdown', 4);
/** After the page view nothing more is expected; what came late is seen in it. */
const QUIET_MS = 400;
/** A new window of Chromium builds its own surfaces first (`chrome://omnibox-popup.top-chrome` takes 400 ms of processor on two
 * cores): a visitor's browser did that long ago. */
const WINDOW_MS = 1_500;
const PHONE = { viewport: { width: 390, height: 800 }, hasTouch: true, reducedMotion: 'reduce' };

const body = '<h1>Faro</h1>' + '<p>Some words to be moved.</p>'.repeat(40);
const plain = html({ body }).replace(/<script defer src="[^"]*e\.js"[^>]*><\/script>/, '');
const server = await serve({ start: 'offer' });
server.page('/plain', plain);
server.page('/snippet', html({ body, attributes: 'data-consent="full"' }));

/** Runs in the page before anything of it: long tasks (50 ms and more) and how far things were moved. */
const meter = () => {
  window.cost = { long: [], moved: 0 };
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => window.cost.long.push(duration))).observe({ type: 'longtask', buffered: true });
  new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (window.cost.moved += value))).observe({ type: 'layout-shift', buffered: true });
};

const browser = await launch();

/** One load in a browser that has never been here. What Playwright would bring into the page to look at it costs more than
 * what is measured: after the page is there, only the bare protocol is spoken. */
async function load(path, isOpened) {
  const context = await browser.newContext(PHONE);
  try {
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    const run = async (expression) => (await devtools.send('Runtime.evaluate', { expression, returnByValue: true })).result.value;
    await devtools.send('Performance.enable');
    await devtools.send('Page.enable');
    await devtools.send('Page.addScriptToEvaluateOnNewDocument', { source: `(${meter})()` });
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
    await rest(WINDOW_MS);
    const before = server.hits.length;
    const loaded = new Promise((done) => devtools.once('Page.loadEventFired', done));
    await devtools.send('Page.navigate', { url: `${server.origin}${path}` });
    await loaded;
    if (path === '/snippet') {
      await until('the page view', () => server.hits.length > before);
      await until('the launcher', () => run('!!document.querySelector("embudo-chat")'));
    }
    if (isOpened) {
      const [x, y] = await run('(({ left, top, width, height }) => [left + width / 2, top + height / 2])(document.querySelector("embudo-chat").shadowRoot.querySelector("button").getBoundingClientRect())');
      for (const type of ['mousePressed', 'mouseReleased']) await devtools.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
      await until('the first words', () => run('!!document.querySelector("embudo-chat").shadowRoot.querySelector(".bubble")'));
    }
    await rest(QUIET_MS);
    const { long, moved } = await run('window.cost');
    const { metrics } = await devtools.send('Performance.getMetrics');
    const spent = (name) => 1_000 * metrics.find((metric) => metric.name === name).value;
    return { long: long.length, longest: Math.max(0, ...long), moved, script: spent('ScriptDuration'), layout: spent('LayoutDuration') + spent('RecalcStyleDuration') };
  } finally {
    await context.close();
  }
}

const rest = (ms) => new Promise((done) => setTimeout(done, ms));

const cases = [
  { name: 'the page alone', path: '/plain', isOpened: false },
  { name: 'with the snippet', path: '/snippet', isOpened: false },
  { name: 'with the chat opened', path: '/snippet', isOpened: true },
];
const seen = cases.map(() => []);
// The first of each warms the browser.
for (let at = 0; at <= loads; at++) {
  for (const [index, { path, isOpened }] of cases.entries()) {
    const cost = await load(path, isOpened);
    if (at) seen[index].push(cost);
  }
}
const version = browser.version();
await browser.close();
await server.close();

const MEASURES = [
  { what: 'long tasks', of: 'long', unit: 'tasks of 50 ms and more', digits: 0, mark: 0 },
  { what: 'longest long task', of: 'longest', unit: 'ms', digits: 0, mark: 50 },
  { what: 'layout shift', of: 'moved', unit: 'CLS', digits: 3, mark: 0 },
  { what: 'script', of: 'script', unit: 'ms', digits: 1, mark: null },
  { what: 'layout and style', of: 'layout', unit: 'ms', digits: 1, mark: null },
];
const rows = cases.flatMap(({ name }, index) =>
  MEASURES.map(({ what, of, unit, digits, mark }) => {
    const values = seen[index].map((cost) => cost[of]).sort((a, b) => a - b);
    const rounded = (value) => Number(value.toFixed(digits));
    return { case: name, what, unit, median: rounded(values[Math.floor(values.length / 2)]), least: rounded(values[0]), most: rounded(values.at(-1)), mark };
  }),
);

const machine = `${cpus().length} cores of ${cpus()[0]?.model.trim() || 'an unknown machine'}`;
console.log(`${machine}, Chromium ${version}, ${slowdown} times slower, ${loads} loads of each`);
for (const row of rows) {
  const mark = row.mark === null || row.case === 'the page alone' ? '' : `  (the mark is ${row.mark})`;
  console.log(`${row.case.padEnd(22)} ${row.what.padEnd(18)} ${String(row.median).padStart(7)} [${row.least}–${row.most}] ${row.unit}${mark}`);
}
const folder = new URL('../../target/bench/', import.meta.url);
await mkdir(folder, { recursive: true });
await writeFile(new URL('page.json', folder), `${JSON.stringify({ bench: 'page', machine, browser: `Chromium ${version}`, slowdown, loads, rows }, null, 2)}\n`);
// Time depends on the machine; whether anything moves does not.
if (rows.some(({ what, most }) => what === 'layout shift' && most > 0)) {
  console.error('something of the page was moved');
  process.exitCode = 1;
}

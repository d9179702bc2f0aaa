// Takes a picture of every state of the widget and the forms, to be looked at by people: node test/screenshots.mjs [FOLDER [REGEXP]]

import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { html, launch, until } from './support/browser.mjs';
import { serve } from './support/server.mjs';

const folder = process.argv[2] || join(tmpdir(), 'embudo-screenshots');
const only = process.argv[3] ? new RegExp(process.argv[3]) : null;
await mkdir(folder, { recursive: true });

const filler = `<h1>Librería Faro</h1><p>Reading programmes for companies. A shelf in the canteen, a club once a month, and a
bookseller who knows your people. Forty companies read with us; the figures are in the white paper.</p>
<div data-embudo-form="demo"></div>`;
const ground = { light: '#fdfcf9', dark: '#101214' };
const ink = { light: '#222', dark: '#ddd' };
const page = (lang, theme, attributes = '', dir = 'ltr') =>
  html({
    lang,
    dir,
    attributes: `data-consent="full" ${attributes}`,
    head: `<style>body{margin:0;padding:48px 24px;background:${ground[theme]};color:${ink[theme]};font:16px/1.6 "Liberation Sans",sans-serif}main{max-width:640px;margin:auto}:root{--embudo-font:"Liberation Sans",sans-serif}</style>`,
    body: filler,
  });

const browser = await launch();
const sizes = { 390: { width: 390, height: 844 }, 1440: { width: 1440, height: 900 } };

async function shoot(name, width, theme, lang, act, options = {}) {
  const label = `${name}-${width}-${theme}-${lang}`;
  if (only && !only.test(label)) return;
  const server = await serve({ known: true, ...options });
  server.page('/', page(lang, theme, options.attributes, options.dir));
  const context = await browser.newContext({
    viewport: sizes[width],
    colorScheme: theme,
    reducedMotion: 'reduce',
    forcedColors: options.forced ? 'active' : 'none',
    locale: lang === 'es' ? 'es-ES' : 'en-GB',
    timezoneId: 'Europe/Madrid',
    hasTouch: width < 480,
    deviceScaleFactor: 1,
  });
  const tab = await context.newPage();
  tab.on('pageerror', (error) => console.error(label, error));
  await tab.goto(server.origin);
  const chat = tab.locator('embudo-chat');
  await act({ tab, chat, server, text: server.newest?.text });
  await tab.waitForTimeout(200);
  await tab.screenshot({ path: `${folder}/${label}.png` });
  await context.close();
  await server.close();
}

const open = async ({ tab, chat, server }) => {
  await chat.locator('button').first().click();
  await until('the first words', () => server.newest);
  await chat.locator('.bubble').first().waitFor();
};
const choose = ({ chat }, at) => chat.locator('.choice').nth(at).click();

const lumi = { kind: 'bot', name: 'Lumi' };
/** One question, asked by itself. */
const question = (input, en, es, then) => async (it) => {
  await open(it);
  it.server.ask(it.server.newest, 'q', it.server.newest.language === 'es' ? es : en, input, { step: 2, of: 3 });
  await it.chat.locator('.tray > *').waitFor();
  await then?.(it);
};
const svg = (a, b) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 240"><rect width="320" height="240" fill="${a}"/><circle cx="230" cy="90" r="90" fill="${b}"/><rect x="50" y="70" width="70" height="110" rx="5" fill="#f4e9d8"/></svg>`;
const pictured = ({ tab }) =>
  tab.route(/\/(shelf|club|van)\.svg$/, (route) =>
    route.fulfill({ contentType: 'image/svg+xml', body: /shelf/.test(route.request().url()) ? svg('#123f38', '#1a5c50') : /club/.test(route.request().url()) ? svg('#4b2e1e', '#7a4b2d') : svg('#1f3350', '#2e4d78') }),
  );
const shown = async (it) => {
  await pictured(it);
  await open(it);
  const es = it.server.newest.language === 'es';
  const show = (body) => it.server.append(it.server.newest, lumi, body);
  show({ type: 'file', title: es ? 'Lista de precios 2027' : 'Price list 2027', href: 'https://faro.example/prices.pdf', kind: 'pdf' });
  show({ type: 'card', title: es ? 'El club de lectura' : 'The reading club', text: es ? 'Una vez al mes, en vuestro comedor, con un librero que os conoce.' : 'Once a month, in your canteen, with a bookseller who knows you.', image: { src: '/club.svg', alt: 'People' }, link: { href: '/club', label: es ? 'Ver cómo funciona' : 'See how it works' } });
  await it.chat.locator('.says .button').waitFor();
};

const states = {
  closed: async () => {},
  teaser: async ({ tab, chat }) => {
    await chat.locator('.teaser').waitFor();
  },
  offer: open,
  menu: async (it) => {
    await open(it);
    await it.chat.locator('.head .tool').first().click();
  },
  video: async (it) => {
    await open(it);
    await choose(it, 0);
    await it.chat.locator('video').waitFor();
    await it.tab.waitForTimeout(300);
  },
  bant: async (it) => {
    await open(it);
    await choose(it, 0);
    await choose(it, 1);
    await it.chat.getByText(/3 (of|de) 4/).first().waitFor({ state: 'hidden' }).catch(() => {});
    await it.chat.locator('.choice').first().waitFor();
  },
  invalid: async (it) => {
    await open(it);
    await choose(it, 0);
    await choose(it, 1);
    await choose(it, 0);
    await it.chat.getByText(/3 (of|de) 4/).first().waitFor();
    await it.chat.locator('.field').fill('x');
    await it.chat.locator('.send').click();
    await it.chat.locator('.problem:not(:empty)').waitFor();
  },
  slots: async (it) => {
    await open(it);
    await it.chat.locator('.times .pick').nth(2).click();
  },
  fewslots: async (it) => {
    await open(it);
    await it.chat.locator('.times .pick').nth(1).click();
  },
  booked: async (it) => {
    await open(it);
    await it.chat.locator('.times .pick').nth(2).click();
    await it.chat.locator('.picker .button').first().click();
    await it.chat.locator('.ended').waitFor();
  },
  human: async (it) => {
    await open(it);
    it.server.status(it.server.newest, 'waiting');
    it.server.mikeJoins();
    await it.chat.locator('.face.human').first().waitFor();
    await it.chat.locator('.field').fill(it.server.newest.language === 'es' ? 'Hola Mike, sí, por la mañana me viene bien.' : 'Hello Mike, yes, mornings suit me well.');
    await it.chat.locator('.send').click();
    await until('her words', () => it.server.newest.events.some(({ author }) => author.kind === 'visitor'));
    it.server.types('agent', 'Mike');
    await it.chat.locator('.dots').waitFor();
  },
  waiting: async (it) => {
    await open(it);
    it.server.status(it.server.newest, 'waiting');
    await it.chat.locator('.status').waitFor();
  },
  offline: async (it) => {
    await open(it);
    await it.tab.context().setOffline(true);
    await it.chat.locator('.field').fill('Are you there?');
    await it.chat.locator('.send').click();
    await it.chat.locator('.note').waitFor();
  },
  failed: async (it) => {
    it.server.fail('/v1/chat', 500, 99);
    await it.chat.locator('button').first().click();
    await it.chat.locator('.failed').waitFor();
  },
  large: async (it) => {
    await states.video(it);
    await it.chat.locator('figcaption .tool').click();
  },
  day: question({ kind: 'date', min: '2026-11-23', max: '2027-03-31' }, 'On which day shall we begin?', '¿Qué día empezamos?', async ({ chat }) => {
    await chat.locator('td .pick:not([disabled])').nth(2).click();
  }),
  time: question({ kind: 'time', min: '09:00', max: '17:30' }, 'What time suits you for a call?', '¿A qué hora te llamamos?', async ({ chat }) => {
    await chat.locator('.times .pick').nth(7).click();
  }),
  stars: question({ kind: 'rating', max: 5, low: 'Not at all', high: 'Very much' }, 'How much did the webinar help you?', '¿Cuánto te ayudó el webinar?', async ({ chat }) => {
    await chat.locator('.star').nth(3).hover();
  }),
  scale: question({ kind: 'rating', max: 10, low: 'Never', high: 'At once' }, 'Would you recommend us to a colleague?', '¿Nos recomendarías a un colega?'),
  pictures: async (it) => {
    await pictured(it);
    await question(
      { kind: 'choice', choices: [{ id: 'a', label: 'A shelf in the canteen', image: '/shelf.svg', alt: '' }, { id: 'b', label: 'A reading club', image: '/club.svg', alt: '' }, { id: 'c', label: 'The book van', image: '/van.svg', alt: '' }, { id: 'd', label: 'I do not know yet', image: '/none.svg', alt: 'No picture' }] },
      'What fits your house best?',
      '¿Qué encaja mejor en tu casa?',
    )(it);
  },
  code: async (it) => {
    await open(it);
    it.server.ask(it.server.newest, 'q', 'Which digits did we send you?', { kind: 'code', digits: 6 });
    await it.chat.locator('.code').waitFor();
    await it.chat.locator('.field').fill('481 205');
  },
  shown,
  rtl: async (it) => {
    await open(it);
    it.server.say(it.server.newest, 'مرحبا بك في مكتبة فارو (Faro).');
    it.server.pick(it.server.newest);
    await it.chat.locator('.picker').waitFor();
  },
  forced: async (it) => {
    await open(it);
    it.server.pick(it.server.newest);
    await it.chat.locator('.times .pick').nth(1).click();
  },
  zoomed: async (it) => {
    await it.tab.setViewportSize({ width: 640, height: 400 });
    await open(it);
  },
  form: async ({ tab }) => {
    await tab.locator('[data-embudo-form] input[name=email]').waitFor();
  },
  formerror: async ({ tab }) => {
    await tab.locator('[data-embudo-form] input[name=email]').fill('nikki');
    await tab.locator('[data-embudo-form] .go').click();
    await tab.locator('[data-embudo-form] .error').first().waitFor();
  },
  formdone: async ({ tab }) => {
    await tab.locator('[data-embudo-form] input[name=email]').fill('nikki@acme.example');
    await tab.locator('[data-embudo-form] select').selectOption({ index: 1 });
    await tab.locator('[data-embudo-form] .go').click();
    await tab.locator('[data-embudo-form] .done').waitFor();
  },
};
const options = {
  teaser: { flow: { flow: 'webinar-recording', delay_ms: 0, open: false } },
  bant: { start: 'call' },
  invalid: { start: 'call' },
  slots: { start: 'slot' },
  booked: { start: 'slot' },
};
for (const name of ['day', 'time', 'stars', 'scale', 'pictures', 'code', 'shown']) options[name] = { start: 'none', isSilent: true };
options.rtl = { dir: 'rtl', start: 'none' };
options.forced = { forced: true, start: 'none' };
const { slots } = await import('./support/server.mjs');
options.fewslots = { start: 'slot', slots: slots(3, 1) };

for (const [name, act] of Object.entries(states)) {
  for (const [width, theme, lang] of [
    [1440, 'light', 'en'],
    [390, 'light', 'es'],
    [1440, 'dark', 'es'],
    [390, 'dark', 'en'],
  ]) {
    if (name === 'large' && width < 480) continue;
    try {
      await shoot(name, width, theme, lang, act, options[name]);
    } catch (mistake) {
      console.error(name, width, theme, lang, String(mistake).slice(0, 400));
    }
  }
}
await browser.close();

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { errors, html, storage, until, violations, withBrowser } from './support/browser.mjs';
import { serve } from './support/server.mjs';

const held = withBrowser();

async function stage(t, { name = 'white-paper', attributes = '', lang = 'en', head = '', context: how = {}, before, ...story } = {}) {
  const server = await serve(story);
  const body = `<h1>Faro</h1><div data-embudo-form="${name}"><a href="/f/${name}">The form</a></div>`;
  server.page('/', html({ attributes, lang, head, body }));
  const context = await held.browser.newContext({ timezoneId: 'Europe/Madrid', ...how });
  const page = await context.newPage();
  const wrong = errors(page);
  t.after(async () => {
    await context.close();
    await server.close();
    assert.deepEqual(wrong, []);
  });
  await before?.(page);
  await page.goto(server.origin);
  return { server, page, context, form: page.locator('[data-embudo-form]') };
}

describe('a form in a page', () => {
  test('asks for the e-mail only, sends it, and gives the file', async (t) => {
    const { server, page, form } = await stage(t, { attributes: 'data-consent="analytics"' });
    const email = form.getByLabel('Work e-mail');
    assert.equal(await email.getAttribute('autocomplete'), 'email');
    assert.equal(await email.getAttribute('name'), 'email');
    assert.equal(await email.getAttribute('type'), 'email');
    await email.fill('  nikki@acme.example ');
    await form.getByLabel('one letter a month').check();
    await email.press('Enter');
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
    assert.equal(await form.getByRole('link').getAttribute('href'), `${server.origin}/d/TOKEN`);
    const [sent] = server.forms;
    const { 'embudo.visitor': visitor } = await storage(page);
    assert.deepEqual(sent, {
      site: 'faro',
      values: { email: 'nikki@acme.example' },
      visitor,
      consent: 'analytics',
      page: `${server.origin}/`,
      referrer: '',
      language: 'en',
      zone: 'Europe/Madrid',
      nonce: 'n-1',
      agreed: ['newsletter'],
      warned: false,
      website: '',
    });
    const focused = await form.evaluate((place) => place.shadowRoot.activeElement?.textContent);
    assert.equal(focused, 'It is yours');
  });

  test('tells once that somebody begins, and nothing of what is typed', async (t) => {
    const { server, form } = await stage(t);
    const email = form.getByLabel('Work e-mail');
    await email.pressSequentially('nikki@acme.example');
    await form.getByRole('button').click();
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
    assert.deepEqual(server.begun, [{ site: 'faro', nonce: 'n-1' }]);
  });

  test('says what is wrong beside the field, keeps what was typed, and takes it back when it is mended', async (t) => {
    const { server, form } = await stage(t);
    const email = form.getByLabel('Work e-mail');
    await form.getByRole('button').click();
    await form.getByText('Please fill this in.').waitFor();
    assert.equal(await email.getAttribute('aria-invalid'), 'true');
    assert.equal(await form.evaluate((place) => place.shadowRoot.activeElement.name), 'email');
    await email.fill('nikki');
    await form.getByRole('button').click();
    await form.getByText('does not look like an e-mail').waitFor();
    assert.equal(await email.inputValue(), 'nikki');
    await email.fill('nikki@gmail.com');
    assert.equal(await email.getAttribute('aria-invalid'), null);
    await form.getByRole('button').click();
    await form.getByText('use your work e-mail').waitFor();
    assert.equal(await email.inputValue(), 'nikki@gmail.com');
    assert.equal(server.forms.length, 1);
  });

  test('an agreement that is needed is asked for beside its box', async (t) => {
    const { form, server } = await stage(t, { mustAgree: true });
    await form.getByLabel('Work e-mail').fill('nikki@acme.example');
    await form.getByRole('button').click();
    await form.getByText('Please tick this').waitFor();
    assert.equal(server.forms.length, 0);
    await form.getByLabel('one letter a month').check();
    assert.equal(await form.getByText('Please tick this').count(), 0);
    await form.getByRole('button').click();
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
    assert.deepEqual(Object.keys(server.forms[0].values), ['email']);
  });

  test('keeps everything when the server is away', async (t) => {
    const { server, form } = await stage(t);
    await form.getByLabel('Work e-mail').fill('nikki@acme.example');
    server.fail('POST /v1/forms/white-paper', 500);
    await form.getByRole('button').click();
    await form.getByText('What you typed is kept').waitFor();
    assert.equal(await form.getByLabel('Work e-mail').inputValue(), 'nikki@acme.example');
    await form.getByRole('button').click();
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
  });

  test('leaves the page’s own link when there is no such form', async (t) => {
    const { page, form } = await stage(t, { name: 'nowhere' });
    await page.waitForTimeout(400);
    assert.ok(await form.getByRole('link', { name: 'The form' }).isVisible());
  });

  test('sending is consent to be known again', async (t) => {
    const { server, page, form } = await stage(t);
    await form.getByLabel('Work e-mail').fill('nikki@acme.example');
    await form.getByRole('button').click();
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
    const stored = await storage(page);
    assert.equal(stored['embudo.consent'], 'analytics');
    assert.equal(stored['embudo.visitor'], '0199aaaa-0000-7000-8000-000000000001');
    await page.evaluate(() => embudo('event', 'after'));
    await until('the event', () => server.hits.some(({ name }) => name === 'after'));
    assert.equal(server.hits.find(({ name }) => name === 'after').visitor, stored['embudo.visitor']);
  });

  test('a refusal stands, also when a form is sent', async (t) => {
    const { page, form } = await stage(t);
    await page.evaluate(() => embudo('consent', 'none'));
    await form.getByLabel('Work e-mail').fill('nikki@acme.example');
    await form.getByRole('button').click();
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
    assert.deepEqual(await storage(page), { 'embudo.consent': 'none' });
  });

  test('Global Privacy Control stands, also when a form is sent', async (t) => {
    const { page, form } = await stage(t, {
      before: (page) => page.addInitScript(() => Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })),
    });
    await form.getByLabel('Work e-mail').fill('nikki@acme.example');
    await form.getByRole('button').click();
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
    assert.deepEqual(await storage(page), {});
  });

  test('another person on the same browser takes no conversation over', async (t) => {
    const { server, page, form } = await stage(t, { attributes: 'data-consent="analytics"' });
    await page.locator('embudo-chat button').first().click();
    await page.locator('embudo-chat .choice').first().waitFor();
    const before = JSON.parse((await storage(page))['embudo.chat']);
    server.formVisitor = '0199bbbb-0000-7000-8000-000000000002';
    await form.getByLabel('Work e-mail').fill('yuri@acme.example');
    await form.getByRole('button', { name: 'Send me the paper' }).click();
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
    const stored = await storage(page);
    assert.ok(before.conversation);
    assert.equal(stored['embudo.chat'], undefined);
    assert.equal(stored['embudo.visitor'], server.formVisitor);
    assert.ok(await page.locator('embudo-chat .panel').isHidden());
  });

  test('speaks the language of the page', async (t) => {
    const { form } = await stage(t, { lang: 'es' });
    await form.getByRole('button', { name: 'Enviadme la guía' }).click();
    await form.getByText('Rellena este campo').waitFor();
  });

  test('a form that comes with a later page of a single-page site is filled, too', async (t) => {
    const { page } = await stage(t);
    await page.evaluate(() => {
      document.querySelector('main').innerHTML = '<h1>Two</h1><div data-embudo-form="demo"></div>';
      history.pushState({}, '', '/two');
    });
    await page.locator('[data-embudo-form="demo"]').getByLabel('First name').waitFor();
  });

  for (const [theme, ground] of [
    ['light', '#fdfcf9'],
    ['dark', '#101214'],
  ]) {
    test(`axe finds nothing to say about it on a ${theme} page, empty, wrong and done`, async (t) => {
      const { page, form } = await stage(t, {
        name: 'demo',
        head: `<style>body{background:${ground};color:${theme === 'dark' ? '#eee' : '#222'}}</style>`,
      });
      await form.getByLabel('Work e-mail').waitFor();
      assert.equal(await form.getAttribute('data-embudo-theme'), theme);
      assert.deepEqual(await violations(page), []);
      await form.getByRole('button').click();
      await form.getByText('Please fill this in.').first().waitFor();
      assert.deepEqual(await violations(page), []);
      await form.getByLabel('Work e-mail').fill('nikki@acme.example');
      await form.getByLabel('People in the company').selectOption('51–500');
      await form.getByRole('button').click();
      await form.getByRole('heading', { name: 'It is yours' }).waitFor();
      assert.deepEqual(await violations(page), []);
    });
  }
});

const KINDS = [
  { name: 'email', kind: 'email', type: 'email', label: 'Work e-mail', required: true },
  { name: 'people', kind: 'number', type: 'number', label: 'People', min: '1', max: '500' },
  { name: 'country', kind: 'country', type: 'country', label: 'Country', required: true, options: [{ value: 'ES', label: 'Spain' }, { value: 'US', label: 'United States' }], show_if: '[">=",{"f":"answers.people"},{"v":50}]' },
  { name: 'state', kind: 'text', type: 'text', label: 'State', required: true, show_if: '["==",{"f":"answers.country"},{"v":"US"}]' },
  { name: 'role', kind: 'radio', type: 'radio', label: 'Your part', options: [{ value: 'buyer', label: 'I decide' }, { value: 'user', label: 'I read' }] },
  { name: 'topics', kind: 'checkboxes', type: 'checkboxes', label: 'What about', hint: 'As many as you like.', options: [{ value: 'a', label: 'Circles' }, { value: 'b', label: 'Library' }] },
  { name: 'start', kind: 'date', type: 'date', label: 'Start' },
  { name: 'call', kind: 'checkbox', type: 'checkbox', label: 'Call me' },
];

describe('a form with all kinds of fields', () => {
  test('shows a field when the answers before it call for it, and sends what is shown', async (t) => {
    const { server, form, page } = await stage(t, { fields: KINDS });
    await form.getByLabel('Work e-mail').fill('nikki@acme.example');
    assert.equal(await form.getByLabel('Country').count() && (await form.getByLabel('Country').isVisible()), false);
    await form.getByLabel('People').fill('60');
    await form.getByLabel('Country').selectOption('US');
    await form.getByLabel('State').waitFor();
    await form.getByRole('button', { name: 'Send me the paper' }).click();
    await form.getByText('Please fill this in.').waitFor();
    assert.equal(await form.evaluate((place) => place.shadowRoot.activeElement.name), 'state');
    await form.getByLabel('State').fill('Ohio');
    await form.getByLabel('I decide').check();
    await form.getByLabel('Library').check();
    await form.getByLabel('Circles').check();
    await form.getByLabel('Start').fill('2026-12-01');
    await form.getByLabel('Call me').check();
    assert.deepEqual(await violations(page), []);
    // What was typed into a field that is hidden again does not travel.
    await form.getByLabel('People').fill('9');
    await form.getByRole('button', { name: 'Send me the paper' }).click();
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
    assert.deepEqual(server.forms[0].values, {
      email: 'nikki@acme.example',
      people: '9',
      role: 'buyer',
      topics: ['a', 'b'],
      start: '2026-12-01',
      call: 'true',
    });
  });

  test('asks for the device’s own showing, and for nobody’s before consent', async (t) => {
    const { server, form } = await stage(t, { attributes: 'data-consent="analytics"' });
    await form.getByLabel('Work e-mail').waitFor();
    assert.match(server.shown[0], /visitor=[0-9a-f-]{36}/);
    const quiet = await stage(t);
    await quiet.form.getByLabel('Work e-mail').waitFor();
    assert.doesNotMatch(quiet.server.shown[0], /visitor/);
  });

  test('a warning is told once, and sent again the form is taken', async (t) => {
    const problem = ({ warned }) => (warned ? undefined : { fields: { email: 'If you have an address of your company, please use it.' }, warned: true });
    const { server, form } = await stage(t, { problem: (body) => problem(body) });
    server.problem = (body) => problem(body);
    await form.getByLabel('Work e-mail').fill('nikki@mail.example');
    await form.getByRole('button').click();
    await form.getByText('address of your company').waitFor();
    server.problem = null;
    await form.getByRole('button').click();
    await form.getByRole('heading', { name: 'It is yours' }).waitFor();
    assert.deepEqual(server.forms.map(({ warned }) => warned), [false, true]);
  });

  test('a kiosk sends no device, remembers nobody, and is ready for the next person', async (t) => {
    const { server, page, form } = await stage(t, { attributes: 'data-consent="analytics"', definition: { kiosk: true } });
    for (const email of ['nikki@acme.example', 'pam@acme.example']) {
      await form.getByLabel('Work e-mail').fill(email);
      await form.getByRole('button', { name: 'Send me the paper' }).click();
      await form.getByRole('button', { name: 'The next person' }).click();
      await form.getByLabel('Work e-mail').waitFor();
      assert.equal(await form.getByLabel('Work e-mail').inputValue(), '');
    }
    assert.deepEqual(server.forms.map(({ visitor, consent }) => [visitor, consent]), [[null, 'none'], [null, 'none']]);
    const before = (await storage(page))['embudo.visitor'];
    assert.notEqual(before, '0199aaaa-0000-7000-8000-000000000001');
  });
});

describe('conditions', async () => {
  const cases = JSON.parse(await readFile(new URL('support/conditions.json', import.meta.url), 'utf8'));
  const { build } = await import('esbuild');
  const made = await build({
    stdin: { contents: "export { holds } from './src/shared/condition'", resolveDir: new URL('..', import.meta.url).pathname, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
  });
  const { holds } = await import(`data:text/javascript;base64,${Buffer.from(made.outputFiles[0].text).toString('base64')}`);
  const page = await readFile(new URL('../../src/http/assets/pages.js', import.meta.url), 'utf8');
  const decide = new Function(`${/function decide[\s\S]*?\n  }\n(?=\n  function answerOf)/.exec(page)[0]}; return decide;`)();

  for (const { if: text, is, answers, holds: wanted } of cases) {
    test(`${text} with ${JSON.stringify(answers)} says what the server says`, () => {
      const known = Object.fromEntries(Object.entries(answers).map(([name, value]) => [`answers.${name}`, value]));
      // A box that is not ticked is an answer, and so is nothing of several.
      const all = { 'answers.wants': false, 'answers.topics': [], ...known };
      assert.equal(holds(is, all), wanted);
      assert.equal(decide(is, all) === true, wanted, 'the hosted page');
    });
  }
});

describe('a form that the page has made itself', () => {
  const OWN = `<h1>Faro</h1><form data-embudo-form="white-paper" action="/thanks" method="post">
    <label for="mail">Your e-mail</label><input id="mail" name="email" type="email" required aria-describedby="note"><p id="note">For work.</p>
    <label for="first">First name</label><input id="first" name="first_name"><p data-embudo-error="first_name"></p>
    <label><input type="checkbox" name="agreed" value="newsletter"> The letter</label>
    <button>Go</button></form>`;

  async function own(t, story = {}, body = OWN) {
    const server = await serve(story);
    server.page('/', html({ body }));
    const context = await held.browser.newContext();
    const page = await context.newPage();
    const wrong = errors(page);
    t.after(async () => {
      await context.close();
      await server.close();
      assert.deepEqual(wrong, []);
    });
    await page.goto(server.origin);
    await until('the form', () => server.shown.length > 0);
    await page.waitForFunction(() => document.querySelector('.embudo-trouble'));
    return { server, page };
  }

  test('keeps its markup and its own checks, and is sent by us', async (t) => {
    const { server, page } = await own(t);
    assert.match(server.shown[0], /own=1/);
    await page.getByRole('button', { name: 'Go' }).click();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'mail', 'the browser’s own check');
    assert.equal(server.forms.length, 0);
    await page.getByLabel('Your e-mail').fill('nikki@acme.example');
    await page.getByLabel('First name').fill('Nikki');
    await page.getByLabel('The letter').check();
    await page.getByRole('button', { name: 'Go' }).click();
    await page.getByText('It is yours').waitFor();
    assert.deepEqual(server.forms[0].values, { email: 'nikki@acme.example', first_name: 'Nikki' });
    assert.deepEqual(server.forms[0].agreed, ['newsletter']);
    assert.ok(await page.locator('form').isHidden());
    assert.equal(await page.evaluate(() => document.activeElement.className), 'embudo-done');
    assert.deepEqual(await violations(page), []);
  });

  test('is told beside its fields what was wrong, so that a screen reader hears it', async (t) => {
    const { server, page } = await own(t);
    server.problem = () => ({ fields: { first_name: 'Please fill this in.', email: 'No mail would arrive there.', phone: 'Please write the number.' } });
    await page.getByLabel('Your e-mail').fill('nikki@acme.example');
    await page.getByRole('button', { name: 'Go' }).click();
    await page.getByText('No mail would arrive there.').waitFor();
    const mail = page.getByLabel('Your e-mail');
    assert.equal(await mail.getAttribute('aria-invalid'), 'true');
    assert.equal(await mail.getAttribute('aria-describedby'), 'note embudo-white-paper-email-error');
    assert.equal(await page.locator('[data-embudo-error] .embudo-error').textContent(), 'Please fill this in.');
    assert.equal(await page.getByRole('alert').textContent(), 'Please write the number.');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'first');
    assert.deepEqual(await violations(page), []);
    server.problem = null;
    await page.getByLabel('First name').fill('Nikki');
    await page.getByRole('button', { name: 'Go' }).click();
    await page.getByText('It is yours').waitFor();
  });

  test('a page that refuses the form itself, or thanks itself, has the last word', async (t) => {
    const { server, page } = await own(t);
    await page.evaluate(() => {
      const form = document.querySelector('form');
      window.stop = (event) => event.preventDefault();
      form.addEventListener('submit', window.stop, true);
      form.addEventListener('embudo:sent', (event) => {
        event.preventDefault();
        window.thanked = event.detail.title;
      });
    });
    await page.getByLabel('Your e-mail').fill('nikki@acme.example');
    await page.getByRole('button', { name: 'Go' }).click();
    await page.evaluate(() => document.querySelector('form').removeEventListener('submit', window.stop, true));
    await page.getByRole('button', { name: 'Go' }).click();
    await page.waitForFunction(() => window.thanked);
    assert.equal(server.forms.length, 1, 'what the page had stopped was not sent');
    assert.equal(await page.evaluate(() => window.thanked), 'It is yours');
    assert.ok(await page.locator('form').isVisible());
  });
});

import assert from 'node:assert/strict';
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
      language: 'en',
      zone: 'Europe/Madrid',
      nonce: 'n-1',
      agreed: ['newsletter'],
      website: '',
    });
    const focused = await form.evaluate((place) => place.shadowRoot.activeElement?.textContent);
    assert.equal(focused, 'It is yours');
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

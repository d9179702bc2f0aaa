// Hosted forms: what they ask depends on the answers, and on who is confirmed to sit there.
import { device, expect, test } from './support/embudo.ts'
import { look } from './support/look.ts'
import { linkIn } from './support/mail.ts'
import { Visitor } from './support/visitor.ts'

const NIKKI = 'nikki@olmos-textil.example'

test('a hosted form asks what its answers call for, and a confirmed device never twice', async ({ embudo, browser }) => {
  const nikki = await Visitor.on(embudo, await device(browser, 'en'), 'en')
  const form = `${embudo.url}/f/reading-advice?lang=en`
  await nikki.visit(nikki.words.home)
  await nikki.accept()
  await nikki.askForPaper(NIKKI)
  const confirmed = nikki.page.waitForResponse((answer) => answer.url().endsWith('/v1/confirm'))
  await nikki.page.goto(linkIn(await embudo.mail.receive(NIKKI, nikki.words.paperMail), '/d/'))
  expect((await confirmed).status()).toBe(200)

  await nikki.page.goto(form)
  const page = nikki.page
  await expect(page.getByLabel('Country')).toBeHidden()
  await page.getByLabel('People in your company').fill('80')
  await expect(page.getByLabel('Country')).toBeVisible()
  await page.getByLabel('Country').selectOption({ label: 'Spain' })
  await page.getByLabel('Work e-mail').fill(NIKKI)
  await page.getByLabel('First name').fill('Nikki')
  await page.getByLabel('Job title').fill('Head of People')
  await look(page, 'en-form-conditions')
  // The form takes nothing that was filled in within two seconds.
  await embudo.later(0.001)
  await page.getByRole('button', { name: 'Ask for advice' }).click()
  await expect(page.getByRole('heading', { name: 'Thank you' })).toBeVisible()

  await page.goto(form)
  await expect(page.getByLabel('Industry')).toBeVisible()
  await expect(page.getByLabel('Phone')).toBeVisible()
  await expect(page.getByLabel('First name')).toHaveCount(0)
  expect(await page.content()).not.toContain('Head of People')
  // The form that took its place minds its conditions, too.
  await expect(page.getByLabel('Country')).toBeHidden()
  await page.getByLabel('People in your company').fill('80')
  await expect(page.getByLabel('Country')).toBeVisible()

  const stranger = await device(browser, 'en')
  const other = await stranger.newPage()
  await other.goto(form)
  await expect(other.getByLabel('First name')).toBeVisible()
  await expect(other.getByLabel('Industry')).toHaveCount(0)
})

test('a form on a kiosk forgets each person before the next', async ({ embudo, browser }) => {
  const tablet = await (await device(browser, 'en')).newPage()
  for (const email of ['pam@olmos-textil.example', 'ana@olmos-textil.example']) {
    await tablet.goto(`${embudo.url}/f/fair?lang=en`)
    await expect(tablet.getByLabel('Work e-mail')).toHaveValue('')
    await tablet.getByLabel('Work e-mail').fill(email)
    await embudo.later(0.001)
    await tablet.getByRole('button', { name: 'Send it to me' }).click()
    await expect(tablet.getByRole('heading', { name: 'It is on its way' })).toBeVisible()
    expect(await tablet.evaluate(() => localStorage.length)).toBe(0)
    await tablet.getByRole('link', { name: 'The next person' }).click()
    await embudo.mail.receive(email, /./)
  }
})

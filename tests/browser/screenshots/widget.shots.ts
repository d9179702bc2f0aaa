// The chat on the site: what it says first, what it asks, the times, a person, and when something does not work.
import { Console } from '../support/console.ts'
import type { Visitor } from '../support/visitor.ts'
import { expect, type Studio, test } from './shoot.ts'
import type { Kind } from './worlds.ts'

/** A visitor who has the chat open. */
async function chatter(studio: Studio, kind: Kind = 'busy', email?: string): Promise<Visitor> {
  const visitor = await studio.visitor(kind)
  await visitor.visit(visitor.words.home)
  await visitor.accept()
  if (email) await visitor.askForPaper(email)
  await visitor.chat.open()
  await expect(visitor.chat.choices.first()).toBeVisible()
  return visitor
}

const shown = { fullPage: false }

test('widget/launcher', async ({ studio }) => {
  const visitor = await studio.visitor()
  await visitor.visit(visitor.words.home)
  await expect(visitor.chat.launcher).toBeVisible()
  await studio.shoot(visitor.page, 'widget/launcher', shown)
})

test('widget/call', async ({ studio }) => {
  const visitor = await chatter(studio)
  const { page, chat, words } = visitor
  await studio.shoot(page, 'widget/greeting', shown)
  await chat.choose(words.bookCall)
  const email = chat.panel.locator('form.composer input[type=email]')
  await expect(email).toBeVisible()
  await studio.shoot(page, 'widget/asks-email', shown)
  await email.fill('not an address')
  await page.keyboard.press('Enter')
  await page.waitForTimeout(600)
  await studio.shoot(page, 'widget/email-refused', shown)
  await email.fill('julia@papelera-norte.example')
  await page.keyboard.press('Enter')
  await expect(chat.picker).toBeVisible({ timeout: 30_000 })
  await studio.shoot(page, 'widget/times', shown)
  await chat.pickTime()
  await chat.says(words.booked)
  await studio.shoot(page, 'widget/booked', shown)
})

test('widget/out-of-hours', async ({ studio, language }) => {
  const { page, chat } = await chatter(studio, 'empty')
  await studio.shoot(page, 'widget/out-of-hours', shown)
  await chat.chooseNumber(1)
  await expect(chat.choices.nth(3)).toBeVisible()
  await studio.shoot(page, 'widget/topics', shown)
  await chat.chooseNumber(1)
  await expect(chat.panel.locator('form.composer textarea')).toBeVisible()
  await chat.write(language === 'es' ? '¿Hacéis factura desde México? Somos una cooperativa con doce centros y nos interesaría empezar en enero.' : 'Do you send invoices from Mexico? We are a cooperative with twelve sites and would like to begin in January.')
  const email = chat.panel.locator('form.composer input[type=email]')
  await expect(email).toBeVisible()
  await email.fill('julia@papelera-norte.example')
  await page.keyboard.press('Enter')
  await chat.says(language === 'es' ? 'lo tenemos' : 'we have it')
  await studio.shoot(page, 'widget/message-left', shown)
})

test('widget/person', async ({ studio, language }) => {
  const { page, chat, words } = await chatter(studio, 'busy', 'carla@papelera-norte.example')
  const mikes = await studio.console('', 'mike')
  const mike = Console.on(studio.world(), mikes)
  await mike.goOnline()
  await chat.choose(words.person)
  await chat.says(language === 'es' ? 'aviso' : 'asking a colleague')
  await studio.shoot(page, 'widget/waiting', shown)
  await mike.go('/inbox?view=waiting')
  await mikes.locator('.threads a').first().click()
  await mike.acceptChat()
  await mike.say(words.mikeAsks)
  await chat.says(words.mikeAsks)
  await chat.write(words.nikkiSays)
  await mike.suggestTimes()
  await expect(chat.picker).toBeVisible({ timeout: 30_000 })
  await studio.shoot(page, 'widget/person', shown)
  await mikes.locator('#talk-head form[action$="/close"] button').click()
  await expect(chat.panel.locator('form.rating')).toBeVisible()
  await chat.panel.getByRole('button', { name: /^4 / }).click()
  await studio.shoot(page, 'widget/rating', shown)
})

test('widget/without-connection', async ({ studio, language }) => {
  const { page, chat } = await chatter(studio)
  await page.context().setOffline(true)
  await chat.panel.locator('.composer .field').fill(language === 'es' ? '¿Seguís ahí?' : 'Are you still there?')
  await page.keyboard.press('Enter')
  await page.waitForTimeout(1_500)
  await studio.shoot(page, 'widget/without-connection', shown)
})

test('widget/server-error', async ({ studio }) => {
  const { page, chat } = await chatter(studio)
  await page.route('**/v1/chat/**/messages', (route) => route.fulfill({ status: 500, body: '' }))
  await chat.chooseNumber(0)
  await page.waitForTimeout(2_500)
  await studio.shoot(page, 'widget/server-error', shown)
})

test('widget/menu', async ({ studio }) => {
  const { page, chat } = await chatter(studio)
  await chat.panel.locator('[aria-haspopup], [aria-expanded]').first().click()
  await studio.shoot(page, 'widget/menu', shown)
})

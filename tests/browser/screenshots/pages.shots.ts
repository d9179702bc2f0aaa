// The hosted pages: forms, downloads, webinars, booking, preferences, and what they say when something is wrong.
import type { Page } from '@playwright/test'
import { words } from '../support/words.ts'
import { expect, test } from './shoot.ts'

const in_ = (language: string, path: string) => `${path}${path.includes('?') ? '&' : '?'}lang=${language}`

for (const form of ['white-paper', 'reading-advice', 'fair', 'exit-survey', 'about-you', 'webinar']) {
  test(`pages/form-${form}`, async ({ studio, language }) => {
    await studio.shoot(await studio.open(in_(language, `/f/${form}`)), `pages/form-${form}`)
  })
}

const submit = (page: Page) => page.locator('form button.primary').click()
/** The browser itself would object first. */
const withoutTheBrowsersObjections = (page: Page) => page.locator('form').evaluateAll((all) => all.forEach((form) => form.setAttribute('novalidate', '')))

test('pages/form-refused', async ({ studio, language }) => {
  const page = await studio.open(in_(language, '/f/reading-advice'))
  await withoutTheBrowsersObjections(page)
  await page.locator('[name=email]').fill('pam@gmail,com')
  await page.locator('[name=employees]').fill('0')
  await page.waitForTimeout(2_200)
  await submit(page)
  await expect(page.locator('.error').first()).toBeVisible()
  await studio.shoot(page, 'pages/form-refused')
})

test('pages/form-too-fast', async ({ studio, language }) => {
  const page = await studio.open(in_(language, '/f/reading-advice'))
  await withoutTheBrowsersObjections(page)
  await page.locator('[name=email]').fill('pam@olmos-textil.example')
  await submit(page)
  await expect(page.getByRole('alert').first()).toBeVisible()
  await studio.shoot(page, 'pages/form-too-fast')
})

test('pages/form-done', async ({ studio, language }) => {
  const page = await studio.open(in_(language, '/f/white-paper'))
  await page.locator('[name=email]').fill('julia@papelera-norte.example')
  await page.waitForTimeout(1_200)
  await submit(page)
  await expect(page.getByRole('link', { name: /Open|Abrir/ })).toBeVisible()
  await studio.shoot(page, 'pages/form-done')
})

for (const kind of ['download', 'letter', 'preferences', 'unsubscribe', 'subscribe', 'place', 'watch']) {
  test(`pages/${kind}`, async ({ studio, language }) => {
    const link = studio.world().known[`link ${kind}`]
    expect(link, `a mail with a link to ${kind}`).toBeTruthy()
    await studio.shoot(await studio.open(in_(language, link!)), `pages/${kind}`)
  })
}

test('pages/privacy', async ({ studio, language }) => {
  await studio.shoot(await studio.open(`/privacy?site=faro&lang=${language}`), 'pages/privacy')
})

test('pages/preferences-refused', async ({ studio, language }) => {
  const page = await studio.open(in_(language, studio.world().known['link preferences']!))
  await withoutTheBrowsersObjections(page)
  await page.locator('[name=rest][value=until]').check()
  await page.locator('#pause').fill('2031-01-01')
  await page.locator('button[value=save]').click()
  await studio.shoot(page, 'pages/preferences-refused')
})

test('pages/preferences-saved', async ({ studio, language }) => {
  const page = await studio.open(in_(language, studio.world().known['link preferences']!))
  await page.locator('button[value=save]').click()
  await expect(page.getByRole('status')).toBeVisible()
  await studio.shoot(page, 'pages/preferences-saved')
})

test('pages/unsubscribed', async ({ studio, language }) => {
  const page = await studio.open(in_(language, studio.world().known['link unsubscribe']!))
  await page.locator('form button').first().click()
  await expect(page.locator('.page-mark')).toBeVisible()
  await studio.shoot(page, 'pages/unsubscribed')
})

for (const webinar of ['reading-culture-live', 'reading-at-work']) {
  test(`pages/webinar-${webinar}`, async ({ studio, language }) => {
    await studio.shoot(await studio.open(in_(language, `/w/${webinar}`)), `pages/webinar-${webinar}`)
  })
}

test('pages/webinar-registered', async ({ studio, language }) => {
  const page = await studio.open(in_(language, '/w/reading-culture-live'))
  await page.locator('[name=email]').fill('julia@papelera-norte.example')
  await page.waitForTimeout(2_200)
  await submit(page)
  await expect(page.locator('.page-mark')).toBeVisible()
  await studio.shoot(page, 'pages/webinar-registered')
})

// ---- booking --------------------------------------------------------------------------------------

test('pages/book', async ({ studio, language }) => {
  await studio.shoot(await studio.open(in_(language, '/book/discovery')), 'pages/book')
})

test('pages/book-questions', async ({ studio, language }) => {
  const page = await studio.open(in_(language, '/book/discovery'))
  await page.locator('.slot').first().click()
  await studio.shoot(page, 'pages/book-questions')
})

test('pages/book-refused', async ({ studio, language }) => {
  const page = await studio.open(in_(language, '/book/discovery'))
  await withoutTheBrowsersObjections(page)
  await page.locator('form button.primary').last().click()
  await studio.shoot(page, 'pages/book-refused')
})

test('pages/book-unknown', async ({ studio, language }) => {
  await studio.shoot(await studio.open(in_(language, '/book/nothing')), 'pages/book-unknown')
})

test('pages/booking', async ({ studio, language }) => {
  await studio.shoot(await studio.open(in_(language, studio.world().known['link booking']!)), 'pages/booking')
})

test('pages/booking-unfolded', async ({ studio, language }) => {
  const page = await studio.open(in_(language, studio.world().known['link booking']!))
  await page.locator('summary', { hasText: words[language].anotherTime }).click()
  await page.locator('summary', { hasText: words[language].cancel }).click()
  await studio.shoot(page, 'pages/booking-unfolded')
})

for (const name of ['seen', 'cancel']) {
  test(`pages/booking-${name}`, async ({ studio, language }) => {
    await studio.shoot(await studio.open(in_(language, studio.world().known[`link booking ${name}`]!)), `pages/booking-${name}`)
  })
}

// ---- the chat -------------------------------------------------------------------------------------

test('pages/chat', async ({ studio, language }) => {
  const page = await studio.open(in_(language, '/chat/welcome'))
  const panel = page.locator('embudo-chat #panel')
  await expect(panel.locator('.choices').getByRole('button').first()).toBeVisible()
  await studio.shoot(page, 'pages/chat', { fullPage: false })
  await page.locator('[data-along]').click()
  await expect(page.locator('.chat-dialog input')).toHaveValue(/\/chat\/go\//)
  await studio.shoot(page, 'pages/chat-along', { fullPage: false })
  const link = await page.locator('.chat-dialog input').inputValue()
  await page.locator('[data-along-close]').click()
  await panel.locator('.head .tool').last().click()
  await studio.shoot(page, 'pages/chat-away')
  await studio.shoot(await studio.open(in_(language, new URL(link).pathname)), 'pages/chat-resume')
})

// ---- what went wrong ------------------------------------------------------------------------------

for (const [name, path] of [['not-found', '/f/nothing'], ['link-unknown', '/b/not-a-token'], ['link-unknown-file', '/d/not-a-token']] as const) {
  test(`pages/${name}`, async ({ studio, language }) => {
    await studio.shoot(await studio.open(in_(language, path)), `pages/${name}`)
  })
}

// ---- the sample site ------------------------------------------------------------------------------

for (const page of ['home', 'paper', 'pricing'] as const) {
  test(`site/${page}`, async ({ studio, language }) => {
    await studio.shoot(await studio.open(words[language][page]), `site/${page}`)
  })
}

// Who is on the site now, and the first word to her: a colleague looks on, a visitor comes, the chat opens on her page.
import { device, expect, test } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { expectAccessible, look } from './support/look.ts'
import { Visitor } from './support/visitor.ts'

const SAID = {
  en: { talk: /^Talk$/, start: 'Start the chat', waits: 'has not seen it yet', human: 'With a person', everybody: /Everybody/ },
  es: { talk: /^Hablar$/, start: 'Empezar el chat', waits: 'aún no lo ha visto', human: 'Con una persona', everybody: /Todo el mundo/ },
}

for (const language of ['en', 'es'] as const) {
  test(`a visitor comes and is spoken to, in ${language} @pictures`, async ({ embudo, browser }) => {
    const told = SAID[language]
    await embudo.opens()
    const nikki = await Visitor.on(embudo, await device(browser, language), language)
    const mike = await Console.logIn(embudo, await device(browser, language), embudo.people.mike, embudo.password)
    await mike.speak(language)
    await mike.goOnline()
    await mike.go('/live')
    const { page } = mike

    await test.step('she comes, and stands there without a reload', async () => {
      await nikki.visit(nikki.words.home)
      await nikki.accept()
      await nikki.visit(nikki.words.paper)
      await expect(page.locator('.live-rows tbody tr').first()).toContainText(nikki.words.paper)
      await look(page, `live-now-01-${language}`)
    })

    await test.step('a dialog of her page comes first', async () => {
      await nikki.page.evaluate(() => {
        const dialog = document.body.appendChild(document.createElement('dialog'))
        dialog.append('One moment')
        dialog.showModal()
      })
      await page.getByRole('link', { name: told.talk }).first().click()
      await expect(page.getByRole('button', { name: told.start })).toBeVisible()
      await look(page, `live-now-02-${language}`)
      await page.getByRole('button', { name: told.start }).click()
      await expect(mike.talk).toBeVisible()
      await nikki.page.waitForTimeout(7_000)
      await expect(nikki.chat.panel).toBeHidden()
      await mike.go('/live')
      await expect(page.locator('.live-rows')).toContainText(told.waits)
    })

    await test.step('then the chat opens with what was said, and she answers', async () => {
      await nikki.page.evaluate(() => document.querySelector('dialog')!.remove())
      await nikki.chat.says('Mike')
      await look(nikki.page, `live-now-03-${language}`, { fullPage: false })
      await expect(page.locator('.live-rows')).toContainText(told.human)
      await nikki.chat.write('¿Hola?')
      await page.locator('.live-rows a[href^="/console/inbox/"]').first().click()
      await expect(mike.talk).toContainText('¿Hola?')
    })

    await test.step('on a phone a row is a card, and nothing hangs over the edge', async () => {
      await page.setViewportSize({ width: 390, height: 844 })
      await mike.go('/live')
      await expect(page.getByRole('link', { name: told.everybody })).toBeVisible()
      await expectAccessible(page)
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
    })
  })
}

test('Today tells who comes and fetches only that, and nothing while nobody looks', async ({ embudo, browser }) => {
  await embudo.opens()
  const nikki = await Visitor.on(embudo, await device(browser, 'en'), 'en')
  const mike = await Console.logIn(embudo, await device(browser, 'en'), embudo.people.mike, embudo.password)
  await mike.speak('en')
  const { page } = mike
  let told = 0
  const fetched: string[] = []
  page.on('websocket', (line) => {
    line.on('framereceived', ({ payload }) => {
      if (/"wake".*"live"/.test(String(payload))) told += 1
    })
  })
  page.on('request', (request) => {
    if (request.resourceType() === 'fetch') fetched.push(new URL(request.url()).pathname)
  })
  await mike.go('')
  const here = page.locator('#today-here')
  const first = here.locator('.line').first()

  await test.step('she comes, and stands there without a reload', async () => {
    await nikki.visit(nikki.words.home)
    await nikki.accept()
    await nikki.visit(nikki.words.paper)
    await expect(first).toContainText(nikki.words.paper)
    expect(fetched).toContain('/console/live/now')
    expect(fetched).not.toContain('/console')
  })

  await test.step('what has its place in the page is there after it', async () => {
    await expect(page.locator('#today .panel')).toHaveCount(4)
    await expect(page.locator('#today-here')).toHaveCount(1)
    await look(page, 'live-now-04')
  })

  await test.step('nobody looks: nothing is fetched until somebody does', async () => {
    await page.evaluate(() => Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' }))
    const before = told
    await nikki.visit(nikki.words.home)
    await expect.poll(() => told).toBeGreaterThan(before)
    // Longer than a page may be behind while somebody looks.
    await page.waitForTimeout(3_500)
    fetched.length = 0
    await nikki.visit(nikki.words.paper)
    await nikki.visit(nikki.words.home)
    await page.waitForTimeout(3_500)
    expect(fetched).not.toContain('/console/live/now')
    await expect(first).toContainText(nikki.words.paper)
    await page.evaluate(() => {
      Reflect.deleteProperty(document, 'visibilityState')
      document.dispatchEvent(new Event('visibilitychange'))
    })
    await expect(first).not.toContainText(nikki.words.paper)
    expect(fetched).toContain('/console/live/now')
  })
})

test('without a script the list is a page like any other', async ({ embudo, browser }) => {
  await embudo.opens()
  const nikki = await Visitor.on(embudo, await device(browser, 'en'), 'en')
  await nikki.visit(nikki.words.home)
  await nikki.accept()
  await nikki.visit(nikki.words.paper)
  const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en-GB' })
  const mike = await Console.logIn(embudo, context, embudo.people.mike, embudo.password)
  await expect(async () => {
    await mike.go('/live')
    await expect(mike.page.locator('.live-rows tbody tr').first()).toContainText(nikki.words.paper, { timeout: 1000 })
  }).toPass()
  await mike.page.locator('.live-rows tbody a').first().click()
  await mike.page.locator('#first-word').fill('Hello from a plain form')
  await mike.page.locator('#chat form button').click()
  await expect(mike.page).toHaveURL(/\/console\/inbox\//)
  await expect(mike.page.locator('#talk-log')).toContainText('Hello from a plain form')
  await context.close()
})

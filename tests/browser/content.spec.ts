// The content area: from the list to a form, a file and a webinar, in both languages, on a screen and on a phone.
import { device, Embudo, expect, test as base } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { look } from './support/look.ts'

const test = base.extend<{ embudo: Embudo }>({
  embudo: async ({}, use) => {
    const embudo = await Embudo.start({ EMBUDO__DEFINITIONS__UPLOADS_MB: '5' })
    await use(embudo)
    embudo.stop()
  },
})

const SAID = {
  en: { put: 'Put it in its place', done: 'The file is in its place.', kind: 'not of the kind' },
  es: { put: 'Poner en su sitio', done: 'El archivo está en su sitio.', kind: 'no es del tipo' },
}

for (const language of ['en', 'es'] as const) {
  test(`the list, a form with its preview, a file, a webinar, in ${language} @pictures`, async ({ embudo, browser }) => {
    await embudo.opens()
    const admin = await Console.logIn(embudo, await device(browser, language), 'admin@faro.example', embudo.password)
    await admin.speak(language)
    const { page } = admin
    const narrow = async (name: string) => {
      await page.setViewportSize({ width: 390, height: 844 })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
      await look(page, `${name}-phone`)
      await page.setViewportSize({ width: 1440, height: 900 })
    }
    await page.setViewportSize({ width: 1440, height: 900 })
    await admin.go('/content')
    await look(page, `content-01-list-${language}`)
    await narrow(`content-01-list-${language}`)
    await page.locator('a[href="/console/content/forms/white-paper"]').click()
    await expect(page.frameLocator('iframe.form-frame').locator('input[name=email]')).toBeVisible()
    await expect(page.locator('pre').filter({ hasText: 'data-embudo-form="white-paper"' }).first()).toBeVisible()
    await look(page, `content-02-form-${language}`)
    await narrow(`content-02-form-${language}`)
    // The preview is no view; a visitor's page is one, and her first letter begins it.
    const visitor = await (await device(browser, language)).newPage()
    await visitor.goto(`${embudo.url}/f/white-paper?site=faro&lang=${language}`)
    const begun = visitor.waitForResponse((answer) => answer.url().endsWith('/v1/forms/white-paper/begun'))
    await visitor.locator('input[name=email]').fill('rosa@miramar.example')
    expect((await begun).status()).toBe(204)
    await expect(async () => {
      await page.reload()
      await expect(page.locator('.form-days .bar-viewed:not([height="0"])')).toHaveCount(1, { timeout: 500 })
    }).toPass()
    await look(page, `content-05-days-${language}`)
    await narrow(`content-05-days-${language}`)
    for (const [name, path] of [['06-sequence', 'sequences/faro-leads'], ['07-offer', 'offers/first-circle?ask=1']]) {
      await admin.go('/content')
      await page.locator(`a[href="/console/content/${path!.split('?')[0]}"]`).click()
      await admin.go(`/content/${path}`)
      await look(page, `content-${name}-${language}`)
      await narrow(`content-${name}-${language}`)
    }
    await admin.go('/content/forms/white-paper')
    await page.locator('a[href="/console/content/files/reading-guide"]').click()
    await expect(page.getByText('white-paper-en.pdf')).toBeVisible()
    await look(page, `content-03-file-${language}`)
    const file = (text: string) => ({ name: 'anything at all.pdf', mimeType: 'application/pdf', buffer: Buffer.from(text) })
    await page.locator('input[type=file]').setInputFiles(file('<html>no document</html>'))
    await page.getByRole('button', { name: SAID[language].put }).click()
    await expect(page.locator('[data-upload-state]')).toContainText(SAID[language].kind)
    await page.locator('input[type=file]').setInputFiles(file(`%PDF-1.4\n${'another edition '.repeat(50_000)}`))
    await page.getByRole('button', { name: SAID[language].put }).click()
    await expect(page.getByText(SAID[language].done)).toBeVisible()
    await admin.go('/content/webinars/reading-at-work')
    await expect(page.locator('h1')).toBeVisible()
    await look(page, `content-04-webinar-${language}`)
    await narrow(`content-04-webinar-${language}`)
  })
}

// The lifecycle as marketing and sales share it: why somebody is an MQL, another version, what it would have done, the
// approval of both, and that it runs.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { device, Embudo, expect, test as base } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { look } from './support/look.ts'
import { linkIn, root } from './support/mail.ts'
import { Visitor } from './support/visitor.ts'

const PASSWORD = 'a lighthouse by night'

/** The shipped definition, which both sides must approve. */
const shared = readFileSync(path.join(root, 'config/lifecycle.yaml'), 'utf8').replace(
  'name: reading-programmes',
  'name: reading-programmes\napprovals: {required: [marketing, sales]}',
)
/** One seat in a webinar is not enough any more. */
const stricter = shared
  .replace('version: 1\n', 'version: 2\n')
  .replace('if: event("webinar.registered", "90d")', 'if: count("webinar.registered", "90d") >= 2')

const test = base.extend<{ sharing: Embudo }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the braces
  sharing: async ({}, use) => {
    const embudo = await Embudo.start({}, { 'config/lifecycle.yaml': shared })
    await use(embudo)
    embudo.stop()
  },
})

const WORDS = {
  en: {
    rule: 'Registered for a webinar',
    running: (n: number) => `Version ${n} runs: reading-programmes`,
    inWords: 'Registered for a webinar in the last 90 days',
    propose: 'Propose a version',
    line: /Line \d+/,
    check: 'Check and propose',
    note: 'What it is for',
    text: 'The text',
    begin: 'Begin',
    foretold: 'Does Marketing-qualified lead foretell Sales-accepted lead?',
    holds: /first calls a week/,
    approve: 'Approve',
    waits: 'Sales has not approved',
    activate: 'Activate for what happens from now on',
    written: 'stands in its file',
    otherDay: 'How was it on another day, or by another version?',
    alone: 'What version 2 alone would have done',
    segments: 'Segments',
  },
  es: {
    rule: 'Se inscribió a un webinar',
    running: (n: number) => `Rige la versión ${n}: reading-programmes`,
    inWords: 'Se inscribió a un webinar en los últimos 90 días',
    propose: 'Proponer una versión',
    line: /Línea \d+/,
    check: 'Comprobar y proponer',
    note: 'Para qué es',
    text: 'El texto',
    begin: 'Empezar',
    foretold: '¿Anuncia Lead cualificado por marketing a Lead aceptado por ventas?',
    holds: /primeras llamadas por semana/,
    approve: 'Aprobar',
    waits: 'Ventas no ha aprobado',
    activate: 'Activar para lo que pase desde ahora',
    written: 'está en su archivo',
    otherDay: '¿Cómo estaba otro día, o con otra versión?',
    alone: 'Lo que habría hecho la versión 2 por sí sola',
    segments: 'Segmentos',
  },
}

for (const language of ['en', 'es'] as const) {
  test(`marketing finds why, changes the definition, tries it, sales approves it, and it runs (${language}) @pictures`, async ({ sharing: embudo, browser }) => {
    const words = WORDS[language]
    const email = `nikki.${language}@acme.example`
    embudo.hire('irene@faro.example', 'Irene Sanz', 'marketing', PASSWORD)
    embudo.hire('pablo@faro.example', 'Pablo Ruiz', 'sdr', PASSWORD)
    await embudo.opens()
    const nikki = await Visitor.on(embudo, await device(browser, language), language)
    await nikki.visit(nikki.words.home)
    await nikki.accept()
    await nikki.askForPaper(email)
    await nikki.page.goto(linkIn(await embudo.mail.receive(email, nikki.words.inviteMail), '/w/'))
    await nikki.page.getByRole('button', { name: nikki.words.saveSeat }).click()
    await expect(nikki.page.getByRole('heading', { name: nikki.words.seatSaved })).toBeVisible()

    const marta = await Console.logIn(embudo, await device(browser, language), 'irene@faro.example', PASSWORD)
    await marta.speak(language)
    const { page } = marta

    await test.step('why is she an MQL, and how was it by another version', async () => {
      const contact = await marta.openContact(email)
      await contact.expectStage('mql')
      await contact.openWhy()
      await expect(contact.why).toContainText(words.rule)
    })

    await test.step('the definition reads as sentences, both teams beside each other', async () => {
      await marta.go('/lifecycle')
      await expect(page.getByRole('heading', { name: words.running(1) })).toBeVisible()
      await expect(page.getByText(words.inWords)).toBeVisible()
      await look(page, `lifecycle-01-running-${language}`)
    })

    await test.step('a mistake is told at its line, and what was typed stays', async () => {
      await page.getByRole('link', { name: words.propose }).click()
      await page.getByLabel(words.text, { exact: true }).fill(stricter.replace('owner: sdr\n', 'owner: sdrs\n'))
      await page.getByLabel(words.note).fill('Two webinars')
      await page.getByRole('button', { name: words.check }).click()
      await expect(page.locator('.finding').first()).toContainText(words.line)
      await expect(page.getByLabel(words.note)).toHaveValue('Two webinars')
      await look(page, `lifecycle-02-mistake-${language}`)
    })

    await test.step('she proposes it and sees what differs', async () => {
      await page.getByLabel(words.text, { exact: true }).fill(stricter)
      await page.getByRole('button', { name: words.check }).click()
      await expect(page.locator('.diff-line.added').first()).toContainText('version: 2')
      await expect(page.getByText(words.waits)).toBeVisible()
      await look(page, `lifecycle-03-version-${language}`)
    })
    const version = new URL(page.url()).pathname.replace('/console', '')

    await test.step('the back-test goes on by itself, and its page tells when it is done', async () => {
      await page.getByRole('button', { name: words.begin }).click()
      await expect(page.getByRole('heading', { name: words.foretold })).toBeVisible({ timeout: 30_000 })
      await expect(page.getByText(email)).toBeVisible()
      await expect(page.getByText(words.holds).first()).toBeVisible()
      await look(page, `lifecycle-04-backtest-${language}`)
      for (const kind of ['diff', 'lift']) {
        await marta.go(version)
        await page.locator('select[name="kind"]').selectOption(kind)
        await page.getByRole('button', { name: words.begin }).click()
        await expect(page.locator('#trial .table-wrap').first()).toBeVisible({ timeout: 30_000 })
        await look(page, `lifecycle-05-${kind}-${language}`)
      }
    })

    await test.step('what the other version alone would have done with her', async () => {
      await marta.go('/contacts')
      const contact = await marta.openContact(email)
      await contact.openWhy()
      await page.getByRole('link', { name: words.otherDay }).click()
      await page.locator('select[name="with"]').selectOption({ index: 1 })
      await page.locator('.simulate-form button').click()
      await expect(page.getByRole('heading', { name: words.alone })).toBeVisible()
      await look(page, `lifecycle-06-simulate-${language}`)
    })

    await test.step('marketing approves, sales approves, and it runs', async () => {
      await marta.go(version)
      await page.getByRole('button', { name: words.approve }).click()
      await expect(page.getByRole('main').getByText('irene@faro.example')).toBeVisible()
      const pablo = await Console.logIn(embudo, await device(browser, language), 'pablo@faro.example', PASSWORD)
      await pablo.speak(language)
      await pablo.go(version)
      await pablo.page.getByRole('button', { name: words.approve }).click()
      await pablo.page.getByRole('button', { name: words.activate }).click()
      await expect(pablo.page.getByRole('status').first()).toContainText(words.written)
      await expect(pablo.page.getByRole('heading', { name: words.running(2) })).toBeVisible()
      await look(pablo.page, `lifecycle-07-activated-${language}`)
      expect(readFileSync(path.join(embudo.folder, 'demo/config/lifecycle.yaml'), 'utf8')).toBe(stricter)
    })

    await test.step('segments in words, and who belongs', async () => {
      await marta.go('/lifecycle')
      await page.getByRole('link', { name: words.segments }).click()
      await expect(page.locator('table.rows tbody tr').first()).toBeVisible()
      await look(page, `lifecycle-08-segments-${language}`)
      await page.locator('table.rows tbody a').first().click()
      await look(page, `lifecycle-09-segment-${language}`)
    })

    await test.step('on a phone nothing sticks out', async () => {
      await page.setViewportSize({ width: 390, height: 844 })
      for (const place of ['/lifecycle', version, '/lifecycle/propose', '/segments']) {
        await marta.go(place)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        expect(wide, place).toBeLessThanOrEqual(0)
      }
    })
  })
}

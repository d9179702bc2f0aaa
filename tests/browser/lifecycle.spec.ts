// The lifecycle as marketing and sales share it: why somebody is an MQL, another version, what it would have done, the
// approval of both, and that it runs.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Embudo, device, expect, test } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { look } from './support/look.ts'
import { root } from './support/mail.ts'
import { Visitor } from './support/visitor.ts'

const shipped = readFileSync(path.join(root, 'config/lifecycle.yaml'), 'utf8').replace(
  'name: reading-programmes',
  'name: reading-programmes\napprovals: {required: [marketing, sales]}',
)

test.use({ files: { 'config/lifecycle.yaml': shipped } })

const PASSWORD = 'a lighthouse by night'

/** Marketing and sales of the walk. */
function hire(embudo: Embudo): void {
  for (const [email, name, role] of [
    ['marta@faro.example', 'Marta Soler', 'marketing'],
    ['pablo@faro.example', 'Pablo Ruiz', 'sdr'],
  ]) {
    embudo.command(['user', 'add', email, '--name', name, '--role', role, '--password-stdin'], PASSWORD)
  }
}

const WORDS = {
  en: {
    why: /^Why /,
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
    leaving: '1 would not be qualified any more',
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
    why: /^¿Por qué /,
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
    leaving: '1 dejarían de cualificarse',
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
  test(`marketing changes the definition, tries it, sales approves it, and it runs (${language}) @pictures`, async ({ embudo, browser }) => {
    const words = WORDS[language]
    hire(embudo)
    await embudo.opens()
    const nikki = await Visitor.on(embudo, await device(browser, language), language)
    await nikki.visit(nikki.words.home)
    await nikki.accept()
    const email = `nikki-${language}@acme.example`
    await nikki.askForPaper(email)
    embudo.command(['contact', 'events', '-'], `email,kind\n${email},interest.walk\n`)
    const marta = await Console.logIn(embudo, await device(browser, language), 'marta@faro.example', PASSWORD)
    await marta.speak(language)
    const { page } = marta

    await test.step('the definition reads as sentences', async () => {
      await marta.go('/lifecycle')
      await expect(page.getByRole('heading', { name: words.running(1) })).toBeVisible()
      await expect(page.getByText(words.inWords)).toBeVisible()
      await look(page, `lifecycle-01-running-${language}`)
    })
  })
}

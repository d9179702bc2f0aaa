// The operator's first minutes: from what the server prints to the first hit, a mail, the first flow and a colleague; a
// made-up month comes and goes meanwhile.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { device, Embudo, expect, test } from './support/embudo.ts'
import { look } from './support/look.ts'

const PASSWORD = 'a lighthouse by the sea'

const WORDS = {
  en: {
    first: 'The first account', make: 'Make the account', steps: 'First steps', add: 'Add it', snippet: 'The snippet', waiting: 'We have not seen a hit yet',
    seen: 'We have seen your first hit', mail: 'Set up mails', send: 'Send a mail to me', taken: 'The server has taken a mail to ana@faro.example',
    write: 'Write the first flow', runs: 'The first flow is written and runs.', invite: 'Invite somebody', send_invitation: 'Invite', invited: 'The invitation is on its way.',
    load: 'Load it', remove: 'Remove it', contacts: '5 made-up contacts are here', over: 'Everything is set up or left for later', later: /Leave for later.*A colleague/, again: /Take it up.*A colleague/,
  },
  es: {
    first: 'La primera cuenta', make: 'Crear la cuenta', steps: 'Primeros pasos', add: 'Añadir', snippet: 'La etiqueta', waiting: 'Todavía no hemos visto ninguna visita',
    seen: 'Hemos visto tu primera visita', mail: 'Configurar el correo', send: 'Enviarme un correo', taken: 'El servidor ha aceptado un correo para ana@faro.example',
    write: 'Escribir el primer flujo', runs: 'El primer flujo está escrito y funciona.', invite: 'Invitar a alguien', send_invitation: 'Invitar', invited: 'La invitación está en camino.',
    load: 'Cargarlo', remove: 'Quitarlo', contacts: 'Hay 5 contactos inventados', over: 'Todo está listo o queda para luego', later: /Dejar para luego.*Una persona más/, again: /Retomar.*Una persona más/,
  },
}

/** A website of somebody, whose pages hold what she pastes. */
async function website(): Promise<{ url: string; paste: (tag: string) => void; stop: () => void }> {
  let tag = ''
  const server: Server = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html; charset=utf-8')
    answer.end(`<!doctype html><html lang="en"><head><title>Our shop</title>${tag}</head><body><h1>Our shop</h1></body></html>`)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return { url: `http://localhost:${port}`, paste: (text) => (tag = text), stop: () => server.close() }
}

for (const language of ['en', 'es'] as const) {
  for (const width of [1280, 390] as const) {
    test(`an operator begins with an empty server (${language}, ${width} px) @pictures`, async ({ browser }) => {
      const words = WORDS[language]
      const embudo = await Embudo.startBare()
      const site = await website()
      try {
        const context = await device(browser, language, { viewport: { width, height: 860 } })
        const page = await context.newPage()
        const mistakes: string[] = []
        page.on('console', (message) => message.type() === 'error' && mistakes.push(message.text()))

        await test.step('whoever just comes along makes no account; the printed link does', async () => {
          await page.goto(`${embudo.url}/console`)
          await expect(page.getByRole('heading', { name: words.first })).toBeVisible()
          await expect(page.locator('form')).toHaveCount(0)
          mistakes.length = 0 // the page is refused with 403, and the browser says so
          await page.goto(embudo.firstLink)
          await look(page, `first-01-account-${language}-${width}`)
          await page.locator('#name').fill('Ana Faro')
          await page.locator('#email').fill('ana@faro.example')
          await page.locator('#password').fill(PASSWORD)
          await page.getByRole('button', { name: words.make }).click()
          await expect(page.getByRole('heading', { name: words.steps })).toBeVisible()
          await look(page, `first-02-steps-${language}-${width}`)
        })

        await test.step('she adds her site, pastes the tag, and the page notices the first hit by itself', async () => {
          await page.locator('[name="address"]').fill(site.url)
          await page.getByRole('button', { name: words.add, exact: true }).click()
          await expect(page.locator('#step-snippet')).toHaveAttribute('open', '')
          await expect(page.locator('#step-snippet')).toContainText(words.waiting)
          await look(page, `first-03-snippet-${language}-${width}`)
          site.paste(await page.locator('#step-snippet pre').innerText())
          const tab = await context.newPage()
          await tab.goto(site.url)
          await expect(page.locator('#step-snippet')).toContainText(words.seen, { timeout: 30_000 })
          await tab.close()
        })

        await test.step('she sends herself a mail', async () => {
          await page.goto(`${embudo.url}/console/mail`)
          await page.getByRole('button', { name: words.send }).click()
          await expect(page.getByText(words.taken)).toBeVisible()
          await look(page, `first-04-mail-${language}-${width}`)
        })

        await test.step('the first flow is written, and a colleague can wait', async () => {
          await page.goto(`${embudo.url}/console/start`)
          await page.getByRole('button', { name: words.write }).click()
          await expect(page.getByText(words.runs)).toBeVisible()
          await page.getByRole('button', { name: words.later }).click()
          await expect(page.getByText(words.over)).toBeVisible()
          await page.locator('#step-people > summary').click()
          await page.getByRole('button', { name: words.again }).click()
          await page.getByRole('link', { name: words.invite }).click()
          await embudo.mail.behave('forbid')
          await page.locator('form[action="/console/accounts"] [name="email"]').fill('mike@faro.example')
          await page.getByRole('button', { name: words.send_invitation, exact: true }).click()
          await expect(page.getByText(words.invited)).toBeVisible()
        })

        await test.step('the invitation that the mail server refused is tried again, and arrives', async () => {
          const again = page.locator('form[action^="/console/outbox/jobs/"] button')
          await expect(async () => {
            await page.goto(`${embudo.url}/console/outbox`)
            await expect(again).toHaveCount(1, { timeout: 300 })
          }).toPass()
          await look(page, `first-05-given-up-${language}-${width}`)
          await embudo.mail.behave('accept')
          await again.click()
          await embudo.mail.receive('mike@faro.example', /Embudo/)
        })

        await test.step('a made-up month comes and goes', async () => {
          await page.goto(`${embudo.url}/console/start`)
          await page.getByRole('button', { name: words.load }).click()
          await expect(page.getByText(words.contacts)).toBeVisible()
          await look(page, `first-06-sample-${language}-${width}`)
          await page.goto(`${embudo.url}/console/contacts`)
          await expect(page.getByText('Carmen Ruiz')).toBeVisible()
          await page.goto(`${embudo.url}/console/traffic?site=zz-sample`)
          await expect(page.locator('main').getByText('/pricing').first()).toBeVisible()
          await look(page, `first-07-sample-traffic-${language}-${width}`)
          await page.goto(`${embudo.url}/console/inbox?view=closed`)
          await expect(page.getByText('Carmen Ruiz')).toBeVisible()
          await page.goto(`${embudo.url}/console/start`)
          await page.getByRole('button', { name: words.remove }).click()
          await page.goto(`${embudo.url}/console/contacts`)
          await expect(page.getByText('Carmen Ruiz')).toHaveCount(0)
        })
        expect(mistakes).toEqual([])
      } finally {
        embudo.stop()
        site.stop()
      }
    })
  }
}

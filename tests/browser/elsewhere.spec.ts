// A site that stands elsewhere, as customers' sites do: what a browser is there it is not on the server's own pages.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from '@playwright/test'
import { device, Embudo, expect, test } from './support/embudo.ts'
import { look } from './support/look.ts'
import { linkIn } from './support/mail.ts'
import { Chat } from './support/visitor.ts'
import { words } from './support/words.ts'

const NIKKI = 'nikki@olmos-textil.example'

/** The site: one page with the script, a form and a banner of its own. */
class Shop {
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(): Promise<Shop> {
    const server = createServer()
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return new Shop(server, `http://localhost:${(server.address() as AddressInfo).port}`)
  }

  embed(server: string): void {
    const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
      <title>Olmos</title><link rel="icon" href="data:,"><script defer src="${server}/e.js" data-site="faro"></script></head>
      <body><main><h1>Reading at work</h1>
      <button onclick="embudo('consent', 'analytics', {text: 'May we remember this browser?', text_id: 'olmos', language: 'en'})">Yes, you may</button>
      <div data-embudo-form="white-paper"></div></main></body></html>`
    this.server.on('request', (_, response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end(html)
    })
  }

  stop(): void {
    this.server.close()
    this.server.closeAllConnections()
  }
}

/** Opens the link of a mail, and goes on to the site by the name at the top of the page. */
async function throughTheMail(page: Page, link: string, shop: Shop): Promise<void> {
  await page.goto(link)
  await page.locator('a.page-site').click()
  await page.waitForURL(`${shop.url}/**`)
  await expect.poll(() => page.url(), 'the token leaves the address at once').toBe(`${shop.url}/`)
}

test('a mail confirms the browser that asked on a site elsewhere, and on another one the chat asks who it is', async ({ browser }) => {
  const shop = await Shop.start()
  const embudo = await Embudo.startBeside(shop.url)
  shop.embed(embudo.url)
  const { en } = words

  const laptop = await (await device(browser, 'en')).newPage()
  await laptop.goto(shop.url)
  await laptop.getByRole('button', { name: en.accept }).click()
  await laptop.getByLabel(en.email).pressSequentially(NIKKI, { delay: 60 })
  await laptop.getByRole('button', { name: en.getPaper }).click()
  await expect(laptop.getByRole('link', { name: en.openIt })).toBeVisible()
  const link = linkIn(await embudo.mail.receive(NIKKI, en.paperMail), '/d/')

  const confirmed = laptop.waitForResponse((answer) => answer.url() === `${embudo.url}/v1/confirm`)
  await throughTheMail(laptop, link, shop)
  expect(await (await confirmed).json()).toEqual({ trust: 'confirmed', ask: null })

  const phone = await (await device(browser, 'en')).newPage()
  await throughTheMail(phone, link, shop)
  // Nothing is told before she agrees to be known again.
  const told = phone.waitForResponse((answer) => answer.url() === `${embudo.url}/v1/confirm`)
  await phone.getByRole('button', { name: en.accept }).click()
  expect((await (await told).json()).ask.who).toBe('n•••@o•••')
  const chat = new Chat(phone, en)
  await chat.open()
  await expect(chat.panel).toContainText('Are you n•••@o•••?')
  await expect(chat.panel).not.toContainText(/nikki|olmos-textil/i)
  await look(phone, 'en-elsewhere-are-you', { fullPage: false })
  await chat.panel.getByRole('button', { name: 'Yes, that is me' }).click()
  await expect(chat.panel).toContainText('Thank you. That is noted.')

  // Whoever it is not goes on as somebody else, and is not asked again.
  const stranger = await (await device(browser, 'en')).newPage()
  await throughTheMail(stranger, link, shop)
  const asked = stranger.waitForResponse((answer) => answer.url() === `${embudo.url}/v1/confirm`)
  await stranger.getByRole('button', { name: en.accept }).click()
  await asked
  const before = await stranger.evaluate(() => localStorage.getItem('embudo.visitor'))
  const other = new Chat(stranger, en)
  await other.open()
  await other.panel.getByRole('button', { name: 'No', exact: true }).click()
  await expect(other.panel).toContainText('Thank you. That is noted.')
  expect(await stranger.evaluate(() => localStorage.getItem('embudo.visitor'))).not.toBe(before)
  await throughTheMail(stranger, link, shop)
  await other.open()
  await expect(other.panel.getByRole('log').locator('.bubble').first()).toBeVisible()
  await expect(other.panel).not.toContainText('Are you')

  embudo.stop()
  shop.stop()
})

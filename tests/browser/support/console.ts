// What a colleague does in the console.
import { type BrowserContext, expect, type Locator, type Page } from '@playwright/test'

/** The server whose console it is. */
interface Where {
  url: string
}

export class Console {
  private constructor(
    private readonly embudo: Where,
    readonly page: Page,
    private readonly email: string,
    private readonly password: string,
  ) {}

  static async logIn(embudo: Where, context: BrowserContext, email: string, password: string): Promise<Console> {
    const page = await context.newPage()
    const own = new Console(embudo, page, email, password)
    await page.goto(`${embudo.url}/console`)
    await own.enter()
    return own
  }

  /** A page on which somebody is logged in already. */
  static on(embudo: Where, page: Page): Console {
    return new Console(embudo, page, '', '')
  }

  private async enter(): Promise<void> {
    await this.page.locator('#email').fill(this.email)
    await this.page.locator('#password').fill(this.password)
    await this.page.locator('main form button').click()
    await expect(this.page.locator('nav.rail')).toBeVisible()
  }

  /** Opens a page of the console; logs in again when days have passed. */
  async go(path: string): Promise<void> {
    await this.page.goto(`${this.embudo.url}/console${path}`)
    if (await this.page.locator('#password').isVisible()) {
      await this.enter()
      await this.page.goto(`${this.embudo.url}/console${path}`)
    }
  }

  async goOnline(): Promise<void> {
    const presence = this.page.getByRole('switch')
    if ((await presence.getAttribute('aria-checked')) !== 'true') await presence.click()
    await expect(presence).toHaveAttribute('aria-checked', 'true')
  }

  async goAway(): Promise<void> {
    const presence = this.page.getByRole('switch')
    if ((await presence.getAttribute('aria-checked')) === 'true') await presence.click()
    await expect(presence).toHaveAttribute('aria-checked', 'false')
  }

  async speak(language: 'en' | 'es'): Promise<void> {
    if ((await this.page.locator('html').getAttribute('lang')) === language) return
    await this.page.locator('details.menu > summary').click()
    await this.page.locator(`button[name=language][value=${language}]`).click()
    await expect(this.page.locator('html')).toHaveAttribute('lang', language)
  }

  /** Takes over the chat that is open in the inbox. */
  async acceptChat(): Promise<void> {
    await this.page.locator('#talk-head').getByRole('button', { name: /^(Accept|Aceptar)$/ }).click()
    // Whoever has not taken it can only write notes.
    await expect(this.page.locator('#composer:not(.note-only)')).toBeVisible()
  }

  get talk(): Locator {
    return this.page.locator('#talk-log')
  }

  async say(text: string): Promise<void> {
    await this.page.locator('#say').fill(text)
    await this.page.locator('#composer').getByRole('button', { name: /^(Send|Enviar)$/ }).click()
    await expect(this.talk).toContainText(text)
  }

  /** Writes down the first name that the visitor of the open chat has told. */
  async saveName(first: string): Promise<void> {
    await this.page.locator('#talk-context').getByPlaceholder(/First name|Nombre/).fill(first)
    await this.page.locator('#talk-context').getByRole('button', { name: /name|nombre/i }).click()
    await expect(this.page.locator('#talk-head')).toContainText(first)
  }

  async suggestTimes(): Promise<void> {
    await this.page.locator('#composer').getByRole('button', { name: /Suggest times|Proponer horas/ }).click()
  }

  /** Moves the contact that is shown by the button with this name. */
  async move(name: string): Promise<void> {
    await this.page.locator('.moves').getByRole('button', { name }).click()
  }

  /** Opens the contact with this address by searching for it. */
  async openContact(email: string): Promise<Contact> {
    await this.go(`/contacts?q=${encodeURIComponent(email)}`)
    await this.page.locator('.cell-main a').first().click()
    await expect(this.page.locator('#contact')).toContainText(email)
    return new Contact(this.page)
  }
}

export class Contact {
  readonly stage: Locator
  readonly story: Locator
  readonly why: Locator

  constructor(readonly page: Page) {
    this.stage = page.locator('.person-stage .stage')
    this.story = page.locator('.contact-story')
    this.why = page.locator('details.why')
  }

  async expectStage(stage: string): Promise<void> {
    await expect(async () => {
      await this.page.reload()
      await expect(this.page.locator(`.person-stage .stage-${stage}`)).toBeVisible({ timeout: 1_000 })
    }).toPass({ timeout: 20_000 })
  }

  async openWhy(): Promise<void> {
    if ((await this.why.getAttribute('open')) === null) await this.why.locator('summary').click()
  }
}

// What a visitor can do on the site: read, agree, fill in forms, chat. She sees only what is on her screen.
import { type BrowserContext, expect, type Locator, type Page } from '@playwright/test'
import type { Language } from './embudo.ts'
import { type Words, words } from './words.ts'

/** The server whose site she visits. */
interface Where {
  url: string
}

export class Visitor {
  readonly words: Words

  private constructor(
    private readonly embudo: Where,
    readonly page: Page,
    readonly language: Language,
  ) {
    this.words = words[language]
  }

  static async on(embudo: Where, context: BrowserContext, language: Language): Promise<Visitor> {
    return new Visitor(embudo, await context.newPage(), language)
  }

  /** Opens a page of the site and waits until the page view is counted. */
  async visit(path: string): Promise<void> {
    const counted = this.page.waitForResponse((answer) => answer.url().endsWith('/v1/hit') && answer.status() === 202)
    await this.page.goto(this.embudo.url + path)
    await counted
  }

  async accept(): Promise<void> {
    await this.page.getByRole('button', { name: this.words.accept }).click()
    await expect.poll(() => this.stored('embudo.visitor')).toBeTruthy()
  }

  async decline(): Promise<void> {
    await this.page.getByRole('button', { name: this.words.decline }).click()
    await expect.poll(() => this.stored('embudo.consent')).toBe('none')
  }

  /** What the browser keeps under a key. */
  stored(key: string): Promise<string | null> {
    return this.page.evaluate((key) => localStorage.getItem(key), key)
  }

  get form(): Locator {
    return this.page.getByRole('form')
  }

  /** Asks for the white paper with the form on its page. */
  async askForPaper(email: string): Promise<void> {
    await this.visit(this.words.paper)
    const field = this.page.getByLabel(this.words.email)
    await field.pressSequentially(email, { delay: 60 })
    await this.page.getByRole('button', { name: this.words.getPaper }).click()
    await expect(this.page.getByRole('link', { name: this.words.openIt })).toBeVisible()
  }

  /** Answers the four questions of BANT. */
  async answerBant(): Promise<void> {
    await this.chat.choose(this.words.budget)
    await this.chat.choose(this.words.authority)
    await this.chat.write(this.words.need)
    await this.chat.choose(this.words.timeline)
  }

  /** Moves the booked call on its page to the last time that is offered. */
  async moveCall(): Promise<void> {
    // The link in the mail unfolds the times by itself.
    const section = this.page.locator('details', { has: this.page.locator('summary', { hasText: this.words.anotherTime }) }).first()
    if (!(await section.evaluate((details) => (details as HTMLDetailsElement).open))) await section.locator('summary').first().click()
    await section.locator('.slot-day summary').last().click()
    await section.locator('.slot-day').last().locator('.slot').last().click()
    await this.page.getByRole('button', { name: this.words.moveCall }).click()
    await expect(this.page.getByRole('status')).toBeVisible()
  }

  /** Cancels the booked call on its page. */
  async cancelCall(): Promise<void> {
    const section = this.page.locator('details', { has: this.page.locator('summary', { hasText: this.words.cancel }) }).first()
    if (!(await section.evaluate((details) => (details as HTMLDetailsElement).open))) await section.locator('summary').first().click()
    await this.page.getByRole('button', { name: this.words.cancelCall }).click()
    await expect(this.page.getByText(this.words.callCancelled)).toBeVisible()
  }

  get chat(): Chat {
    return new Chat(this.page, this.words)
  }
}

export class Chat {
  readonly panel: Locator
  readonly log: Locator
  readonly launcher: Locator

  constructor(
    readonly page: Page,
    private readonly words: Words,
  ) {
    this.panel = page.locator('embudo-chat #panel')
    this.log = this.panel.getByRole('log')
    this.launcher = page.locator('embudo-chat').getByRole('button', { name: words.openChat })
  }

  async open(): Promise<void> {
    if (!(await this.panel.isVisible())) await this.launcher.click()
    await expect(this.panel).toBeVisible()
  }

  /** Waits until the other side has said this. */
  async says(text: RegExp | string): Promise<void> {
    await expect(this.log).toContainText(text, { timeout: 30_000 })
  }

  async choose(label: RegExp | string): Promise<void> {
    await this.panel.locator('.choices').getByRole('button', { name: label }).first().click()
  }

  /** Takes the offered answer at this place, counted from 0. */
  async chooseNumber(place: number): Promise<void> {
    await this.panel.locator('.choices').getByRole('button').nth(place).click()
  }

  async write(text: string): Promise<void> {
    const line = this.panel.locator('form.composer .field')
    await line.fill(text)
    await line.press('Enter')
    await expect(this.log).toContainText(text)
  }

  get choices(): Locator {
    return this.panel.locator('.choices').getByRole('button')
  }

  get picker(): Locator {
    return this.panel.locator('form.picker')
  }

  /** Takes the first time of the last day that is offered, and says which it is. */
  async pickTime(): Promise<string> {
    await expect(this.picker).toBeVisible({ timeout: 30_000 })
    const days = this.picker.locator('fieldset.days label')
    if (await days.count()) await days.last().click()
    await this.picker.locator('.times label').first().click()
    const confirm = this.picker.getByRole('button', { name: this.words.book })
    const label = (await confirm.textContent())!
    await confirm.click()
    return label
  }

  /** Plays the recording from its own button, three times as fast, until `share` of it was seen. */
  async watch(share: number): Promise<void> {
    const video = this.panel.locator('video')
    await expect(video).toBeVisible({ timeout: 30_000 })
    await video.evaluate(async (player: HTMLVideoElement) => {
      player.muted = true
      player.playbackRate = 3
      await player.play()
    })
    await expect
      .poll(
        () =>
          video.evaluate((player: HTMLVideoElement) => {
            let seen = 0
            for (let at = 0; at < player.played.length; at++) seen += player.played.end(at) - player.played.start(at)
            return player.error ? player.error.message : seen / player.duration
          }),
        { timeout: 60_000, message: `the share of the recording that was seen` },
      )
      .toBeGreaterThanOrEqual(share)
    await video.evaluate((player: HTMLVideoElement) => player.pause())
  }
}

// A colleague at work without a browser: logs in, reads pages of the console and sends their forms.
import { type APIRequestContext, expect, request } from '@playwright/test'
import type { Embudo, Language } from '../support/embudo.ts'

/** Programs are labelled as such; whoever works and visits here is a person. */
export const BROWSER = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'

export class Colleague {
  private csrf = ''

  private constructor(private readonly api: APIRequestContext) {}

  static async logIn(embudo: Embudo, email: string): Promise<Colleague> {
    const api = await request.newContext({ baseURL: embudo.url, userAgent: BROWSER, extraHTTPHeaders: { origin: embudo.url } })
    const own = new Colleague(api)
    const answer = await api.post('/console/login', { form: { email, password: 'a lighthouse at night', next: '' } })
    expect(answer.ok(), `${email} logs in: ${answer.status()}`).toBe(true)
    own.csrf = (await own.read('')).match(/name="csrf" content="([^"]+)"/)![1]!
    return own
  }

  /** A page of the console as it is sent. */
  async read(path: string): Promise<string> {
    const answer = await this.api.get(`/console${path}`)
    expect(answer.ok(), `GET /console${path}: ${answer.status()}`).toBe(true)
    return answer.text()
  }

  /** Sends a form of the console; answers with where it leads. */
  async send(path: string, form: Record<string, string>): Promise<string> {
    const answer = await this.api.post(`/console${path}`, { form: { csrf: this.csrf, ...form }, maxRedirects: 0 })
    const told = answer.status() === 303 ? '' : (await answer.text()).replace(/<[^>]+>|\s+/g, ' ').slice(-900)
    expect(answer.status(), `POST /console${path}: ${told}`).toBe(303)
    return answer.headers().location ?? ''
  }

  /** Takes a list over: a column of it becomes what stands at its place. */
  async begin(path: string, columns: string[]): Promise<void> {
    const body = new URLSearchParams([['csrf', this.csrf], ...columns.map((column) => ['column', column] as [string, string])]).toString()
    const answer = await this.api.post(`/console${path}`, { data: body, headers: { 'content-type': 'application/x-www-form-urlencoded' }, maxRedirects: 0 })
    expect(answer.status(), `POST /console${path}`).toBe(303)
  }

  /** A new key for programs, which may do this in these parts. */
  async makeKey(name: string, scopes: Record<string, 'read' | 'write'>): Promise<string> {
    const answer = await this.api.post('/console/keys', { form: { csrf: this.csrf, name, days: '0', ...scopes } })
    const key = (await answer.text()).match(/<pre class="mail-text"[^>]*>([^<\s]+)/)?.[1]
    expect(key, `a key: ${answer.status()}`).toBeTruthy()
    return key!
  }

  async speak(language: Language): Promise<void> {
    await this.send('/language', { language, back: '/console' })
  }

  /** The contact with this address. */
  async find(email: string): Promise<string> {
    let found: string | undefined
    await expect(async () => {
      const page = await this.read(`/contacts?q=${encodeURIComponent(email)}`)
      found = page.match(/class="cell-main[^>]*>(?:<input[^>]*>)?<a href="\/console\/contacts\/([0-9a-f-]{36})"/)?.[1]
      expect(found, email).toBeTruthy()
    }).toPass({ timeout: 20_000 })
    return found!
  }

  /** The number of a colleague, as the forms of a contact offer it. */
  async accountOf(contact: string, name: string): Promise<string> {
    const page = await this.read(`/contacts/${contact}`)
    const option = page.match(new RegExp(`<option value="([0-9a-f-]{36})"[^>]*>${name}`))
    expect(option, `${name} can be given a task`).toBeTruthy()
    return option![1]!
  }

  async leaveStateIn(file: string): Promise<void> {
    await this.api.storageState({ path: file })
  }
}

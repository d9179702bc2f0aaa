// A server of its own for every walk: `embudo demo` in a fresh folder on a free port, with a real mail server.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Browser, type BrowserContext, type BrowserContextOptions, expect, test as base, type TestInfo } from '@playwright/test'
import { MailServer, root } from './mail.ts'
import { Proxy } from './proxy.ts'

export type Language = 'en' | 'es'

/** Of everybody of the sample company. */
const PASSWORD = 'a lighthouse at night'

/** Where people of each language sit. */
const PLACES: Record<Language, BrowserContextOptions> = {
  en: { locale: 'en-GB', timezoneId: 'Europe/London' },
  es: { locale: 'es-MX', timezoneId: 'America/Mexico_City' },
}

/** One server. */
interface Node {
  port: number
  child: ChildProcess
  said: string[]
}

export class Embudo {
  private readonly nodes: Node[] = []

  private constructor(
    readonly url: string,
    readonly mail: MailServer,
    readonly folder: string,
    /** What stands before several servers. */
    readonly proxy: Proxy | null = null,
  ) {}

  /** One server. `files` lie in its folder before it starts, in the place of those that the demo would write. */
  static async start(environment: Record<string, string> = {}, files: Record<string, string> = {}): Promise<Embudo> {
    const { folder, mail } = await Embudo.surroundings()
    const port = await freePort()
    const embudo = new Embudo(`http://localhost:${port}`, mail, folder)
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(folder, 'demo', name)
      mkdirSync(path.dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
    await embudo.run(port, environment)
    return embudo
  }

  /** One server that nobody has ever visited: no contact, no call, no chat, and only the administrator may log in. */
  static async startEmpty(environment: Record<string, string> = {}): Promise<Embudo> {
    const { folder, mail } = await Embudo.surroundings()
    const port = await freePort()
    const embudo = new Embudo(`http://localhost:${port}`, mail, folder)
    embudo.settle(path.join(folder, 'demo'), port)
    const settings = path.join(folder, 'demo/config/embudo.toml')
    // The demo settles its people in together with its administrator, and does not if she is there.
    const add = ['user', 'add', 'admin@faro.example', '--name', 'Ana Faro', '--role', 'admin', '--password-stdin', '--config', settings]
    execFileSync(program(), add, { cwd: root, input: `${PASSWORD}\n` })
    await embudo.run(port, environment)
    return embudo
  }

  /** `embudo serve` with hardly a setting: no site, no flow, no account. What it prints leads on. */
  static async startBare(): Promise<Embudo> {
    const { folder, mail } = await Embudo.surroundings()
    const port = await freePort()
    const embudo = new Embudo(`http://localhost:${port}`, mail, folder)
    const settings = path.join(folder, 'bare/config/embudo.toml')
    mkdirSync(path.dirname(settings), { recursive: true })
    const text = `
[server]
listen = "127.0.0.1:${port}"
public_url = "${embudo.url}"
[storage]
data = "${path.join(folder, 'bare/data')}"
[mail]
from = "hello@faro.example"
[log]
level = "warn"
`
    writeFileSync(settings, text)
    await embudo.run(port, {}, 'bare', ['serve', '--config', settings])
    return embudo
  }

  /** The link with which the first account is made. */
  get firstLink(): string {
    const [link] = /https?:\S+\/console\/setup\?token=\S+/.exec(this.output()) ?? []
    if (!link) throw new Error(`no link in what the server printed:\n${this.output()}`)
    return link
  }

  /** One server beside a site that stands elsewhere: pages of another origin, to which the server's own are foreign. */
  static async startBeside(site: string, environment: Record<string, string> = {}): Promise<Embudo> {
    const { folder, mail } = await Embudo.surroundings()
    const port = await freePort()
    const embudo = new Embudo(`http://localhost:${port}`, mail, folder)
    embudo.settle(path.join(folder, 'demo'), port, site)
    await embudo.run(port, environment)
    return embudo
  }

  /** Several servers on the same stores, and one address for them. */
  static async startTogether(count: number, environment: Record<string, string>): Promise<Embudo> {
    const { folder, mail } = await Embudo.surroundings()
    const proxy = await Proxy.start()
    const embudo = new Embudo(`http://localhost:${proxy.port}`, mail, folder, proxy)
    for (let at = 0; at < count; at++) {
      const port = await freePort()
      // As an operator tells every node: where people find all of them.
      embudo.settle(path.join(folder, `node-${at}`), port)
      await embudo.run(port, environment, `node-${at}`)
      proxy.add(port)
    }
    return embudo
  }

  private static async surroundings(): Promise<{ folder: string; mail: MailServer }> {
    const folder = mkdtempSync(path.join(tmpdir(), 'embudo-walk-'))
    return { folder, mail: await MailServer.start(path.join(folder, 'mails')) }
  }

  /** Writes the settings of a node; the demo leaves them as they are. */
  private settle(folder: string, port: number, site = this.url): void {
    mkdirSync(path.join(folder, 'config'), { recursive: true })
    mkdirSync(path.join(folder, 'data'), { recursive: true })
    const settings = `
[server]
listen = "127.0.0.1:${port}"
public_url = "${this.url}"
[company]
name = "Librería Faro"
bot_name = "Faro"
[storage]
data = "${path.join(folder, 'data')}"
[definitions]
assets = "../assets"
[forms]
check_mail_servers = false
[mail]
from = "hola@faro.example"
[[site]]
key = "faro"
name = "Librería Faro"
origins = ["${site}"]
language = "en"
time_zone = "Europe/Madrid"
[log]
level = "warn"
`
    writeFileSync(path.join(folder, 'config/embudo.toml'), settings)
  }

  private async run(port: number, environment: Record<string, string>, sub = 'demo', command?: string[]): Promise<void> {
    const said: string[] = []
    const demo = ['demo', '--port', String(port), '--folder', path.join(this.folder, sub)]
    const child = spawn(program(), command ?? demo, {
      cwd: root,
      env: { ...process.env, EMBUDO__MAIL__SMTP: `smtp+plain://127.0.0.1:${this.mail.port}`, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text) => said.push(String(text)))
    const node = { port, child, said }
    this.nodes.push(node)
    await this.becomesReady(node)
  }

  private async becomesReady({ port, child }: Node): Promise<void> {
    const until = Date.now() + 40_000
    while (Date.now() < until) {
      if (child.exitCode !== null) break
      const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => null)
      if (answer?.ok) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`the demo is not ready:\n${this.output()}`)
  }

  /** Kills one of several servers, as a power cut does. */
  kill(node: number): void {
    this.nodes[node]!.child.kill('SIGKILL')
  }

  /** Stops a single server, changes its team's file, and starts it again: the same address, data and clock. */
  async restart(team: (text: string) => string, environment: Record<string, string> = {}): Promise<void> {
    const { port, child } = this.nodes.pop()!
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
    const file = path.join(this.folder, 'demo/config/team.yaml')
    writeFileSync(file, team(readFileSync(file, 'utf8')))
    await this.run(port, environment)
  }

  /** The colleagues of the sample company, all with one password. */
  readonly people = { mike: 'mike@faro.example', yuri: 'yuri@faro.example', admin: 'admin@faro.example' }

  /** Lets somebody into the console who is none of the demo's people. */
  hire(email: string, name: string, role: string, password: string): void {
    const settings = path.join(this.folder, 'demo/config/embudo.toml')
    const add = ['user', 'add', email, '--name', name, '--role', role, '--password-stdin', '--config', settings]
    execFileSync(program(), add, { cwd: root, input: `${password}\n` })
  }

  /** The password that the demo prints. */
  get password(): string {
    const [, password] = /password {2,}(.+)/.exec(this.output()) ?? []
    if (!password) throw new Error(`no password in what the demo printed:\n${this.output()}`)
    return password
  }

  /** All that the server printed. */
  output(): string {
    return this.nodes.map(({ said }) => said.join('')).join('')
  }

  /** Moves the demo's clock: what is due meanwhile happens. */
  async later(hours: number): Promise<void> {
    await this.move({ advance_ms: String(Math.round(hours * 3_600_000)) })
  }

  /** Moves the demo's clock to a morning on which the house is open; whoever logs in does so afterwards. */
  async opens(): Promise<void> {
    await this.until(['10', '11'])
  }

  /** Moves the demo's clock to the next working day on which a clock in Madrid shows one of these hours. */
  async until(hours: string[]): Promise<void> {
    const QUARTER = 900_000
    const told = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Madrid', weekday: 'short', month: '2-digit', day: '2-digit', hour: '2-digit' })
    const now = await this.now()
    let at = now
    for (;;) {
      const part = Object.fromEntries(told.formatToParts(at).map(({ type, value }) => [type, value]))
      const isHoliday = ['08/12', '24/12', '25/12', '01/01'].includes(`${part.day}/${part.month}`)
      if (!/^S/.test(part.weekday) && !isHoliday && hours.includes(part.hour)) break
      at += QUARTER
    }
    await this.later((at - now) / 3_600_000)
  }

  /** What the demo's clock shows, in milliseconds. */
  async now(): Promise<number> {
    const answer = await fetch(`${this.url}/demo/clock`)
    return ((await answer.json()) as { now: number }).now
  }

  /** Moves the demo's clock past the webinar that lies ahead, as the button of the demo's bar does. */
  async afterWebinar(): Promise<void> {
    await this.move({ to: 'after-webinar' })
  }

  private async move(fields: Record<string, string>): Promise<void> {
    // Every server has a clock of its own.
    for (const { port, child } of this.nodes) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const answer = await fetch(`http://127.0.0.1:${port}/demo/clock`, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' })
      expect(answer.status, `the time machine: ${await answer.text()}`).toBeLessThan(400)
    }
  }

  stop(): void {
    for (const { child } of this.nodes) child.kill('SIGTERM')
    this.proxy?.stop()
    this.mail.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A fresh device of somebody who speaks `language`. */
export async function device(browser: Browser, language: Language, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext({
    ...PLACES[language],
    // The walks are people. A browser that says it runs headless is rightly labelled as a machine.
    userAgent: `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${browser.version()} Safari/537.36`,
    viewport: { width: 1280, height: 860 },
    reducedMotion: 'reduce',
    ...options,
  })
  // Nothing on any page may fail silently.
  context.on('weberror', (error) => {
    throw error.error()
  })
  return context
}

/** Which stores the walked server stands on. */
export type Mix = 'embedded' | 'postgres+redis'

/** The settings of a mix, with a database and a prefix of its own. */
function storesOf(mix: Mix): Record<string, string> {
  if (mix === 'embedded') return {}
  const { EMBUDO_TEST_POSTGRES_URL: postgres, EMBUDO_TEST_REDIS_URL: redis, PSQL } = process.env
  if (!postgres || !redis) throw new Error('EMBUDO_TEST_POSTGRES_URL and EMBUDO_TEST_REDIS_URL say where the servers are')
  const name = `walk_${randomBytes(6).toString('hex')}`
  execFileSync(PSQL ?? 'psql', ['--quiet', '--dbname', postgres, '--command', `create database ${name}`])
  const database = new URL(postgres)
  database.pathname = `/${name}`
  return {
    EMBUDO__STORAGE__POSTGRES: database.href,
    EMBUDO__STORAGE__REDIS: redis,
    EMBUDO__STORAGE__REDIS_PREFIX: name,
    EMBUDO__SERVER__SECRET: randomBytes(32).toString('hex'),
  }
}

export const test = base.extend<{ embudo: Embudo; pair: Embudo; mix: Mix }>({
  mix: ['embedded', { option: true }],
  embudo: async ({ mix }, use, info) => {
    await lend(await Embudo.start(storesOf(mix)), use, info)
  },
  pair: async ({}, use, info) => {
    await lend(await Embudo.startTogether(2, storesOf('postgres+redis')), use, info)
  },
})

async function lend(embudo: Embudo, use: (embudo: Embudo) => Promise<void>, info: TestInfo): Promise<void> {
  await use(embudo)
  if (info.status !== info.expectedStatus) await info.attach('server', { body: embudo.output() })
  embudo.stop()
}

export { expect }

function program(): string {
  return path.resolve(root, process.env.EMBUDO_BIN ?? 'target/debug/embudo')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve((address as { port: number }).port))
    })
  })
}

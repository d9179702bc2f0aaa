// The inbox of everybody in the story: aiosmtpd, which can also be taken down (see tests/tools/smtp.py).
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { expect } from '@playwright/test'

export const root = path.resolve(import.meta.dirname, '../../..')

export interface Mail {
  envelope_to: string[]
  from: string
  to: string
  subject: string
  message_id: string
  headers: Record<string, string>
  text: string
  html: string
  calendar: string | null
}

export interface CalendarEvent {
  uid: string
  summary: string
  description: string
  location: string
  sequence: number
  status: string
  starts_at: number
  ends_at: number
  organizer: string
  attendees: string[]
}

export function python(): string {
  const venv = path.join(root, 'target/tools/venv/bin/python')
  return process.env.EMBUDO_TEST_PYTHON ?? (existsSync(venv) ? venv : 'python3')
}

export class MailServer {
  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly child: ChildProcess,
    private readonly answers: Interface,
  ) {}

  static async start(folder: string): Promise<MailServer> {
    const child = spawn(python(), [path.join(root, 'tests/tools/smtp.py'), folder], { stdio: ['pipe', 'pipe', 'inherit'] })
    const answers = createInterface({ input: child.stdout! })
    const port = Number((await nextLine(answers)).replace('port ', ''))
    return new MailServer(port, folder, child, answers)
  }

  async behave(manner: 'accept' | 'down' | 'busy' | 'refuse' | 'forbid' | 'drop' | 'lost'): Promise<void> {
    const answer = nextLine(this.answers)
    this.child.stdin!.write(`${manner}\n`)
    expect(await answer).toBe(manner)
  }

  all(): Mail[] {
    return readdirSync(this.folder)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => JSON.parse(readFileSync(path.join(this.folder, name), 'utf8')) as Mail)
  }

  to(address: string, subject: RegExp = /./): Mail[] {
    return this.all().filter((mail) => mail.envelope_to.includes(address) && subject.test(mail.subject))
  }

  /** Waits for the first mail to `address` whose subject is like `subject`. */
  async receive(address: string, subject: RegExp): Promise<Mail> {
    await expect
      .poll(() => this.all().map((mail) => `${mail.envelope_to.join()}: ${mail.subject}`), {
        message: `a mail to ${address} like ${subject}`,
        timeout: 30_000,
      })
      .toContainEqual(expect.stringMatching(new RegExp(`${escape(address)}.*: .*${subject.source.replace(/^\^/, "")}`, subject.flags)))
    return this.to(address, subject)[0]!
  }

  stop(): void {
    this.child.kill()
  }
}

/** The first link of the mail's text whose path begins with `start`. */
export function linkIn(mail: Mail, start: string, nth = 0): string {
  const links = mail.text.match(/https?:\/\/[^\s<>"]+/g) ?? []
  const link = links.filter((link) => new URL(link).pathname.startsWith(start)).at(nth)
  expect(link, `a link to ${start} in the mail “${mail.subject}”:\n${mail.text}`).toBeTruthy()
  return link!
}

/** What a calendar program that is not ours reads in the mail's invitation. */
export async function calendarIn(mail: Mail): Promise<{ method: string; events: CalendarEvent[] }> {
  expect(mail.calendar, `an invitation in the mail “${mail.subject}”`).toBeTruthy()
  const { execFileSync } = await import('node:child_process')
  const script = path.join(root, 'tests/tools/calendar_read.py')
  return JSON.parse(execFileSync(python(), [script], { input: mail.calendar! }).toString())
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function nextLine(lines: Interface): Promise<string> {
  return new Promise((resolve, reject) => {
    lines.once('line', resolve)
    lines.once('close', () => reject(new Error('the mail server ended; is aiosmtpd installed? scripts/test does it')))
  })
}

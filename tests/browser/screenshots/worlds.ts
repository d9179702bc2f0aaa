// The servers that are photographed: in each language one where a great deal goes on, one where nothing has happened, and one
// with the made-up month, a long list of people and a colleague who has left.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Embudo, Language } from '../support/embudo.ts'
import { root } from '../support/mail.ts'

/** Where the pictures and the sheet lie. */
export const PICTURES = path.join(root, 'target/screenshots/pages')
const WORLDS = path.join(root, 'target/screenshots/worlds.json')

/** One server, as the tests that photograph it know it. */
export interface World {
  url: string
  /** Where the mails of its SMTP server lie. */
  mails: string
  /** The state of a browser in which this colleague is logged in, by name. */
  colleagues: Record<string, string>
  /** Contacts, conversations and links by what they are an example of. */
  known: Record<string, string>
}

export type Kind = 'busy' | 'empty' | 'month'
export type Worlds = Record<Language, Record<Kind, World>>

export const nameOf = (language: Language, kind: Kind) => `${language}-${kind}`

/** What a started server is called from now on. */
export function worldOf(embudo: Embudo, colleagues: Record<string, string>, known: Record<string, string>): World {
  return { url: embudo.url, mails: path.join(embudo.folder, 'mails'), colleagues, known }
}

export function keep(worlds: Worlds): void {
  mkdirSync(path.dirname(WORLDS), { recursive: true })
  writeFileSync(WORLDS, JSON.stringify(worlds, null, 1))
}

export function worlds(): Worlds {
  return JSON.parse(readFileSync(WORLDS, 'utf8')) as Worlds
}

/** A list in an environment variable, separated by commas. */
export function chosen<T extends string>(name: string, all: readonly T[]): T[] {
  const asked = (process.env[name] ?? '').split(',').filter(Boolean)
  const unknown = asked.filter((one) => !all.includes(one as T))
  if (unknown.length) throw new Error(`${name}: there is no ${unknown.join(', ')}; choose of ${all.join(', ')}`)
  return asked.length ? all.filter((one) => asked.includes(one)) : [...all]
}

export const LANGUAGES = chosen<Language>('LANGUAGES', ['en', 'es'])

// Starts the servers and lets a working morning happen on the busy ones, all of them at once.
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { chromium, type FullConfig } from '@playwright/test'
import { Embudo, type Language } from '../support/embudo.ts'
import { Colleague } from './colleague.ts'
import { fill } from './seed.ts'
import { hooks } from './hooks.ts'
import { pass } from './month.ts'
import { keep, LANGUAGES, PICTURES, type World, type Worlds, worldOf } from './worlds.ts'

/** Everybody comes from one address here, and in a hurry. */
const ROOM = Object.fromEntries(['FORMS__PER_MINUTE', 'FORMS__BURST', 'BOOKINGS__PER_MINUTE', 'BOOKINGS__BURST', 'CHAT__OPENED_PER_MINUTE', 'CHAT__OPENED_BURST'].map((key) => [`EMBUDO__${key}`, '1000']))

export default async function setup(config: FullConfig): Promise<() => void> {
  const started: Embudo[] = []
  const stop = () => started.forEach((embudo) => embudo.stop())
  const begun = Date.now()
  const tell = (what: string) => console.log(`${Math.round((Date.now() - begun) / 1000)} s  ${what}`)
  const browser = await chromium.launch(config.projects[0]!.use.launchOptions)
  const states = path.join(PICTURES, '../states')
  mkdirSync(states, { recursive: true })

  const logIn = async (embudo: Embudo, name: string, email: string, language: Language): Promise<string> => {
    const colleague = await Colleague.logIn(embudo, email)
    await colleague.speak(language)
    const file = path.join(states, `${new URL(embudo.url).port}-${name}.json`)
    await colleague.leaveStateIn(file)
    return file
  }
  const busy = async (language: Language): Promise<World> => {
    const embudo = await Embudo.start(ROOM, { 'config/notify.yaml': hooks() })
    started.push(embudo)
    tell(`${language}: the server runs, a morning begins`)
    const known = await fill(embudo, browser, language, (what) => tell(`${language}: ${what}`))
    const colleagues: Record<string, string> = {}
    for (const [name, email] of Object.entries(embudo.people)) colleagues[name] = await logIn(embudo, name, email, language)
    return worldOf(embudo, colleagues, known)
  }
  const empty = async (language: Language): Promise<World> => {
    const embudo = await Embudo.startEmpty(ROOM)
    started.push(embudo)
    await embudo.until(['21'])
    return worldOf(embudo, { admin: await logIn(embudo, 'admin', embudo.people.admin, language) }, {})
  }
  const month = async (language: Language): Promise<World> => {
    const embudo = await Embudo.startEmpty(ROOM)
    started.push(embudo)
    const known = await pass(embudo, language, ROOM)
    tell(`${language}: a month has been made up`)
    return worldOf(embudo, { admin: await logIn(embudo, 'admin', embudo.people.admin, language) }, known)
  }
  try {
    const all = {} as Worlds
    await Promise.all(LANGUAGES.map(async (language) => {
      const [one, other, third] = await Promise.all([busy(language), empty(language), month(language)])
      all[language] = { busy: one, empty: other, month: third }
    }))
    keep(all)
  } catch (error) {
    for (const embudo of started) console.error(embudo.output().slice(-1500))
    stop()
    throw error
  } finally {
    await browser.close()
  }
  tell('the servers are ready')
  return stop
}

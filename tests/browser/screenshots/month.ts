// A company that has been here for a while: the made-up month, a list of people that was brought, and calls ahead that a
// colleague left behind.
import { expect } from '@playwright/test'
import type { Embudo, Language } from '../support/embudo.ts'
import { Colleague } from './colleague.ts'

const FIRST = ['Marta', 'Oliver', 'Lucía', 'Hannah', 'Iker', 'Sven', 'Chloé', 'Aitana', 'Paulo', 'Ingrid', 'Tomás', 'Wanda']
const LAST = ['Ferrer', 'Novak', 'Ibáñez', 'Lindqvist', 'Moreau', 'Castaño', 'Okafor', 'Bianchi', 'Vidal', 'Petersen', 'Quintana']
const WORK = ['HR Manager', 'Head of People', 'Directora de Formación', 'Office Manager', 'Chief Learning Officer', 'Responsable de Cultura']
const FIRMS = ['Nordlicht Verlag', 'Cooperativa Agroalimentaria del Guadalquivir', 'Harbour & Sons', 'Talleres Unzué', 'Monte Alto', 'Fjordkraft', 'Tinta Viva', 'Solbrillante', 'Olmos Textil']

/** 240 people of nine companies, and three lines that are no one. */
function list(): string {
  const people = Array.from({ length: 240 }, (_, n) => {
    const [first, last, firm] = [FIRST[n % 12]!, LAST[(n * 7) % 11]!, n % 9]
    const plain = `${first}.${last}${n}`.normalize('NFD').replace(/[^\w.]/g, '').toLowerCase()
    return `${plain}@firm-${firm}.example,${first},${last},${FIRMS[firm]},${WORK[n % 6]},+34 600 0${String(n).padStart(2, '0').slice(-2)} ${100 + n}`
  })
  return ['email,first name,last name,company,job title,phone', ...people, 'nobody,Bob,,,,', 'x@,Eve,,,,', ',,,,,'].join('\n')
}

export async function pass(embudo: Embudo, language: Language, environment: Record<string, string>): Promise<Record<string, string>> {
  await embudo.opens()
  const admin = await Colleague.logIn(embudo, embudo.people.admin)
  const known: Record<string, string> = {}

  const name = language === 'es' ? 'Feria del Libro de Guadalajara' : 'Guadalajara Book Fair'
  const brought = await admin.send('/contacts/imports', { name, text: list() })
  const again = await admin.send('/contacts/imports', { name: language === 'es' ? 'La misma lista otra vez' : 'The same list again', text: list() })
  known['import looked through'] = again.replace('/console', '')
  known['import done'] = brought.replace('/console', '')
  await begin(admin, known['import done'])
  await admin.send('/start/sample', {})
  await admin.send('/contacts/acts', { query: 'q=petersen', what: 'enter:faro-leads', scope: 'all' })

  await leave(embudo, language, environment)
  // Today tells of conversations and calls as of this morning.
  await embudo.later(0.1)
  known['carmen'] = await admin.find('carmen@sample-nordwind.example')
  return known
}

/** Takes a list over, with the columns that the page suggests. */
async function begin(admin: Colleague, path: string): Promise<void> {
  const page = await admin.read(path)
  const columns = [...page.matchAll(/<select id="column-\d+" name="column">([^]*?)<\/select>/g)].map(([, options]) => /value="([^"]*)" selected/.exec(options!)?.[1] ?? '')
  await admin.begin(`${path}/begin`, columns)
  await expect(async () => expect(await admin.read(path)).toContain('refused.csv')).toPass({ timeout: 30_000 })
  await admin.find('sven.novak')
}

/** Two calls at the same time are Mike's and Lucía's; then Lucía is in the team's file no more. */
async function leave(embudo: Embudo, language: Language, environment: Record<string, string>): Promise<void> {
  const zone = 'Europe/Madrid'
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' })
  const free = (await (await fetch(`${embudo.url}/v1/slots?meeting=discovery&zone=${zone}`, { headers: { origin: embudo.url } })).json()) as { slots: { starts_at: number }[] }
  const times = free.slots.filter(({ starts_at }) => clock.format(starts_at) === '17:00')
  for (const [at, who] of ['Marta', 'Oliver', 'Hannah', 'Iker'].entries()) {
    const answer = await fetch(`${embudo.url}/v1/bookings`, {
      method: 'POST',
      headers: { origin: embudo.url, 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
      body: JSON.stringify({ meeting: 'discovery', starts_at: times[at >> 1]!.starts_at, zone, language, name: who, email: `${who.toLowerCase()}@harbourline.example`, answers: { people: 80 + at, reads: 'club' } }),
    })
    expect(answer.ok, `a call at 17:00: ${answer.status}`).toBe(true)
  }
  await embudo.restart((text) => {
    const without = text.replace(/ {2}- id: lucia\n(?: {4}.*\n|\n(?= {4}))*/, '').replace('reps: [mike, lucia]', 'reps: [mike]')
    if (without.includes('lucia@')) throw new Error('Lucía is in config/team.yaml otherwise now')
    return without
  }, environment)
}

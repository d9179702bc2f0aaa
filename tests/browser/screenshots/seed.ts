// A working morning at the sample company: visitors, leads, calls, chats, tasks, and a few things that went wrong.
import { randomBytes } from 'node:crypto'
import { type Browser, expect } from '@playwright/test'
import { device, type Embudo, type Language } from '../support/embudo.ts'
import { Console } from '../support/console.ts'
import { Visitor } from '../support/visitor.ts'
import { BROWSER, Colleague } from './colleague.ts'

interface Person {
  email: string
  first: string
  title: string
  employees: number
}

/** Whom the morning brings; two of them have names and addresses that are longer than anybody plans for. */
const PEOPLE = {
  lead: { email: 'pam@olmos-textil.example', first: 'Pamela', title: 'Office Manager', employees: 40 },
  mql: { email: 'ines.duarte@solbrillante.example', first: 'Inés', title: 'HR Business Partner', employees: 310 },
  sql: { email: 'nikki@olmos-textil.example', first: 'Nikki', title: 'VP People', employees: 420 },
  sal: { email: 'g.whitfield@harbourline.example', first: 'Grace', title: 'Director of Learning', employees: 1200 },
  customer: { email: 'paula@montealto.example', first: 'Paula', title: 'Directora de Personas', employees: 260 },
  at_risk: { email: 'henrik@fjordkraft.example', first: 'Henrik', title: 'Chief People Officer', employees: 900 },
  churned: { email: 'sofia@tintaviva.example', first: 'Sofía', title: 'Directora general', employees: 35 },
  long: {
    email: 'maria-del-carmen.fernandez-villaverde@cooperativa-agroalimentaria-guadalquivir.example',
    first: 'María del Carmen Fernández-Villaverde y Ortiz de Zárate',
    title: 'Directora de Desarrollo de Personas, Cultura Organizacional y Formación Continua',
    employees: 2400,
  },
} satisfies Record<string, Person>

const PLACES: Record<Language, { zone: string; language: string; paths: [string, string][] }> = {
  en: { zone: 'Europe/London', language: 'en-GB', paths: [['/en/', 'Librería Faro'], ['/en/pricing.html', 'Pricing'], ['/en/resources.html', 'Resources'], ['/en/webinars.html', 'Webinars']] },
  es: { zone: 'Europe/Madrid', language: 'es-ES', paths: [['/es/', 'Librería Faro'], ['/es/precios.html', 'Precios'], ['/es/recursos.html', 'Recursos'], ['/es/webinars.html', 'Webinars']] },
}

/** Lets it all happen; answers with the contacts, conversations and links that are worth a picture. */
export async function fill(embudo: Embudo, browser: Browser, language: Language, tell: (what: string) => void): Promise<Record<string, string>> {
  const known: Record<string, string> = {}
  await embudo.opens()
  const admin = await Colleague.logIn(embudo, embudo.people.admin)
  const yuri = await Colleague.logIn(embudo, embudo.people.yuri)
  const mike = await Colleague.logIn(embudo, embudo.people.mike)

  // Notices are written in the language that their reader has when they come.
  for (const colleague of [admin, yuri, mike]) await colleague.speak(language)

  await forms(embudo, language)
  const ids: Record<string, string> = {}
  for (const [role, person] of Object.entries(PEOPLE)) ids[role] = await admin.find(person.email)
  tell('eight people have asked for the white paper')

  await register(embudo, language, [PEOPLE.mql, PEOPLE.long])
  for (const [role, person] of Object.entries(PEOPLE)) {
    if (role === 'lead' || role === 'mql') continue
    const links = await book(embudo, language, person)
    // The last call that is booked lies ahead when the pictures are taken.
    for (const [name, path] of Object.entries(links)) known[`link ${name}`] = embudo.url + path
  }
  for (const role of ['sal', 'customer', 'at_risk', 'churned']) await yuri.send(`/contacts/${ids[role]}/stage`, { role: 'ae', what: 'accept' })
  for (const role of ['customer', 'at_risk', 'churned']) await yuri.send(`/contacts/${ids[role]}/stage`, { role: 'ae', what: 'won' })
  for (const subject of ['Late delivery', 'Wrong titles']) {
    await yuri.send(`/contacts/${ids.at_risk}/events`, { kind: 'complaint', subject, note: uuid7(Date.now()) })
  }
  tell('calls are booked, deals are won')

  await work(mike, yuri, ids, language)
  // Whose calendar cannot be read cannot be booked: Yuri's, whom nobody books here.
  await yuri.send('/calendars/yuri/connect', { kind: 'ics', address: 'https://calendar.faro.example/yuri/private.ics', login: '', password: '', write: '' })
  await question(embudo, browser, language, tell)
  await visits(embudo, language)
  await oddities(embudo, admin, mike, ids, language)
  // The first call is over, and what cannot be sent was given up.
  await embudo.later(2.6)
  await chats(embudo, browser, language, known, tell)
  await visits(embudo, language)
  for (const [role, id] of Object.entries(ids)) known[`contact ${role}`] = id
  await links(embudo, language, known)
  tell('a morning has passed')
  return known
}

// ---- visitors -------------------------------------------------------------------------------------

async function post(embudo: Embudo, path: string, body: string | URLSearchParams, headers: Record<string, string> = {}): Promise<Response> {
  const answer = await fetch(embudo.url + path, { method: 'POST', body, headers: { 'user-agent': BROWSER, origin: embudo.url, ...headers } })
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${(await answer.text()).replace(/<[^>]+>|\s+/g, ' ').slice(0, 600)}`)
  return answer
}

/** Several people read pages just now; most of them are nobody yet. */
async function visits(embudo: Embudo, language: Language): Promise<void> {
  const { paths, language: tag } = PLACES[language]
  const referrers = ['https://www.google.com/', 'https://www.linkedin.com/', 'https://duckduckgo.com/', '']
  const now = await embudo.now()
  const hits = Array.from({ length: 9 }, (_, at) => {
    const [path, title] = paths[at % paths.length]!
    return {
      id: uuid7(now), site: 'faro', name: 'page', url: embudo.url + path, referrer: referrers[at % referrers.length], title,
      visitor: uuid7(now), consent: 'analytics', language: tag, engaged_ms: 0,
    }
  })
  await post(embudo, '/v1/hit', JSON.stringify(hits), { 'content-type': 'text/plain' })
}

/** Everybody asks for the white paper and for advice, and tells a little of herself. */
async function forms(embudo: Embudo, language: Language): Promise<void> {
  for (const form of ['white-paper', 'reading-advice']) {
    const nonces = await Promise.all(Object.values(PEOPLE).map(() => nonceOf(embudo, `/f/${form}?lang=${language}`)))
    // Whoever is faster than a few seconds is a machine.
    await embudo.later(0.002)
    for (const [at, person] of Object.values(PEOPLE).entries()) {
      const fields = { email: person.email, nonce: nonces[at]!, zone: PLACES[language].zone, agreed: at % 2 ? 'newsletter' : '', warned: '1' }
      const more = form === 'reading-advice' ? { employees: String(person.employees), country: 'ES', first_name: person.first, job_title: person.title } : {}
      await post(embudo, `/f/${form}?site=faro&lang=${language}`, new URLSearchParams({ ...fields, ...more }))
    }
  }
}

async function nonceOf(embudo: Embudo, path: string): Promise<string> {
  const page = await (await fetch(embudo.url + path, { headers: { 'user-agent': BROWSER } })).text()
  const nonce = page.match(/name="nonce" value="([^"]+)"/)?.[1]
  if (!nonce) throw new Error(`no form at ${path}`)
  return nonce
}

async function register(embudo: Embudo, language: Language, people: Person[]): Promise<void> {
  const path = `/w/reading-culture-live?lang=${language}`
  const nonces = await Promise.all(people.map(() => nonceOf(embudo, path)))
  await embudo.later(0.002)
  for (const [at, person] of people.entries()) {
    await post(embudo, '/w/reading-culture-live', new URLSearchParams({ email: person.email, nonce: nonces[at]!, zone: PLACES[language].zone }))
  }
}

/** Books the first time that is free; answers with the links to the call, by what they are good for. */
async function book(embudo: Embudo, language: Language, person: Person): Promise<Record<string, string>> {
  const { zone } = PLACES[language]
  const free = (await (await fetch(`${embudo.url}/v1/slots?meeting=discovery&zone=${zone}`, { headers: { origin: embudo.url } })).json()) as { slots: { starts_at: number }[] }
  const slot = free.slots[0]
  if (!slot) throw new Error('no time is free')
  const body = {
    meeting: 'discovery', starts_at: slot.starts_at, zone, language, name: person.first, email: person.email,
    answers: { people: person.employees, reads: 'club' }, notes: language === 'es' ? 'Empezaríamos con dos equipos en enero.' : 'We would begin with two teams in January.',
  }
  const answer = await post(embudo, '/v1/bookings', JSON.stringify(body), { 'content-type': 'application/json', 'idempotency-key': uuid7(Date.now()) })
  const { manage, links } = (await answer.json()) as { manage: string; links: { view: string; cancel: string } }
  return { booking: manage, 'booking seen': links.view, 'booking cancel': links.cancel }
}

// ---- colleagues -----------------------------------------------------------------------------------

/** What is to be done, for whom and until when; one of them should have been done long ago. */
async function work(mike: Colleague, yuri: Colleague, ids: Record<string, string>, language: Language): Promise<void> {
  const say = (en: string, es: string) => (language === 'es' ? es : en)
  const mikes = await mike.accountOf(ids.sql!, 'Mike Torres')
  const yuris = await mike.accountOf(ids.sql!, 'Yuri Navarro')
  const tasks = [
    { kind: 'call', title: say('Ask whether two circles are enough for the start', 'Preguntar si bastan dos círculos para empezar'), account: mikes, due: '2026-11-20' },
    { kind: 'mail', title: say('Send the list of titles for beginners in Spanish, with the prices for the hardcover and the paperback editions', 'Enviar la lista de títulos para principiantes en español, con los precios de las ediciones de tapa dura y de bolsillo'), account: mikes, due: '2026-12-11' },
    { kind: 'meeting', title: say('Prepare the review', 'Preparar la revisión'), account: yuris, due: '' },
  ]
  for (const [at, task] of tasks.entries()) await mike.send(`/contacts/${[ids.sql, ids.long, ids.customer][at]}/tasks`, task)
  await mike.send(`/contacts/${ids.sql}/handover`, { role: 'ae', account: '', note: say('Budget is there; she wants to begin in January.', 'Hay presupuesto; quiere empezar en enero.') })
  await yuri.send(`/contacts/${ids.customer}/handover`, { role: 'cs', account: '', note: '' })
  await mike.send(`/contacts/${ids.sql}/call`, {
    outcome: 'reached', incoming: '0', at: '', minutes: '14', summary: say('She compares us with two others. Wants a price for 420 people.', 'Nos compara con otros dos. Quiere un precio para 420 personas.'), next: '', task_kind: 'call', task_title: '', task_account: mikes, task_due: '', role: 'ae', account: '', note: '',
  })
}

/** A program gives an offer to three people; one of them uses it up. */
async function offers(embudo: Embudo, admin: Colleague, ids: Record<string, string>): Promise<void> {
  const headers = { authorization: `Bearer ${await admin.makeKey('Shop', { sales: 'write' })}`, 'content-type': 'application/json', 'idempotency-key': '' }
  const tell = async (path: string, body: object): Promise<Response> => fetch(`${embudo.url}/api/v1${path}`, { method: 'POST', headers: { ...headers, 'idempotency-key': crypto.randomUUID() }, body: JSON.stringify(body) })
  const codes: string[] = []
  for (const role of ['sql', 'long', 'sal']) {
    const answer = await tell(`/contacts/${ids[role]}/offers/first-circle`, {})
    const given = (await answer.json()) as { code?: string }
    if (!given.code) throw new Error(`no code for ${role}: ${answer.status} ${JSON.stringify(given)}`)
    codes.push(given.code)
  }
  const used = await tell('/offers/redeem', { code: codes[0] })
  if (!used.ok) throw new Error(`a code is used up: ${used.status} ${await used.text()}`)
}

async function oddities(embudo: Embudo, admin: Colleague, mike: Colleague, ids: Record<string, string>, language: Language): Promise<void> {
  const path = `/f/reading-advice?site=faro&lang=${language}`
  const nonce = await nonceOf(embudo, path)
  await embudo.later(0.002)
  await post(embudo, path, new URLSearchParams({ email: 'win@prizes.example', nonce, employees: '3', first_name: 'See https://prizes.example/now', job_title: 'Winner', warned: '1' }))
  await mike.send('/replies', {
    was: '', shortcut: 'pilot', title_en: 'The pilot', title_es: 'El piloto',
    text_en: 'A pilot is one circle of twelve people for three months.\nYou pay it when you go on.', text_es: 'Un piloto es un círculo de doce personas durante tres meses.\nSe paga cuando seguís.',
  })
  await admin.send('/team/absences', { rep: 'lucia', from: '2026-12-14', to: '2026-12-18', delegate: 'mike', note: 'Feria de Guadalajara' })
  await offers(embudo, admin, ids)
  const page = await admin.read('/lifecycle/propose')
  const text = page.match(/<textarea id="text"[^>]*>([^]*?)<\/textarea>/)?.[1]
  if (!text) throw new Error('the page of the lifecycle shows no text to change')
  const plain = text.replaceAll('&quot;', '"').replaceAll('&#x27;', "'").replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&').replaceAll('&#x3D;', '=').replaceAll('&#x60;', '`')
  const changed = plain.replace('version: 1\n', 'version: 2\n').replace('points: 15\n      half_life: 7d', 'points: 20\n      half_life: 7d')
  await admin.send('/lifecycle/propose', { text: changed, note: language === 'es' ? 'Los precios dicen más de lo que les reconocíamos.' : 'The prices tell more than we gave them credit for.' })
}

// ---- chats ----------------------------------------------------------------------------------------

/** A visitor who has looked at the prices and opens the chat. */
async function chatter(embudo: Embudo, browser: Browser, language: Language, email?: string): Promise<Visitor> {
  const visitor = await Visitor.on(embudo, await device(browser, language), language)
  await visitor.visit(visitor.words.home)
  await visitor.accept()
  if (email) await visitor.askForPaper(email)
  await visitor.visit(visitor.words.pricing)
  await visitor.chat.open()
  return visitor
}

/** Somebody asks for a person when nobody is there, and leaves a question. */
async function question(embudo: Embudo, browser: Browser, language: Language, tell: (what: string) => void): Promise<void> {
  const es = language === 'es'
  const { chat, page, words } = await chatter(embudo, browser, language)
  await chat.choose(words.person)
  await chat.choose(es ? 'Dejar una pregunta' : 'Leave a question')
  await chat.choose(es ? 'De precios' : 'Prices')
  await chat.write(es ? '¿Hacéis factura desde México?' : 'Do you send invoices from Mexico?')
  await chat.panel.locator('form.composer input[type=email]').fill('quique@papelera-norte.example')
  await page.keyboard.press('Enter')
  await chat.says(es ? 'lo tenemos' : 'we have it')
  tell('a question was left in the chat')
}

/** One talk with Mike is over, one goes on. */
async function chats(embudo: Embudo, browser: Browser, language: Language, known: Record<string, string>, tell: (what: string) => void): Promise<void> {
  const es = language === 'es'
  const mike = await Console.logIn(embudo, await device(browser, language), embudo.people.mike, embudo.password)
  await mike.speak(language)
  await mike.goOnline()
  const take = async (): Promise<string> => {
    await mike.go('/inbox?view=waiting')
    await mike.page.locator('.threads a').first().click()
    await mike.acceptChat()
    return mike.page.url().match(/inbox\/([0-9a-f-]{36})/)![1]!
  }
  for (const [name, email] of [['closed', 'sofia@tintaviva.example'], ['mine', PEOPLE.sql.email]] as const) {
    const visitor = await chatter(embudo, browser, language, email)
    await visitor.chat.choose(visitor.words.person)
    await visitor.chat.says(es ? 'aviso' : 'asking a colleague')
    known[`conversation ${name}`] = await take()
    await mike.say(visitor.words.mikeAsks)
    await visitor.chat.says(visitor.words.mikeAsks)
    await visitor.chat.write(es ? 'Hola. ¿Cuánto costaría para 200 personas, con los libros en español y en inglés?' : 'Hello. What would it cost for 200 people, with the books in Spanish and in English?')
    await mike.say(es ? 'Para 200 son 15 € por persona y mes, con un anfitrión para cada círculo.' : 'For 200 it is 15 € a person and month, with a host for every circle.')
    await visitor.chat.says('15 €')
    if (name === 'closed') {
      await mike.page.locator('#talk-head').getByRole('button', { name: es ? /Cerrar/ : /Close/ }).click()
      await visitor.chat.panel.getByRole('button', { name: /^4 / }).click()
      await visitor.chat.panel.locator('form.rating').getByRole('button', { name: es ? 'Enviar' : 'Send' }).click()
    } else {
      await visitor.chat.write(es ? 'Suena bien. ¿Y con tapa dura?' : 'Sounds good. And in hardcover?')
      await mike.page.locator('label', { hasText: es ? 'Nota' : 'Note' }).first().click()
      await mike.page.locator('#say').fill(es ? 'Decide en enero. No presionar.' : 'Decides in January. Do not press.')
      await mike.page.locator('#composer').getByRole('button', { name: es ? /nota/i : /note/i }).click()
      await expect(mike.talk.locator('.from-note')).toHaveCount(1)
      // Whoever has been answered waits for nobody: the talk stays Mike's when he closes the page.
      await mike.page.locator('[name=kind][value=say]').check({ force: true })
      await mike.say(es ? 'Con tapa dura son 17 €. ¿Te lo enseño en una llamada corta?' : 'In hardcover it is 17 €. Shall I show you in a short call?')
    }
  }
  tell('two have talked with Mike')
}

// ---- links ----------------------------------------------------------------------------------------

/** The kinds of pages that only a mail leads to, by the start of their paths. */
const LINKS = { download: '/d/', letter: '/preferences/', preferences: '/preferences/', unsubscribe: '/u/', subscribe: '/s/', place: '/w/reading-culture-live/place/', watch: '/watch/' }

async function links(embudo: Embudo, language: Language, known: Record<string, string>): Promise<void> {
  // Only whoever asks is mailed the page of preferences.
  await fetch(`${embudo.url}/preferences?site=faro&lang=${language}`, { method: 'POST', body: new URLSearchParams({ email: PEOPLE.sql.email }), headers: { 'user-agent': BROWSER, origin: embudo.url } })
  const missing = () => Object.keys(LINKS).filter((name) => !known[`link ${name}`])
  const until = Date.now() + 15_000
  while (missing().length && Date.now() < until) {
    for (const mail of embudo.mail.all()) {
      for (const link of `${mail.text} ${mail.html} ${Object.values(mail.headers).join(' ')}`.match(/https?:\/\/[^\s<>"]+/g) ?? []) {
        const { pathname } = new URL(link)
        // The link of a letter, which has a way out beside it, opens another page than the one that was asked for.
        const isLetter = mail.text.includes('/u/')
        for (const [name, start] of Object.entries(LINKS)) {
          if (!pathname.startsWith(start) || (name === 'letter' && !isLetter) || (name === 'preferences' && isLetter)) continue
          known[`link ${name}`] ??= link.replaceAll('&amp;', '&')
        }
      }
    }
    if (missing().length) await new Promise((done) => setTimeout(done, 300))
  }
}

/** A new number as every program of ours makes them (RFC 9562, 5.7). */
function uuid7(at: number): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(at, 0, 6)
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

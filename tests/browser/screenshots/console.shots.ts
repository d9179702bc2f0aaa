// Every page of the console: with a morning's data, and with none.
import type { Page } from '@playwright/test'
import { expect, test } from './shoot.ts'

/** Pages that are their address. */
const PAGES: [name: string, path: string, who?: 'admin' | 'mike' | 'yuri'][] = [
  ['today', ''],
  ['contacts', '/contacts'],
  ['contacts-stage', '/contacts?stage=customer'],
  ['contacts-filtered', '/contacts?owner=-&seen=30&sort=name'],
  ['contacts-imports', '/contacts/imports'],
  ['contacts-none-found', '/contacts?q=nobody-has-this-name'],
  ['live', '/live'],
  ['live-known', '/live?who=known', 'mike'],
  ['work', '/work', 'mike'],
  ['work-all', '/work?view=all&tasks=all'],
  ['pipeline', '/pipeline'],
  ['bookings', '/bookings'],
  ['bookings-open', '/bookings?view=open'],
  ['bookings-past', '/bookings?view=past'],
  ['calendar', '/bookings/calendar?rep=mike'],
  ['calendar-day', '/bookings/calendar?rep=team&span=day'],
  ['calendar-team', '/bookings/calendar?rep=team&span=week'],
  ['content', '/content'],
  ['content-form', '/content/forms/white-paper'],
  ['content-file', '/content/files/reading-guide'],
  ['content-webinar', '/content/webinars/reading-at-work'],
  ['content-offer', '/content/offers/first-circle'],
  ['content-sequence', '/content/sequences/faro-leads'],
  ['flows', '/flows'],
  ['flow', '/flows/welcome'],
  ['flow-step', '/flows/welcome?step=menu'],
  ['flow-edit', '/flows/welcome/edit'],
  ['flow-try', '/flows/welcome/try'],
  ['flow-history', '/flows/welcome/history'],
  ['flow-check', '/checks/G201'],
  ['lifecycle', '/lifecycle'],
  ['lifecycle-propose', '/lifecycle/propose'],
  ['segments', '/segments'],
  ['segments-costs', '/segments?costs=1'],
  ['segment', '/segments/guide_readers'],
  ['outbox', '/outbox'],
  ['mails', '/mails'],
  ['mail-preview', '/mails/booking_confirmed'],
  ['mail-preview-text', '/mails/booking_confirmed?part=text'],
  ['notifications', '/notifications', 'mike'],
  ['calendars', '/calendars'],
  ['calendars-own', '/calendars', 'yuri'],
  ['team', '/team'],
  ['team-sdr', '/team', 'mike'],
  ['team-hours', '/team/hours', 'mike'],
  ['replies', '/replies', 'mike'],
  ['quarantine', '/quarantine'],
  ['addresses', '/addresses'],
  ['audit', '/audit'],
  ['reports', '/reports'],
  ['report-funnel', '/reports/funnel'],
  ['report-velocity', '/reports/velocity'],
  ['report-attribution', '/reports/attribution'],
  ['report-acceptance', '/reports/acceptance'],
  ['report-webinars', '/reports/webinars'],
  ['report-content', '/reports/content'],
  ['report-bot', '/reports/bot'],
  ['report-response', '/reports/response'],
  ['report-bookings', '/reports/bookings'],
  ['report-churn', '/reports/churn'],
  ['report-mail', '/reports/mail'],
  ['report-health', '/reports/health'],
  ['traffic', '/traffic'],
  ['traffic-pages', '/traffic/by/page'],
  ['traffic-filtered', '/traffic/filtered'],
  ['traffic-funnels', '/traffic/funnels'],
  ['traffic-settings', '/traffic/settings'],
  ['calendar-week', '/bookings/calendar'],
  ['booking-new', '/bookings/new'],
  ['crm', '/crm'],
  ['settings', '/settings'],
  ['settings-mike', '/settings', 'mike'],
  ['accounts', '/accounts'],
  ['account', '/account', 'mike'],
  ['account-second-factor', '/account/second-factor', 'mike'],
  ['api-keys', '/keys'],
  ['health', '/health'],
  ['retention', '/retention'],
  ['sites', '/sites'],
  ['start', '/start'],
  ['mail-setup', '/mail'],
  ['error-not-found', '/nothing-here'],
  ['error-forbidden', '/addresses', 'mike'],
]

for (const [name, path, who] of PAGES) {
  test(`console/${name}`, async ({ studio }) => {
    await studio.shoot(await studio.console(path, who), `console/${name}`)
  })
}

const EMPTY = ['', '/inbox', '/contacts', '/work', '/pipeline', '/bookings', '/content', '/live', '/outbox', '/notifications', '/replies', '/quarantine', '/addresses', '/audit', '/team', '/calendars', '/sites', '/start', '/mail']
for (const path of EMPTY) {
  const name = `console/empty-${path.slice(1) || 'today'}`
  test(name, async ({ studio }) => {
    await studio.shoot(await studio.console(path, 'admin', 'empty'), name)
  })
}

for (const role of ['lead', 'mql', 'sql', 'sal', 'customer', 'at_risk', 'long']) {
  test(`console/contact-${role}`, async ({ studio }) => {
    const page = await studio.console(`/contacts/${studio.world().known[`contact ${role}`]}`, role === 'sql' ? 'mike' : 'yuri')
    await studio.shoot(page, `console/contact-${role}`)
  })
}

test('console/contact-unfolded', async ({ studio }) => {
  const page = await studio.console(`/contacts/${studio.world().known['contact sql']}`, 'yuri')
  await page.locator('details').evaluateAll((all) => all.forEach((one) => one.closest('main') && one.setAttribute('open', '')))
  await studio.shoot(page, 'console/contact-unfolded')
})

for (const [name, path] of [['contact-call', '/call'], ['contact-erase', '/erase'], ['contact-merge', '/merge']] as const) {
  test(`console/${name}`, async ({ studio }) => {
    const { known } = studio.world()
    const other = name === 'contact-merge' ? `?with=${known['contact lead']}&email=${encodeURIComponent('pam@olmos-textil.example')}` : ''
    await studio.shoot(await studio.console(`/contacts/${known['contact sql']}${path}${other}`), `console/${name}`)
  })
}

test('console/contact-conflict', async ({ studio }) => {
  const page = await studio.console(`/contacts/${studio.world().known['contact sql']}`, 'mike')
  // As if a colleague had written another name since the page was opened.
  await page.locator('form[action$="/name"] [name="was_first_name"]').evaluate((was: HTMLInputElement) => {
    was.value = 'Nobody'
    was.form!.querySelector<HTMLInputElement>('[name="first_name"]')!.value = 'Nicole'
    was.form!.submit()
  })
  await expect(page.locator('#mine-0')).toHaveValue('Nicole')
  await studio.shoot(page, 'console/contact-conflict')
})

test('console/outbox-mail', async ({ studio }) => {
  const page = await studio.console('/outbox')
  await page.locator('.row-link a').first().click()
  await studio.shoot(page, 'console/outbox-mail')
})

// ---- inbox ----------------------------------------------------------------------------------------

/** As it stands when it is opened in a window of this width. */
const toTheEnd = (page: Page) => async () => {
  await page.locator('#talk-log').evaluate((log) => log.scrollTo(0, log.scrollHeight))
}

test('console/inbox', async ({ studio }) => {
  await studio.shoot(await studio.console('/inbox', 'mike'), 'console/inbox', { fullPage: false })
})

test('console/inbox-talk', async ({ studio }) => {
  const page = await studio.console(`/inbox/${studio.world().known['conversation mine']}`, 'mike')
  await studio.shoot(page, 'console/inbox-talk', { fullPage: false, before: toTheEnd(page) })
})

test('console/inbox-closed', async ({ studio }) => {
  const page = await studio.console(`/inbox/${studio.world().known['conversation closed']}?view=closed`, 'mike')
  await studio.shoot(page, 'console/inbox-closed', { fullPage: false, before: toTheEnd(page) })
})

test('console/inbox-context', async ({ studio }) => {
  const page = await studio.console(`/inbox/${studio.world().known['conversation mine']}`, 'mike')
  const before = async () => {
    const about = page.locator('.talk-about')
    if (await about.isVisible()) await about.click()
  }
  await studio.shoot(page, 'console/inbox-context', { fullPage: false, before })
})

test('console/inbox-note', async ({ studio }) => {
  const page = await studio.console(`/inbox/${studio.world().known['conversation mine']}`, 'mike')
  await page.locator('[name=kind][value=note]').check({ force: true })
  await studio.shoot(page, 'console/inbox-note', { fullPage: false, before: toTheEnd(page) })
})

test('console/inbox-replies', async ({ studio }) => {
  const page = await studio.console(`/inbox/${studio.world().known['conversation mine']}`, 'mike')
  await page.locator('#say').fill('/')
  await expect(page.getByRole('option').first()).toBeVisible()
  await studio.shoot(page, 'console/inbox-replies', { fullPage: false })
})

for (const [name, key] of [['inbox-pass-on', 't'], ['inbox-transcript', 'm']] as const) {
  test(`console/${name}`, async ({ studio }) => {
    const page = await studio.console(`/inbox/${studio.world().known['conversation mine']}`, 'mike')
    await page.locator(`summary[data-key="${key}"]`).click()
    await studio.shoot(page, `console/${name}`, { fullPage: false })
  })
}

test('console/inbox-waiting', async ({ studio }) => {
  const visitor = await studio.visitor()
  await visitor.visit(visitor.words.home)
  await visitor.accept()
  await visitor.chat.open()
  await visitor.chat.choose(visitor.words.person)
  const page = await studio.console('/inbox?view=waiting', 'mike')
  await expect(page.locator('.threads .badge.warn').first()).toBeVisible()
  await page.locator('.threads a').first().click()
  await studio.shoot(page, 'console/inbox-waiting', { fullPage: false, before: toTheEnd(page) })
})

// ---- what lies over a page ------------------------------------------------------------------------

test('console/menu', async ({ studio }) => {
  const page = await studio.console('', 'mike')
  await page.locator('details.menu > summary').click()
  await studio.shoot(page, 'console/menu', { fullPage: false })
})

for (const dialog of ['notices', 'keys']) {
  test(`console/${dialog}`, async ({ studio }) => {
    const page = await studio.console(`/inbox/${studio.world().known['conversation mine']}`, 'mike')
    await page.locator('details.menu > summary').click()
    await page.locator(`[data-open=${dialog}]`).click()
    await studio.shoot(page, `console/${dialog}`, { fullPage: false })
  })
}

test('console/more', async ({ studio }) => {
  const page = await studio.console('')
  const before = async (width: number) => {
    const more = page.locator('.rail-more details')
    if (width === 390) await more.locator('summary').click()
    else await more.evaluate((details: HTMLDetailsElement) => (details.open = false))
  }
  await studio.shoot(page, 'console/more', { fullPage: false, before })
})

test('console/without-connection', async ({ studio }) => {
  const page = await studio.console(`/inbox/${studio.world().known['conversation mine']}`, 'mike')
  await page.context().setOffline(true)
  await expect(page.locator('#offline')).toBeVisible({ timeout: 60_000 })
  await studio.shoot(page, 'console/without-connection', { fullPage: false })
})

test('console/focus', async ({ studio }) => {
  const page = await studio.console('/contacts')
  for (let tabs = 0; tabs < 3; tabs++) await page.keyboard.press('Tab')
  await page.locator('.chip').nth(1).focus()
  await page.keyboard.press('Tab')
  await studio.shoot(page, 'console/focus', { fullPage: false })
})

test('console/login', async ({ studio }) => {
  await studio.shoot(await studio.open('/console/login'), 'console/login')
})

test('console/login-refused', async ({ studio }) => {
  const page = await studio.open('/console/login')
  await page.locator('#email').fill('mike@faro.example')
  await page.locator('#password').fill('not this one')
  await page.locator('main form button').click()
  await expect(page.getByRole('alert')).toBeVisible()
  await studio.shoot(page, 'console/login-refused')
})

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
  ['companies', '/companies'],
  ['companies-none-found', '/companies?q=nobody-has-this-name'],
  ['contacts-none-found', '/contacts?q=nobody-has-this-name'],
  ['live', '/live'],
  ['live-known', '/live?who=known', 'mike'],
  ['work', '/work', 'mike'],
  ['work-all', '/work?view=all&tasks=all'],
  ['pipeline', '/pipeline'],
  ['bookings', '/bookings'],
  ['bookings-open', '/bookings?view=open'],
  ['bookings-past', '/bookings?view=past'],
  ['bookings-cancelled', '/bookings?view=cancelled'],
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
  ['traffic-sources', '/traffic/by/source'],
  ['traffic-countries', '/traffic/by/country'],
  ['traffic-funnels', '/traffic/funnels'],
  ['traffic-funnel-new', '/traffic/funnels/build'],
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

/** What a company sees that has been here for a while. */
const MONTH: [name: string, path: string][] = [
  ['today', ''],
  ['inbox', '/inbox?view=closed'],
  ['contacts', '/contacts'],
  ['contacts-next', '/contacts?sort=name'],
  ['companies', '/companies'],
  ['pipeline', '/pipeline'],
  ['bookings', '/bookings'],
  ['bookings-past', '/bookings?view=past'],
  ['content', '/content'],
  ['content-sequence', '/content/sequences/faro-leads'],
  ['traffic', '/traffic?site=zz-sample'],
  ['traffic-pages', '/traffic/by/page?site=zz-sample'],
  ['traffic-filtered', '/traffic/filtered?site=zz-sample'],
  ['reports', '/reports'],
  ['report-funnel', '/reports/funnel'],
  ['report-velocity', '/reports/velocity'],
  ['report-attribution', '/reports/attribution'],
  ['report-bookings', '/reports/bookings'],
  ['report-bot', '/reports/bot'],
  ['audit', '/audit'],
  ['imports', '/contacts/imports'],
  ['start', '/start'],
]
for (const [name, path] of MONTH) {
  test(`console/month-${name}`, async ({ studio }) => {
    await studio.shoot(await studio.console(path, 'admin', 'month'), `console/month-${name}`)
  })
}

for (const [name, which] of [['import', 'import looked through'], ['import-done', 'import done']] as const) {
  test(`console/month-${name}`, async ({ studio }) => {
    await studio.shoot(await studio.console(studio.world('month').known[which]!, 'admin', 'month'), `console/month-${name}`)
  })
}

test('console/month-contact', async ({ studio }) => {
  await studio.shoot(await studio.console(`/contacts/${studio.world('month').known.carmen}`, 'admin', 'month'), 'console/month-contact')
})

test('console/month-company', async ({ studio }) => {
  const page = await studio.console('/companies', 'admin', 'month')
  await page.locator('.row-link a').first().click()
  await expect(page.locator('#people-title')).toBeVisible()
  await studio.shoot(page, 'console/month-company')
})

test('console/month-inbox-talk', async ({ studio }) => {
  const page = await studio.console('/inbox?view=closed', 'admin', 'month')
  await page.locator('.threads a').first().click()
  await expect(page.locator('#talk-log')).toBeVisible()
  await studio.shoot(page, 'console/month-inbox-talk', { fullPage: false, before: toTheEnd(page) })
})

// ---- what is done to many -------------------------------------------------------------------------

test('console/bulk', async ({ studio }) => {
  const page = await studio.console('/contacts?q=quintana', 'admin', 'month')
  for (let at = 0; at < 3; at++) await page.locator('.row-box').nth(at).check()
  await studio.shoot(page, 'console/bulk-ticked', { fullPage: false })
  await page.locator('details:has(#act-form) > summary').click()
  await studio.shoot(page, 'console/bulk-open', { fullPage: false })
  await page.locator('#give-owner').selectOption({ label: 'Ana Faro' })
  await page.locator('#act-form button[value=chosen]').click()
  await expect(page.locator('form[action$="/undo"]')).toBeVisible({ timeout: 30_000 })
  await studio.shoot(page, 'console/bulk-done')
})

test('console/bulk-erase', async ({ studio }) => {
  const page = await studio.console('/contacts?q=okafor', 'admin', 'month')
  await page.locator('.row-box').first().check()
  await page.locator('details:has(#act-form) > summary').click()
  await page.locator('#give-owner').selectOption('erase')
  await page.locator('#act-form button[value=chosen]').click()
  await studio.shoot(page, 'console/bulk-erase')
})

test('console/filters', async ({ studio }) => {
  const page = await studio.console('/contacts', 'admin', 'month')
  for (const [at, name] of [[0, 'filters'], [1, 'views'], [2, 'columns']] as const) {
    await page.locator('details.drop').evaluateAll((all) => all.forEach((one) => one.removeAttribute('open')))
    await page.locator('details.drop > summary').nth(at).click()
    await studio.shoot(page, `console/contacts-${name}`, { fullPage: false })
  }
})

// ---- pages that another page leads to -------------------------------------------------------------

const BEHIND: [name: string, path: string, link: string][] = [
  ['booking', '/bookings', 'a.button[href^="/console/bookings/"]:not([href$="/new"])'],
  ['booking-past', '/bookings?view=open', 'a.button[href^="/console/bookings/"]:not([href$="/new"])'],
  ['company', '/companies', '.row-link a'],
  ['lifecycle-version', '/lifecycle', '#main ul.lines a[href^="/console/lifecycle/versions/"]'],
  ['flow-version', '/flows/welcome/history', 'main a[href*="/history/"]'],
]
for (const [name, path, link] of BEHIND) {
  test(`console/${name}`, async ({ studio }) => {
    const page = await studio.console(path)
    await page.locator(link).first().click()
    await page.waitForURL((url) => !`${url.pathname}${url.search}`.endsWith(path))
    await studio.shoot(page, `console/${name}`)
  })
}

test('console/live-visitor', async ({ studio }) => {
  const visitor = await studio.visitor()
  await visitor.visit(visitor.words.home)
  await visitor.accept()
  await visitor.visit(visitor.words.pricing)
  const page = await studio.console('/live')
  await page.locator('.live-rows .cell-main a').first().click()
  await expect(page.locator('#way-title')).toBeVisible()
  await studio.shoot(page, 'console/live-visitor')
})

test('console/booking-gone', async ({ studio }) => {
  const page = await studio.console('/bookings', 'admin', 'month')
  await page.locator('section[aria-labelledby=gone-title] a').first().click()
  await expect(page.locator('[role=note]').first()).toBeVisible()
  await studio.shoot(page, 'console/booking-gone')
})

test('console/contact-simulate', async ({ studio }) => {
  await studio.shoot(await studio.console(`/contacts/${studio.world().known['contact sql']}/simulate`), 'console/contact-simulate')
})

test('console/lifecycle-trial', async ({ studio }) => {
  const page = await studio.console('/lifecycle')
  await page.locator('#main ul.lines a[href^="/console/lifecycle/versions/"]').first().click()
  await page.locator('form[action="/console/lifecycle/trials"] button.primary').click()
  await expect(page.locator('[data-goes-on]')).toHaveCount(0, { timeout: 60_000 })
  await studio.shoot(page, 'console/lifecycle-trial')
})

// ---- what somebody just did -----------------------------------------------------------------------

test('console/contact-two-people', async ({ studio }) => {
  const path = `/contacts/${studio.world().known['contact churned']}`
  const mine = await studio.console(path, 'mike')
  const theirs = await studio.console(path, 'yuri')
  for (const [page, name] of [[theirs, 'Sofía Elena'], [mine, 'Sofi']] as const) {
    const form = page.locator('form[action$="/name"]')
    await form.locator('[name=first_name]').evaluate((input: HTMLInputElement, name) => (input.value = name), name)
    await Promise.all([page.waitForEvent('load'), form.evaluate((form: HTMLFormElement) => form.submit())])
  }
  await expect(mine.locator('#mine-first_name')).toBeVisible()
  await studio.shoot(mine, 'console/contact-two-people')
})

test('console/mail-dns', async ({ studio }) => {
  const page = await studio.console('/mail')
  await page.locator('form[action="/console/mail/look"] button').click()
  await expect(page.locator('section[aria-labelledby=dns-title] .lines, section[aria-labelledby=dns-title] .notice').first()).toBeVisible({ timeout: 60_000 })
  await studio.shoot(page, 'console/mail-dns')
})

test('console/key-made', async ({ studio }) => {
  const page = await studio.console('/keys', 'admin', 'month')
  await page.locator('form[action="/console/keys"] [name=name]').fill('Zapier')
  await page.locator('fieldset.scopes select').first().selectOption('read')
  await page.locator('form[action="/console/keys"] button.primary').click()
  await expect(page.locator('section[aria-labelledby=made-title]')).toBeVisible()
  await studio.shoot(page, 'console/key-made')
})

const EMPTY = ['', '/inbox', '/contacts', '/companies', '/work', '/pipeline', '/bookings', '/content', '/flows', '/traffic', '/reports', '/reports/funnel', '/segments', '/keys', '/live', '/outbox', '/notifications', '/replies', '/quarantine', '/addresses', '/audit', '/team', '/calendars', '/sites', '/start', '/mail']
for (const path of EMPTY) {
  const name = `console/empty-${path.slice(1).replace('/', '-') || 'today'}`
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

test('console/forgot', async ({ studio }) => {
  await studio.shoot(await studio.open('/console/forgot'), 'console/forgot')
})

test('console/setup-closed', async ({ studio }) => {
  await studio.shoot(await studio.open('/console/setup'), 'console/setup-closed')
})

test('console/login-refused', async ({ studio }) => {
  const page = await studio.open('/console/login')
  await page.locator('#email').fill('mike@faro.example')
  await page.locator('#password').fill('not this one')
  await page.locator('main form button').click()
  await expect(page.getByRole('alert')).toBeVisible()
  await studio.shoot(page, 'console/login-refused')
})

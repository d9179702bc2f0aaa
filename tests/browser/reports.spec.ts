// Reports as somebody looks at them: all twelve, with filters and files, in two languages, on a screen and on a phone.
import { device, expect, test } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { expectAccessible, look } from './support/look.ts'

const REPORTS = [
  'funnel', 'velocity', 'attribution', 'acceptance', 'webinars', 'content', 'bot', 'response', 'bookings', 'churn',
  'mail', 'health',
]

test('twelve reports, days, chips, files, two languages, phone width @pictures', async ({ embudo, browser }) => {
  await embudo.opens()
  const admin = await Console.logIn(embudo, await device(browser, 'en'), 'admin@faro.example', embudo.password)
  await admin.speak('en')
  const { page } = admin

  await test.step('the list leads to each of them', async () => {
    await admin.go('')
    await page.keyboard.press('g')
    await page.keyboard.press('r')
    await expect(page.getByRole('heading', { level: 1, name: 'Reports' })).toBeVisible()
    await expect(page.locator('.report-item')).toHaveCount(REPORTS.length)
    await look(page, 'reports-00-list')
    await page.getByRole('link', { name: 'Funnel', exact: true }).click()
    await expect(page).toHaveURL(/\/console\/reports\/funnel/)
  })

  await test.step('days, and what they are held against, stay in the address from report to report', async () => {
    await page.locator('.drop > summary').first().click()
    await page.getByRole('link', { name: 'Last 30 days' }).click()
    await expect(page).toHaveURL(/range=30d/)
    await page.locator('.report-others').getByRole('link', { name: 'Velocity' }).click()
    await expect(page).toHaveURL(/velocity\?range=30d/)
  })

  await test.step('a filter is put together in the form, turned round and taken away', async () => {
    await admin.go('/reports/funnel')
    await page.getByText('Filter', { exact: true }).first().click()
    await page.locator('#filter-by').selectOption('company')
    await page.locator('#filter-value').fill('(none)')
    await page.getByRole('button', { name: 'Filter', exact: true }).click()
    const chip = page.locator('.filter-chip')
    await expect(chip).toContainText('Company is Not known')
    await chip.getByRole('link').first().click()
    await expect(chip).toContainText('Company is not Not known')
    await chip.getByRole('link', { name: /Take this filter away/ }).click()
    await expect(chip).toHaveCount(0)
  })

  await test.step('every report is for everybody to read', async () => {
    for (const [at, report] of REPORTS.entries()) {
      await admin.go(`/reports/${report}`)
      await look(page, `reports-${String(at + 1).padStart(2, '0')}-${report}`)
    }
  })

  await test.step('a table is a file', async () => {
    await admin.go('/reports/funnel')
    const file = page.waitForEvent('download')
    await page.locator('a[href*="table=stages"]').click()
    expect((await file).suggestedFilename()).toMatch(/^funnel-stages-.*\.csv$/)
  })

  await test.step('in Spanish on a phone nothing sticks out', async () => {
    await admin.go('')
    await admin.speak('es')
    await page.setViewportSize({ width: 390, height: 844 })
    for (const report of ['', ...REPORTS.map((report) => `/${report}`)]) {
      await admin.go(`/reports${report}`)
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), report).toBeLessThanOrEqual(0)
      await expectAccessible(page)
    }
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Salud de los datos')
  })
})

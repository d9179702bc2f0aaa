// Traffic as marketing looks at it: range, filter, funnel, shared link, on a screen and on a phone.
import { device, expect, test } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { expectAccessible, look } from './support/look.ts'
import { Visitor } from './support/visitor.ts'

test('range, filter chips, a funnel by clicking, a shared link, phone width @pictures', async ({ embudo, browser }) => {
  await embudo.opens()
  const nikki = await Visitor.on(embudo, await device(browser, 'en'), 'en')
  const { words } = nikki
  await nikki.visit(words.home)
  await nikki.accept()
  await nikki.visit(words.paper)
  const admin = await Console.logIn(embudo, await device(browser, 'en'), 'admin@faro.example', embudo.password)
  await admin.speak('en')
  const { page } = admin

  await test.step('who has just come is counted, and how many are there is told while the page is open', async () => {
    await expect(async () => {
      await admin.go('/traffic?range=today')
      await expect(page.locator('#pages .value').filter({ hasText: words.paper })).toBeVisible({ timeout: 1000 })
    }).toPass()
    await expect(page.locator('.live-count')).toContainText(/on the site now/)
    await look(page, 'traffic-01-overview')
  })

  await test.step('another range, and another comparison', async () => {
    await page.locator('.drop > summary').first().click()
    await page.getByRole('link', { name: 'Last 7 days' }).click()
    await expect(page).toHaveURL(/range=7d/)
    await page.locator('.drop > summary').nth(1).click()
    await page.getByRole('link', { name: 'A year before' }).click()
    await expect(page).toHaveURL(/compare=year/)
    await expect(page.locator('.chart-slot')).toHaveCount(7)
  })

  await test.step('a row becomes a chip, which is turned round and taken away', async () => {
    await page.locator('#pages .value').filter({ hasText: words.paper }).getByRole('link').click()
    const chip = page.locator('.filter-chip')
    await expect(chip).toContainText(`Page is ${words.paper}`)
    await chip.getByRole('link').first().click()
    await expect(chip).toContainText(`Page is not ${words.paper}`)
    await look(page, 'traffic-02-filtered-by')
    await chip.getByRole('link', { name: /Take this filter away/ }).click()
    await expect(chip).toHaveCount(0)
  })

  await test.step('a funnel is clicked together and saved', async () => {
    await page.getByRole('link', { name: 'Funnels', exact: true }).click()
    await page.getByRole('link', { name: 'Build a funnel' }).click()
    await page.getByRole('link', { name: `+ ${words.home}`, exact: true }).click()
    await page.getByRole('link', { name: `+ ${words.paper}`, exact: true }).click()
    await expect(page.locator('.funnel-step')).toHaveCount(2)
    await page.getByLabel('Name', { exact: true }).fill('To the paper')
    await look(page, 'traffic-03-funnel')
    await page.getByRole('button', { name: 'Save the funnel' }).click()
    await expect(page.getByRole('heading', { name: 'To the paper' })).toBeVisible()
    await look(page, 'traffic-04-funnels')
  })

  await test.step('a link shows the numbers to whoever has it, and nothing when it is ended', async () => {
    await admin.go('/traffic/settings')
    await page.getByLabel('For whom').fill('Agency')
    await page.getByRole('button', { name: 'Make a link' }).click()
    const link = (await page.locator('.share-link').getAttribute('href'))!
    const stranger = await (await device(browser, 'es', { viewport: { width: 390, height: 844 } })).newPage()
    await stranger.goto(link)
    await expect(stranger.locator('h1')).toContainText('Tráfico')
    await expect(stranger.locator('a[href*="/console"]')).toHaveCount(0)
    await look(stranger, 'traffic-05-shared')
    await look(page, 'traffic-06-settings')
    await page.getByRole('button', { name: /End it/ }).click()
    const gone = await stranger.goto(link)
    expect(gone?.status()).toBe(410)
  })

  await test.step('on a phone nothing sticks out', async () => {
    await page.setViewportSize({ width: 390, height: 844 })
    for (const path of ['/traffic', '/traffic/by/page', '/traffic/filtered', '/traffic/funnels', '/traffic/settings']) {
      await admin.go(path)
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), path).toBeLessThanOrEqual(0)
      await expectAccessible(page)
    }
  })
})

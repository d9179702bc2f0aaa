// The team's calls: a calendar to see them in, a call booked for a contact, moved, passed on and cancelled, by keyboard and on a phone.
import { device, expect, test, type Language } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { expectAccessible, look } from './support/look.ts'

const WORDS = {
  en: { fresh: 'Book a call', book: 'Book it', booked: 'The call is booked', move: 'Move the call', moved: 'has its new time', pass: 'Pass it on', passed: 'is passed on', cancel: 'Cancel the call', cancelled: 'is cancelled', show: 'Show times', team: 'Team', day: 'Day', after: 'After' },
  es: { fresh: 'Reservar una llamada', book: 'Reservar', booked: 'La llamada está reservada', move: 'Cambiar la hora', moved: 'tiene su nueva hora', pass: 'Pasarla', passed: 'está pasada', cancel: 'Cancelar la llamada', cancelled: 'está cancelada', show: 'Ver horas', team: 'Equipo', day: 'Día', after: 'Después' },
}

for (const language of ['en', 'es'] as Language[]) {
  test(`the team books, moves, passes on and cancels a call, ${language} @pictures`, async ({ embudo, browser }) => {
    await embudo.opens()
    const words = WORDS[language]
    const admin = await Console.logIn(embudo, await device(browser, language), 'admin@faro.example', embudo.password)
    await admin.speak(language)
    const { page } = admin
    const fits = async () => {
      // Between two pages there is none to measure.
      await page.waitForLoadState()
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      expect(wide, `${page.url()} is as wide as the screen`).toBeLessThanOrEqual(0)
    }
    const done = async (text: string) => expect(page.getByRole('status').filter({ hasText: text })).toBeVisible()

    await test.step('from the page of a contact', async () => {
      await admin.go('/contacts')
      await page.locator('.cell-main a').first().click()
      await page.getByRole('link', { name: words.fresh }).click()
      await page.locator('#new-rep').selectOption('mike')
      await page.locator('#new-meeting').selectOption('discovery')
      await page.getByRole('button', { name: words.show }).click()
      await expectAccessible(page)
      await look(page, `calls-01-new-${language}`)
      await page.locator('#new-at').selectOption({ index: 3 })
      await page.getByRole('button', { name: words.book, exact: true }).click()
      await done(words.booked)
      await expectAccessible(page)
      await look(page, `calls-02-call-${language}`)
    })

    await test.step('moved, passed on', async () => {
      await page.locator('#move-to').selectOption({ index: 2 })
      await page.getByRole('button', { name: words.move }).click()
      await done(words.moved)
      await page.locator('#pass-reason').fill('Mike')
      await page.getByRole('button', { name: words.pass }).click()
      await done(words.passed)
    })

    const call = page.url()
    await test.step('in the calendar, by the keyboard, and on a phone', async () => {
      const id = new URL(call).pathname
      await admin.go('/bookings/calendar?rep=team&span=week')
      const card = page.locator(`.cal-call a[href="${id}"]`)
      for (let weeks = 0; weeks < 3 && (await card.count()) === 0; weeks += 1) {
        await page.getByRole('link', { name: words.after }).click()
      }
      await expectAccessible(page)
      await look(page, `calls-03-week-${language}`)
      await card.first().focus()
      await page.keyboard.press('Enter')
      await expect(page).toHaveURL(new RegExp(`${id}$`))
      await page.goBack()
      await page.setViewportSize({ width: 390, height: 844 })
      await expect(card.first()).toBeVisible()
      await fits()
      await expectAccessible(page)
      await look(page, `calls-04-phone-${language}`)
      await page.getByRole('link', { name: words.day, exact: true }).click()
      await fits()
      for (const path of ['/bookings', '/bookings?view=cancelled', id.replace('/console', '')]) {
        await admin.go(path)
        await fits()
      }
    })

    await test.step('cancelled, it is gone from the calendar', async () => {
      await page.goto(call)
      await page.locator('#cancel-reason').fill('Ill')
      await page.getByRole('button', { name: words.cancel }).click()
      await done(words.cancelled)
      await admin.go('/bookings/calendar?rep=team&span=week')
      await expect(page.locator(`a[href="${new URL(call).pathname}"]`)).toHaveCount(0)
    })
  })
}

// The story that must always work, from the first page view to the customer, in English and in Spanish.
import { device, expect, type Language, test } from './support/embudo.ts'
import { look } from './support/look.ts'
import { calendarIn, linkIn } from './support/mail.ts'
import { Console } from './support/console.ts'
import { Visitor } from './support/visitor.ts'

const NIKKI = 'nikki@olmos-textil.example'

for (const language of ['en', 'es'] as Language[]) {
  test(`the whole story in ${language} @pictures`, async ({ embudo, browser }) => {
    const shot = (name: string) => `${language}-${name}`
    const nikki = await Visitor.on(embudo, await device(browser, language), language)
    const { words, page, chat } = nikki
    const mike = await Console.logIn(embudo, await device(browser, language), embudo.people.mike, embudo.password)
    await mike.speak(language)

    await test.step('1. an unknown visitor opens the site', async () => {
      await nikki.visit(words.home)
      await look(page, shot('01-home-consent'))
      expect(await nikki.stored('embudo.visitor'), 'nothing is stored before she agrees').toBeNull()
      await nikki.accept()
      await nikki.visit(words.pricing)
      await look(page, shot('01-pricing'))
      await mike.go('')
      await expect(mike.page.locator('main')).toContainText(words.pricing)
      await look(mike.page, shot('01-console-today'))
    })

    await test.step('2. she asks for a white paper with her e-mail only and is a lead', async () => {
      await nikki.visit(words.paper)
      await look(page, shot('02-paper'))
      await nikki.askForPaper(NIKKI)
      await look(page, shot('02-paper-done'))

      const [download] = await Promise.all([
        page.context().waitForEvent('page'),
        page.getByRole('link', { name: words.openIt }).click(),
      ])
      await look(download, shot('02-download'))
      const [file] = await Promise.all([
        download.waitForEvent('download'),
        download.getByRole('button', { name: words.download }).click(),
      ])
      expect(file.suggestedFilename()).toMatch(/\.pdf$/)
      await download.close()

      const mail = await embudo.mail.receive(NIKKI, words.paperMail)
      const confirmed = page.waitForResponse((answer) => answer.url().endsWith('/v1/confirm'))
      await page.goto(linkIn(mail, '/d/'))
      expect((await confirmed).status(), 'opened on the device that asked: confirmed').toBe(200)

      const contact = await mike.openContact(NIKKI)
      await contact.expectStage('lead')
      await expect(contact.story, 'what she read before she had a name').toContainText(words.pricing)
      await look(mike.page, shot('02-console-lead'))
    })

    await test.step('3. invited by mail she registers for the webinar and is an MQL', async () => {
      const invitation = await embudo.mail.receive(NIKKI, words.inviteMail)
      await page.goto(linkIn(invitation, '/w/'))
      await look(page, shot('03-webinar'))
      await page.getByRole('button', { name: words.saveSeat }).click()
      await expect(page.getByRole('heading', { name: words.seatSaved })).toBeVisible()
      await look(page, shot('03-webinar-done'))
      const seat = await embudo.mail.receive(NIKKI, words.seatMail)
      expect((await calendarIn(seat)).events).toHaveLength(1)

      const contact = await mike.openContact(NIKKI)
      await contact.expectStage('mql')
      await contact.openWhy()
      await expect(contact.why).toContainText(/webinar/i)
      await look(mike.page, shot('03-console-mql'))
    })

    await test.step('4. she does not attend and is marked no_show', async () => {
      await nikki.visit(words.home)
      const reloaded = page.waitForEvent('load')
      await page.getByRole('button', { name: words.afterWebinar }).click()
      await reloaded
      // She is away until she comes back: somebody who stayed might be asked about the white paper meanwhile.
      await page.goto('about:blank')
      const contact = await mike.openContact(NIKKI)
      await expect(async () => {
        await mike.page.reload()
        await expect(contact.story).toContainText(words.didNotCome, { timeout: 1_000 })
      }).toPass({ timeout: 20_000 })
      await look(mike.page, shot('04-console-no-show'))
    })

    await test.step('5. she comes back, and the chatbot knows that she missed it', async () => {
      await mike.goOnline()
      await mike.go('/inbox')
      await look(mike.page, shot('05-console-inbox-empty'))
      await nikki.visit(words.home)
      await expect(chat.panel, 'the flow opens the chat by itself').toBeVisible({ timeout: 20_000 })
      await chat.says(words.missed)
      await expect(chat.choices.first()).toBeVisible()
      await look(page, shot('05-chat-greeting'), { fullPage: false })
    })

    await test.step('6. she watches the recording, wants a call, and answers four questions', async () => {
      await chat.choose(words.watchNow)
      await expect(chat.panel.locator('video')).toBeVisible({ timeout: 30_000 })
      await look(page, shot('06-chat-recording'), { fullPage: false })
      await chat.watch(0.65)
      await chat.choose(words.wantsCall)
      await look(page, shot('06-chat-bant'), { fullPage: false })
      await nikki.answerBant()
    })

    await test.step('7. Mike is online, takes the chat over and suggests times', async () => {
      await expect(mike.page.locator('.inbox-list .threads li').first()).toBeVisible({ timeout: 20_000 })
      await look(page, shot('07-chat-waiting'), { fullPage: false })
      await mike.page.locator('.inbox-list .threads a').first().click()
      await look(mike.page, shot('07-console-waiting'))
      await mike.acceptChat()
      await chat.says(/Mike/)
      await mike.say(words.mikeAsks)
      await chat.says(words.mikeAsks)
      await chat.write(words.nikkiSays)
      await expect(mike.talk).toContainText('Nikki')
      await look(mike.page, shot('07-console-talk'))
      await mike.saveName('Nikki')
      await mike.suggestTimes()
      await expect(chat.picker).toBeVisible({ timeout: 30_000 })
      await look(page, shot('07-chat-times'), { fullPage: false })
    })

    let manage = ''
    await test.step('8. she picks a time: booked, an SQL, everybody is told', async () => {
      await chat.pickTime()
      await chat.says(words.booked)
      await look(page, shot('08-chat-booked'), { fullPage: false })

      const mail = await embudo.mail.receive(NIKKI, words.bookedMail)
      // The last one is the button, which moves it; the one before cancels it.
      manage = linkIn(mail, '/b/', -1)
      const { method, events } = await calendarIn(mail)
      expect(method).toBe('REQUEST')
      expect(events).toHaveLength(1)
      expect(events[0]!.ends_at).toBeGreaterThan(events[0]!.starts_at)
      expect(events[0]!.attendees.join()).toContain(NIKKI)

      const told = await embudo.mail.receive(embudo.people.mike, words.repMail)
      expect(told.text).toContain(NIKKI)
      const contact = await mike.openContact(NIKKI)
      await contact.expectStage('sql')
      await contact.openWhy()
      await look(mike.page, shot('08-console-sql'))
      await mike.go('/notifications')
      await expect(mike.page.locator('#notifications')).toContainText('Nikki')
      await look(mike.page, shot('08-console-notifications'))
      await mike.go('/bookings')
      await expect(mike.page.locator('main')).toContainText('Nikki')
      await look(mike.page, shot('08-console-bookings'))
    })

    await test.step('9. she moves the call by the link in the mail', async () => {
      await page.goto(manage)
      await look(page, shot('09-booking'))
      await nikki.moveCall()
      await look(page, shot('09-booking-moved'))
      const moved = await embudo.mail.receive(NIKKI, words.movedMail)
      const { events } = await calendarIn(moved)
      expect(events[0]!.sequence).toBeGreaterThan(0)
    })

    await test.step('10. Yuri accepts: SAL, and then customer', async () => {
      const yuri = await Console.logIn(embudo, await device(browser, language), embudo.people.yuri, embudo.password)
      await yuri.speak(language)
      const contact = await yuri.openContact(NIKKI)
      await yuri.move(words.acceptSal)
      await contact.expectStage('sal')
      await look(yuri.page, shot('10-console-sal'))
      await yuri.move(words.wonCustomer)
      await contact.expectStage('customer')
      await look(yuri.page, shot('10-console-customer'))
      await yuri.go('/pipeline')
      await look(yuri.page, shot('10-console-pipeline'))
    })
  })
}

// Steps 5 to 8 of the story with two servers on one PostgreSQL and one Redis, behind a load balancer that sends every
// request to the next of them: the bot's turns, the event stream, the colleague's console, the booking. In the middle
// the server that holds the visitor's stream is killed.
import { device, expect, type Language, test } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { calendarIn, linkIn } from './support/mail.ts'
import { Visitor } from './support/visitor.ts'

const NIKKI = 'nikki@olmos-textil.example'
/** What they write while one node dies, and what the chat says of whoever is writing. */
const SAID: Record<Language, { asks: string; answers: string; typing: string }> = {
  en: { asks: 'Are you still there?', answers: 'Yes, I am.', typing: 'Mike Torres is typing' },
  es: { asks: '¿Sigues ahí?', answers: 'Sí, aquí estoy.', typing: 'Mike Torres está escribiendo' },
}

for (const language of ['en', 'es'] as Language[]) {
  test(`two nodes: bot, live chat on the other node, one node dies, a booking, ${language}`, async ({ pair, browser }) => {
    const { asks, answers, typing } = SAID[language]
    const nikki = await Visitor.on(pair, await device(browser, language), language)
    const { words, page, chat } = nikki

    await test.step('she has downloaded something and missed the webinar', async () => {
      await nikki.visit(words.home)
      await nikki.accept()
      await nikki.askForPaper(NIKKI)
      const mail = await pair.mail.receive(NIKKI, words.paperMail)
      const confirmed = page.waitForResponse((answer) => answer.url().endsWith('/v1/confirm'))
      await page.goto(linkIn(mail, '/d/'))
      expect((await confirmed).status()).toBe(200)
      const invitation = await pair.mail.receive(NIKKI, words.inviteMail)
      await page.goto(linkIn(invitation, '/w/'))
      await page.getByRole('button', { name: words.saveSeat }).click()
      await expect(page.getByRole('heading', { name: words.seatSaved })).toBeVisible()
      await pair.afterWebinar()
      // That she did not come is told by mail.
      await pair.mail.receive(NIKKI, words.missedMail)
      await pair.opens()
    })

    const context = await device(browser, language)
    const keepTo = (node: number) => context.addCookies([{ name: 'node', value: String(node), url: pair.url }])
    const mike = await Console.logIn(pair, context, pair.people.mike, pair.password)
    await mike.speak(language)
    await mike.goOnline()

    let hers = -1
    await test.step('5. and 6. the bot greets her, shows the recording, asks its questions; each turn on another node', async () => {
      await nikki.visit(words.home)
      await expect(chat.panel).toBeVisible({ timeout: 20_000 })
      await chat.says(words.missed)
      await chat.choose(words.watchNow)
      await chat.watch(0.65)
      await chat.choose(words.wantsCall)
      await nikki.answerBant()
    })

    await test.step('7. Mike takes the chat over on the node that does not hold her stream', async () => {
      hers = pair.proxy!.streamsFrom
      expect(hers, 'her stream comes through the balancer').toBeGreaterThanOrEqual(0)
      await keepTo(1 - hers)
      await mike.go('/inbox')
      await mike.page.locator('.inbox-list .threads a').first().click()
      await mike.acceptChat()
      await chat.says(/Mike/)
      await mike.say(words.mikeAsks)
      await chat.says(words.mikeAsks)
      await mike.page.locator('#say').pressSequentially('Le', { delay: 20 })
      await expect(chat.panel.getByText(typing), 'from node to node').toBeVisible()
      await mike.page.locator('#say').fill('')
      await chat.write(words.nikkiSays)
      await expect(mike.talk).toContainText('Nikki')
      await mike.saveName('Nikki')
    })

    await test.step('the node of her stream dies: the talk goes on, nothing is lost and nothing is there twice', async () => {
      pair.kill(hers)
      await chat.write(asks)
      await expect(mike.talk).toContainText(asks, { timeout: 30_000 })
      await mike.say(answers)
      await chat.says(answers)
      expect(pair.proxy!.streamsFrom, 'her stream comes from the other node').toBe(1 - hers)
      for (const said of [words.mikeAsks, words.nikkiSays, asks, answers]) {
        await expect(chat.log.getByText(said, { exact: true }), 'once').toHaveCount(1)
        await expect(mike.talk.getByText(said, { exact: true }), 'once').toHaveCount(1)
      }
    })

    await test.step('8. he suggests times, she picks one: booked, an SQL, everybody is told by the node that lives', async () => {
      await mike.suggestTimes()
      await chat.pickTime()
      await chat.says(words.booked)
      const mail = await pair.mail.receive(NIKKI, words.bookedMail)
      expect((await calendarIn(mail)).events).toHaveLength(1)
      expect((await pair.mail.receive(pair.people.mike, words.repMail)).text).toContain(NIKKI)
      const contact = await mike.openContact(NIKKI)
      await contact.expectStage('sql')
    })
  })
}

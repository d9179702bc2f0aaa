// Live chat as three people live it: a visitor and two colleagues who have the inbox open.
import { device, expect, test } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { expectAccessible, look } from './support/look.ts'
import { Visitor } from './support/visitor.ts'

const NIKKI = 'nikki@olmos-textil.example'

test('wait, owner, accept, note, prepared answer, pass on, hand back, close, satisfaction @pictures', async ({ embudo, browser }) => {
  await embudo.opens()
  const nikki = await Visitor.on(embudo, await device(browser, 'en'), 'en')
  const { words, chat, page } = nikki
  const mike = await Console.logIn(embudo, await device(browser, 'en'), embudo.people.mike, embudo.password)
  const lucia = await Console.logIn(embudo, await device(browser, 'en'), 'lucia@faro.example', embudo.password)
  for (const colleague of [mike, lucia]) {
    await colleague.speak('en')
    await colleague.goOnline()
    await colleague.go('/inbox')
  }
  const head = (colleague: Console) => colleague.page.locator('#talk-head')
  const openFirst = async (colleague: Console) => {
    await colleague.page.locator('.threads a').first().click()
    await expect(colleague.talk).toBeVisible()
  }
  const key = (colleague: Console, name: string) => colleague.page.keyboard.press(name)

  await test.step('she leaves her address, asks for a person, and waits', async () => {
    await nikki.visit(words.home)
    await nikki.accept()
    await nikki.askForPaper(NIKKI)
    await chat.open()
    await chat.choose(words.person)
    await chat.says('I am asking a colleague')
    await expect(lucia.page.locator('.threads .badge.warn').first()).toBeVisible()
  })

  await test.step('Lucía takes it, suggests times: from now on the contact is hers', async () => {
    await openFirst(lucia)
    await lucia.acceptChat()
    await lucia.say('Hello, Lucía here.')
    await chat.says('Hello, Lucía here.')
    await lucia.suggestTimes()
    await expect(chat.picker).toBeVisible()
    await look(lucia.page, 'live-01-times')
    await head(lucia).getByRole('button', { name: 'Back to the bot' }).click()
    await chat.says('You are back with me')
    await chat.choose('No, thank you')
    await expect(chat.panel.getByText('How was this conversation for you?')).toBeVisible()
    await look(page, 'live-02-how-was-it', { fullPage: false })
  })

  await test.step('the next time she is asked first, and Mike sees that', async () => {
    for (const colleague of [mike, lucia]) await colleague.go('/inbox')
    await chat.panel.getByRole('button', { name: 'Start again' }).click()
    await chat.choose(words.person)
    await expect(lucia.page.locator('.threads .badge.warn').first()).toBeVisible()
    await openFirst(lucia)
    await expect(lucia.page.locator('#talk-notices')).toContainText('You are asked to take this chat')
    await openFirst(mike)
    await expect(mike.page.locator('#talk-notices')).toContainText('Lucía Vega is being asked')
    await expect(mike.page.locator('#talk-notices')).toContainText('Lucía Vega is looking at this chat, too')
    await look(lucia.page, 'live-03-asked')
  })

  await test.step('by keyboard: accept, a note that she never sees, a prepared answer', async () => {
    await lucia.page.locator('#talk-log').focus()
    await key(lucia, 'a')
    await expect(lucia.page.locator('#composer:not(.note-only)')).toBeVisible()
    await chat.says('Lucía Vega joined')

    await lucia.page.locator('#talk-log').focus()
    await key(lucia, 'e')
    await lucia.page.keyboard.type('Decides in January. Do not press.')
    await look(lucia.page, 'live-04-note')
    await key(lucia, 'Control+Enter')
    await expect(lucia.talk.locator('.from-note').last()).toContainText('Decides in January')
    await expect(mike.talk.locator('.from-note').last(), 'colleagues see it at once').toContainText('Decides in January')

    await key(lucia, 'Escape')
    await key(lucia, 'r')
    await lucia.page.keyboard.type('/pri')
    const replies = lucia.page.getByRole('listbox')
    await expect(replies.getByRole('option')).toHaveCount(1)
    await look(lucia.page, 'live-05-replies')
    await key(lucia, 'Enter')
    await expect(lucia.page.locator('#say')).toHaveValue(/A programme costs from 18 €/)
    await key(lucia, 'Control+Enter')
    await chat.says('A programme costs from 18 €')
    await expect(chat.panel, 'never hers to read').not.toContainText('January')
  })

  await test.step('both see that the other types, and what was read', async () => {
    await lucia.page.locator('#talk-log').focus()
    await chat.write('For 200 people?')
    await expect(lucia.talk).toContainText('For 200 people?')
    await expect(lucia.page.locator('#replies-open'), 'what a script has shown stays, so that nothing jumps').toBeVisible()
    await expect(chat.log.getByText('Read', { exact: true })).toBeVisible()
    await lucia.page.locator('#say').pressSequentially('Le', { delay: 20 })
    await expect(chat.panel.getByText('Lucía Vega is typing')).toBeVisible()
    await lucia.page.locator('#say').fill('')
    await chat.panel.locator('.composer .field').pressSequentially('An', { delay: 20 })
    await expect(lucia.page.locator('#talk-typing')).toContainText('is writing')
    await chat.panel.locator('.composer .field').fill('')
    await expect(lucia.page.locator('#talk-read')).toContainText('Seen by the visitor')
  })

  await test.step('passed on to Mike with a note, by keyboard', async () => {
    await lucia.page.locator('#talk-log').focus()
    await key(lucia, 't')
    await expect(lucia.page.locator('#pass-to')).toBeFocused()
    await lucia.page.locator('#pass-note').fill('She needs a price for 200.')
    await look(lucia.page, 'live-06-pass-on')
    await lucia.page.locator('.pass-on').getByRole('button', { name: 'Pass on' }).click()
    await chat.says('Mike Torres joined')
    await expect(lucia.page.getByRole('status').filter({ hasText: 'The chat is passed on' })).toBeVisible()
    await expect(mike.page.locator('#composer:not(.note-only)')).toBeVisible()
    await expect(mike.talk).toContainText('She needs a price for 200.')
    await mike.say('Mike here. For 200 it is 15 € each.')
    await chat.says('15 € each')
    await expect(chat.panel).not.toContainText('She needs a price')
    await look(mike.page, 'live-07-mike')
    await look(page, 'live-07-visitor', { fullPage: false })
  })

  await test.step('back to the bot, and to a person again', async () => {
    await mike.page.locator('#talk-log').focus()
    await key(mike, 'b')
    await chat.says('You are back with me')
    await chat.choose(words.person)
    await expect(lucia.page.locator('#talk-notices')).toContainText('You are asked', { timeout: 20_000 })
    await lucia.acceptChat()
    await lucia.say('All clear?')
    await chat.says('All clear?')
  })

  await test.step('closed: she says how it was, once', async () => {
    await lucia.page.locator('#talk-log').focus()
    await key(lucia, 'x')
    await expect(chat.panel.getByText('How was this conversation for you?')).toBeVisible()
    await chat.panel.getByRole('button', { name: /^4 of 5/ }).click()
    await chat.panel.getByLabel('Anything to add? (optional)').fill('Quick and friendly.')
    await look(page, 'live-08-rating', { fullPage: false })
    await chat.panel.locator('form.rating').getByRole('button', { name: 'Send' }).click()
    await expect(chat.log).toContainText('4 of 5: Quick and friendly.')
    await expect(chat.panel.locator('form.rating')).toHaveCount(0)
    await lucia.go('/inbox?view=closed')
    await openFirst(lucia)
    await expect(lucia.talk).toContainText('4/5: Quick and friendly.')
    await expectAccessible(lucia.page)
  })
})

test('the inbox on a phone: list, talk, what is known, and back', async ({ embudo, browser }) => {
  await embudo.opens()
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true }
  const nikki = await Visitor.on(embudo, await device(browser, 'en'), 'en')
  const mike = await Console.logIn(embudo, await device(browser, 'en', phone), embudo.people.mike, embudo.password)
  await mike.goOnline()
  await nikki.visit(nikki.words.home)
  await nikki.accept()
  await nikki.chat.open()
  await nikki.chat.choose(nikki.words.person)
  await mike.go('/inbox')
  await look(mike.page, 'live-phone-list', { fullPage: false })
  await mike.page.locator('.threads a').first().click()
  await look(mike.page, 'live-phone-waiting', { fullPage: false })
  await mike.acceptChat()
  await mike.say('Hello, Mike here.')
  await nikki.chat.says('Mike here')
  await look(mike.page, 'live-phone-talk', { fullPage: false })
  await mike.page.getByRole('link', { name: 'About this visitor' }).click()
  await expect(mike.page.locator('#talk-context')).toBeVisible()
  await look(mike.page, 'live-phone-context', { fullPage: false })
  await mike.page.locator('.context-close').click()
  await expect(mike.page.locator('#talk-context')).toBeHidden()
  await mike.page.locator('.talk-back').click()
  await expect(mike.page.locator('.threads')).toBeVisible()
})

test('? lists the keys, and no key leads into a trap', async ({ embudo, browser }) => {
  await embudo.opens()
  const nikki = await Visitor.on(embudo, await device(browser, 'en'), 'en')
  const mike = await Console.logIn(embudo, await device(browser, 'en'), embudo.people.mike, embudo.password)
  await mike.goOnline()
  await nikki.visit(nikki.words.home)
  await nikki.accept()
  await nikki.chat.open()
  await nikki.chat.choose(nikki.words.person)
  await mike.go('/inbox')
  await mike.page.locator('.threads a').first().click()
  await mike.acceptChat()
  await mike.page.locator('#talk-log').focus()
  await mike.page.keyboard.press('?')
  const keys = mike.page.locator('#keys')
  for (const told of ['Accept', 'Pass on', 'Write a note', 'Prepared answers', 'Back to the bot']) await expect(keys).toContainText(told)
  await look(mike.page, 'live-keys')
  await mike.page.keyboard.press('Escape')
  await expect(keys).toBeHidden()

  // Once around with Tab: every place is left again, and the talk's own parts come in the order in which they stand.
  const places: string[] = []
  await mike.page.locator('.talk-head h2').evaluate((node) => (node as HTMLElement).focus())
  await mike.page.locator('#talk-log').focus()
  for (let step = 0; step < 60; step++) {
    await mike.page.keyboard.press('Tab')
    const place = await mike.page.evaluate(() => {
      const it = document.activeElement as HTMLElement | null
      return it ? it.id || it.textContent!.trim().slice(0, 24) || it.localName : ''
    })
    places.push(place)
    if (place === 'talk-log' || place.startsWith('Skip')) break
  }
  expect(places.indexOf('say'), places.join(' · ')).toBeGreaterThan(-1)
  expect(places.at(-1), 'the way around ends').toMatch(/talk-log|Skip/)

  // The sound and the notices are the reader's choice.
  await mike.page.locator('details.menu > summary').click()
  await mike.page.getByRole('button', { name: 'Sound and notices' }).click()
  await look(mike.page, 'live-notices')
  await expect(mike.page.getByLabel('Also in quiet hours'), 'silent in quiet hours unless she chooses').not.toBeChecked()
  await mike.page.getByLabel('Play a sound').uncheck()
  await mike.page.reload()
  await mike.page.locator('details.menu > summary').click()
  await mike.page.getByRole('button', { name: 'Sound and notices' }).click()
  await expect(mike.page.getByLabel('Play a sound'), 'kept in this browser').not.toBeChecked()
})

// The chat on a page of its own: it opens by itself, is taken along to another device, and says what to do without JavaScript.
import { device, expect, test } from './support/embudo.ts'
import { expectAccessible, look, SCHEMES, WIDTHS } from './support/look.ts'
import { Visitor } from './support/visitor.ts'
import type { Page } from '@playwright/test'

const words = {
  en: { open: 'Open the chat', along: 'Go on elsewhere', copy: 'Copy', withdraw: 'Withdraw it', close: 'Close', goOn: 'Go on', call: 'Book a call', withdrawn: /opens nothing any more/ },
  es: { open: 'Abrir el chat', along: 'Seguir en otro lugar', copy: 'Copiar', withdraw: 'Retirarla', close: 'Cerrar', goOn: 'Seguir', call: 'Reservar una llamada', withdrawn: /ya no abre nada/ },
} as const

/** What the browser complains of: the page's policy is strict, and nothing may run against it. */
function complaints(page: Page): string[] {
  const found: string[] = []
  page.on('console', (line) => {
    if (line.type() === 'error') found.push(line.text())
  })
  return found
}

/** Every width and both schemes: nothing to scroll sideways, nothing for axe to find. */
async function everywhere(page: Page, name: string): Promise<void> {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme })
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      expect(over, `nothing goes over the edge at ${width}`).toBeLessThanOrEqual(0)
      await expectAccessible(page)
      await page.screenshot({ path: `../../target/screenshots/${name}-${width}-${colorScheme}.png`, animations: 'disabled', caret: 'hide' })
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1280, height: 860 })
}

for (const language of ['en', 'es'] as const) {
  const said = words[language]

  test(`the chat on a page of its own: it opens, is put away, and goes on on another device (${language}) @pictures`, async ({ embudo, browser }) => {
    const ana = await Visitor.on(embudo, await device(browser, language), language)
    const { page, chat } = ana
    const wrong = complaints(page)
    await page.goto(`${embudo.url}/chat/welcome?lang=${language}`)
    await expect(chat.panel).toBeVisible()
    await expect(chat.choices.first()).toBeVisible()
    await everywhere(page, `${language}-hosted-open`)

    await test.step('the link is for another device, and needs no consent', async () => {
      expect(await page.evaluate(() => localStorage.getItem('embudo.chat')), 'nothing is stored without consent').toBeNull()
      await page.getByRole('button', { name: said.along }).click()
      const dialog = page.getByRole('dialog', { name: said.along })
      await expect(dialog.getByRole('textbox')).toHaveValue(/\/chat\/go\//)
      await everywhere(page, `${language}-hosted-along`)
      const link = await dialog.getByRole('textbox').inputValue()
      await dialog.getByRole('button', { name: said.close }).click()
      await expect(dialog).toBeHidden()

      const phone = await Visitor.on(embudo, await device(browser, language, { viewport: { width: 390, height: 844 } }), language)
      await phone.page.goto(link)
      await look(phone.page, `${language}-hosted-go-on`)
      await phone.page.getByRole('button', { name: said.goOn, exact: true }).click()
      await expect(phone.chat.panel).toBeVisible()
      await expect(phone.chat.choices.first()).toBeVisible()
      await expect(phone.page.getByRole('button', { name: said.along })).toBeHidden()
      await phone.page.reload()
      await expect(phone.page.getByRole('button', { name: said.along, includeHidden: true })).toBeHidden()
      const picked = (await phone.chat.choices.first().textContent())!
      await phone.chat.chooseNumber(0)
      await expect(chat.log, 'both devices see it').toContainText(picked)

      // Opened again it is the same address; withdrawn it opens nothing.
      await page.getByRole('button', { name: said.along }).click()
      await expect(dialog.getByRole('textbox')).toHaveValue(link)
      await dialog.getByRole('button', { name: said.withdraw }).click()
      await expect(dialog.getByRole('status')).toHaveText(said.withdrawn)
      await page.keyboard.press('Escape')
      await phone.page.goto(link)
      await expect(phone.page.getByRole('button', { name: said.goOn, exact: true })).toHaveCount(0)
    })

    await test.step('put away, the page says how it comes back', async () => {
      await chat.panel.locator('.head .tool').last().click()
      await expect(chat.panel).toBeHidden()
      await everywhere(page, `${language}-hosted-away`)
      await page.getByRole('main').getByRole('button', { name: said.open }).click()
      await expect(chat.panel).toBeVisible()
    })
    expect(wrong).toEqual([])
  })

  test(`the chat's page without JavaScript says what to do (${language}) @pictures`, async ({ embudo, browser }) => {
    const page = await (await device(browser, language, { javaScriptEnabled: false })).newPage()
    await page.goto(`${embudo.url}/chat?lang=${language}`)
    await expect(page.getByText('JavaScript')).toBeVisible()
    for (const dead of [said.open, said.along]) await expect(page.getByRole('button', { name: dead })).toHaveCount(0)
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 844 })
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme })
        await page.screenshot({ path: `../../target/screenshots/${language}-hosted-noscript-${width}-${colorScheme}.png` })
      }
    }
    await page.getByRole('link', { name: said.call }).click()
    await expect(page).toHaveURL(/\/book\/discovery/)
    await expect(page.locator('.slot').first()).toBeVisible()
  })
}

test('the chat\'s page by keyboard alone', async ({ embudo, browser }) => {
  const ana = await Visitor.on(embudo, await device(browser, 'en'), 'en')
  const { page, chat } = ana
  const tabTo = async (what: ReturnType<Page['locator']>) => {
    for (let tabs = 0; tabs < 25 && !(await what.evaluate((it) => it.matches(':focus'))); tabs++) await page.keyboard.press('Tab')
    await expect(what).toBeFocused()
  }
  await page.goto(`${embudo.url}/chat/welcome?lang=en`)
  await expect(chat.choices.first()).toBeVisible()
  await tabTo(chat.choices.filter({ hasText: ana.words.bookCall }))
  await page.keyboard.press('Enter')
  const line = chat.panel.locator('form.composer input[type=email]')
  await expect(line, 'the focus goes where the answer goes').toBeFocused()
  await page.keyboard.type('pam@olmos-textil.example')
  await page.keyboard.press('Enter')
  await expect(chat.picker).toBeVisible({ timeout: 30_000 })

  await page.keyboard.press('Escape')
  await expect(chat.panel).toBeHidden()
  const along = page.getByRole('button', { name: words.en.along })
  await tabTo(along)
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog', { name: words.en.along })
  await expect(dialog.getByRole('textbox')).toHaveValue(/\/chat\/go\//)
  await tabTo(dialog.getByRole('button', { name: words.en.withdraw }))
  await page.keyboard.press('Enter')
  await expect(dialog.getByRole('status')).toHaveText(words.en.withdrawn)
  await page.keyboard.press('Escape')
  await expect(dialog).toBeHidden()
  await expect(along, 'the focus comes back').toBeFocused()

  await tabTo(page.getByRole('main').getByRole('button', { name: words.en.open }))
  await page.keyboard.press('Enter')
  await expect(chat.panel).toBeVisible()
  await expect(chat.picker).toBeVisible()
})

// The flows in the console: marketing looks where conversations are lost, changes a text by keyboard, is told what is wrong,
// tries it in place, saves it, and brings back what stood there before.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { device, expect, test } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { look } from './support/look.ts'
import { Visitor } from './support/visitor.ts'

const PASSWORD = 'a lighthouse by night'

const WORDS = {
  en: {
    flow: 'What can I do for you', graph: 'Graph of What can I do for you', texts: '¿En qué te puedo ayudar?', edit: 'Edit', wrong: 'Wrong, not saved',
    sound: 'Sound, not saved', tryIt: 'Try it', draft: 'A trial of your draft', call: 'Book a call', back: 'Back to the text', save: 'Save',
    saved: 'The file is saved and runs.', history: 'History', bringBack: 'Bring this text back', restored: 'The text is back in the file and runs.',
  },
  es: {
    flow: 'What can I do for you', graph: 'Grafo de What can I do for you', texts: '¿En qué te puedo ayudar?', edit: 'Editar', wrong: 'Con errores, sin guardar',
    sound: 'Bien, sin guardar', tryIt: 'Probar', draft: 'Una prueba de tu borrador', call: 'Reservar una llamada', back: 'Volver al texto', save: 'Guardar',
    saved: 'El archivo está guardado y activo.', history: 'Historial', bringBack: 'Recuperar este texto', restored: 'El texto vuelve a estar en el archivo, y activo.',
  },
}

for (const language of ['en', 'es'] as const) {
  test(`marketing sees where conversations are lost, changes a flow, tries it and goes back (${language}) @pictures`, async ({ embudo, browser }) => {
    const words = WORDS[language]
    embudo.hire('irene@faro.example', 'Irene Sanz', 'marketing', PASSWORD)
    const file = path.join(embudo.folder, 'demo/bot-flows/welcome.yaml')
    const before = readFileSync(file, 'utf8')
    const nikki = await Visitor.on(embudo, await device(browser, language), language)
    await nikki.visit(nikki.words.home)
    await nikki.accept()
    await nikki.chat.open()

    const irene = await Console.logIn(embudo, await device(browser, language), 'irene@faro.example', PASSWORD)
    await irene.speak(language)
    const { page } = irene
    const mistakes: string[] = []
    page.on('console', (message) => message.type() === 'error' && mistakes.push(message.text()))

    await test.step('the list leads to the graph, and the graph to a step, by keyboard', async () => {
      await page.keyboard.press('g')
      await page.keyboard.press('f')
      await expect(page).toHaveURL(/\/console\/flows$/)
      await look(page, `flows-01-list-${language}`)
      await page.getByRole('link', { name: words.flow }).first().focus()
      await page.keyboard.press('Enter')
      await expect(page.getByRole('group', { name: words.graph })).toBeVisible()
      await look(page, `flows-02-graph-${language}`)
      await page.locator('.flow-graph a[href*="step=menu"]').focus()
      await page.keyboard.press('Enter')
      await expect(page.locator('#step')).toContainText(words.texts)
      await look(page, `flows-03-step-${language}`)
    })

    await test.step('what she types is completed and checked', async () => {
      await irene.go('/flows/welcome/edit')
      const text = page.locator('#text')
      await expect(page.locator('.editor-lines span')).toHaveCount(before.split('\n').length)
      await text.focus()
      await text.evaluate((area: HTMLTextAreaElement) => {
        const at = area.value.indexOf('goto: pick_slot') + 'goto: '.length
        area.setSelectionRange(at, at + 'pick_slot'.length)
      })
      await page.keyboard.type('pick')
      await expect(page.locator('#offer [role=option]').first()).toHaveText('pick_slot')
      await expect(page.locator('#edit-state')).toHaveText(words.wrong)
      await expect(page.locator('#checked .finding').first()).toContainText('G201')
      await expect(page.locator('.editor-lines .has-error').first()).toBeVisible()
      await look(page, `flows-04-mistake-${language}`)
      await page.keyboard.press('Control+Space')
      await page.keyboard.press('Enter')
      await expect(text).toHaveValue(before)
      await text.fill(before.replace('title: What can I do for you', 'title: What can I do for you today'))
      await expect(page.locator('#edit-state')).toHaveText(words.sound)
    })

    await test.step('she tries her draft and comes back to it', async () => {
      await page.locator('#flow-form').getByRole('button', { name: words.tryIt, exact: true }).click()
      await expect(page.getByRole('heading', { name: words.draft })).toBeVisible()
      await page.getByRole('button', { name: words.call }).click()
      await expect(page.locator('.flow-graph .chosen')).toHaveCount(1)
      expect(await page.locator('.flow-graph .node.lit').count()).toBeGreaterThan(1)
      await look(page, `flows-05-trial-${language}`)
      await page.getByRole('button', { name: words.back }).click()
      await expect(page.locator('#text')).toHaveValue(/for you today/)
      expect(readFileSync(file, 'utf8')).toBe(before)
    })

    await test.step('she saves it, and brings the old text back', async () => {
      await page.locator('#flow-form').getByRole('button', { name: words.save, exact: true }).click()
      await expect(page.getByRole('status').first()).toContainText(words.saved)
      expect(readFileSync(file, 'utf8')).toContain('for you today')
      await page.getByRole('link', { name: words.history }).click()
      await look(page, `flows-06-history-${language}`)
      await page.locator('.line-link').last().click()
      await expect(page.locator('.diff-line.gone')).toHaveCount(1)
      await look(page, `flows-07-difference-${language}`)
      await page.getByRole('button', { name: words.bringBack }).click()
      await expect(page.getByRole('status').first()).toContainText(words.restored)
      expect(readFileSync(file, 'utf8')).toBe(before)
    })

    await test.step('on a phone nothing sticks out', async () => {
      await page.setViewportSize({ width: 390, height: 844 })
      for (const place of ['/flows', '/flows/welcome', '/flows/welcome?step=menu', '/flows/welcome/edit', '/flows/welcome/try', '/flows/welcome/history', '/checks/G201']) {
        await irene.go(place)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        expect(wide, place).toBeLessThanOrEqual(0)
      }
    })
    // A text that is refused is answered so, which browsers note.
    expect(mistakes.filter((told) => !told.includes('422'))).toEqual([])
  })
}

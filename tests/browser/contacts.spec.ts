// Contacts at size: a list is brought, found as it is typed, filtered, kept as a view, given to somebody and taken back.
import { device, Embudo, expect, test as base } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { look } from './support/look.ts'

const PASSWORD = 'a lighthouse by night'

const test = base.extend<{ office: Embudo }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the braces
  office: async ({}, use) => {
    const embudo = await Embudo.start({})
    await use(embudo)
    embudo.stop()
  },
})

const WORDS = {
  en: {
    import: 'Import', name: 'What is the list called?', text: 'Or paste the lines', look: 'Look through it', begin: 'Take 61 lines over',
    refused: 'Line 63:', done: 'Done', filters: 'Filters', owner: 'Owner', nobody: 'Nobody', apply: 'Apply', views: 'Views',
    viewName: 'Save this list as', save: 'Save', saved: 'The view is saved.', give: 'Actions', now: /^Do it to (this one|all)/, over: 'Done.',
    undo: 'Undo', undone: 'Undone.', columns: 'Columns', phone: 'Telephone', keep: 'Show these', next: 'Next',
  },
  es: {
    import: 'Importar', name: '¿Cómo se llama la lista?', text: 'O pega las líneas', look: 'Revisarla', begin: 'Importar 61 líneas',
    refused: 'Línea 63:', done: 'Terminada', filters: 'Filtros', owner: 'Responsable', nobody: 'Nadie', apply: 'Aplicar', views: 'Vistas',
    viewName: 'Guardar esta lista como', save: 'Guardar', saved: 'La vista está guardada.', give: 'Acciones', now: /^Hacerlo con (este|los \d)/, over: 'Terminado.',
    undo: 'Deshacer', undone: 'Deshecho.', columns: 'Columnas', phone: 'Teléfono', keep: 'Mostrar estas', next: 'Siguiente',
  },
}

/** Sixty people of whom one is called Ána, and a line that is no one. */
const list = () => {
  const people = Array.from({ length: 59 }, (_, n) => `p${n}@company${n % 9}.example,Person ${n},,+34 600 000 ${100 + n}`)
  return ['email,first name,last name,phone', 'ana@acme.example,Ána,Núñez,+34 611 222 333', ...people, '', 'nobody,Bob,,'].join('\n')
}

for (const language of ['en', 'es'] as const) {
  test(`a list is brought and its people found, filtered, given and taken back (${language}) @pictures`, async ({ office: embudo, browser }) => {
    const words = WORDS[language]
    embudo.hire('irene@faro.example', 'Irene Sanz', 'admin', PASSWORD)
    await embudo.opens()
    const irene = await Console.logIn(embudo, await device(browser, language), 'irene@faro.example', PASSWORD)
    await irene.speak(language)
    const { page } = irene

    await test.step('she looks through a list before anything is taken', async () => {
      await irene.go('/contacts')
      await irene.go('/contacts/imports')
      await page.getByLabel(words.name).fill('Feria')
      await page.getByLabel(words.text).fill(list())
      await look(page, `contacts-01-import-${language}`)
      await page.getByRole('button', { name: words.look }).click()
      await expect(page.getByText(words.refused)).toBeVisible()
      await look(page, `contacts-02-preview-${language}`)
    })

    await test.step('it is taken over in the background', async () => {
      await page.getByRole('button', { name: words.begin }).click()
      await expect(page.getByText(words.done).first()).toBeVisible({ timeout: 30_000 })
      await look(page, `contacts-03-imported-${language}`)
    })

    await test.step('the list follows what is typed, by keyboard alone', async () => {
      await irene.go('/contacts')
      await expect(page.locator('.row-link')).toHaveCount(50)
      await look(page, `contacts-04-list-${language}`)
      await page.keyboard.press('/')
      await page.keyboard.type('nunez an')
      await expect(page.locator('.row-link')).toHaveCount(1)
      await expect(page.locator('.row-link')).toContainText('Ána Núñez')
      await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe('nunez an')
      await expect(page.locator('#search')).toBeFocused()
      await page.keyboard.press('Control+A')
      await page.keyboard.type('nobody at all')
      await expect(page.locator('.row-link')).toHaveCount(0)
      await look(page, `contacts-05-nobody-${language}`)
    })

    await test.step('filters, a view, columns', async () => {
      await irene.go('/contacts?q=person')
      await page.locator('summary', { hasText: words.filters }).click()
      await look(page, `contacts-06-filters-${language}`)
      await page.locator('#by-owner').selectOption({ label: words.nobody })
      await page.getByRole('button', { name: words.apply }).click()
      await expect(page.locator('.filter-chip')).toContainText(words.nobody)
      await page.locator('summary', { hasText: words.views }).click()
      await page.getByLabel(words.viewName).fill('Feria')
      await page.getByRole('button', { name: words.save, exact: true }).click()
      await expect(page.getByText(words.saved)).toBeVisible()
      await page.locator('summary', { hasText: words.columns }).click()
      await page.getByRole('checkbox', { name: words.phone }).check()
      await page.getByRole('button', { name: words.keep }).click()
      await expect(page.locator('.rows')).toContainText('+34 600 000')
      await look(page, `contacts-07-view-${language}`)
      await page.getByRole('link', { name: words.next }).click()
      await expect(page.locator('.row-link')).toHaveCount(9)
    })

    await test.step('all of them are given to somebody and taken back', async () => {
      await irene.go('/contacts?q=acme')
      await page.locator('summary', { hasText: words.give }).click()
      await page.locator('#give-owner').selectOption({ label: 'Irene Sanz' })
      await look(page, `contacts-08-give-${language}`)
      await page.getByRole('button', { name: words.now }).click()
      await expect(page.getByText(words.over)).toBeVisible({ timeout: 20_000 })
      await look(page, `contacts-09-given-${language}`)
      await page.getByRole('button', { name: words.undo }).click()
      await expect(page.getByText(words.undone)).toBeVisible({ timeout: 20_000 })
    })
  })
}

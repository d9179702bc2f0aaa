// Looks at a page as a careful person would: accessibility by axe, and a screenshot to be looked at later.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { expect, type Page, test } from '@playwright/test'
import { root } from './mail.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const screenshots = path.join(root, 'target/screenshots')

interface Violation {
  id: string
  help: string
  nodes: { target: string[]; failureSummary: string }[]
}

/** Every rule of WCAG 2.2 A and AA that axe knows; no violation anywhere, in the widget's shadow tree neither. */
export async function expectAccessible(page: Page): Promise<void> {
  expect(await violations(page), `axe on ${page.url()}`).toEqual([])
}

const STANDARDS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** What axe has to say about a page, one text for each rule that it breaks. A mail has no landmarks, as a page has. */
export async function violations(page: Page, kind: 'page' | 'mail' = 'page'): Promise<string[]> {
  await page.evaluate(axe)
  const rules = JSON.stringify(kind === 'page' ? [...STANDARDS, 'best-practice'] : STANDARDS)
  const found = (await page.evaluate(
    `axe.run(document, { runOnly: ${rules}, resultTypes: ['violations'] }).then((results) => results.violations)`,
  )) as Violation[]
  return found.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => `    ${node.target.join(' ')}`).join('\n')}`)
}

/** What moves comes to rest first; a page that is not painted just now has animations that never end. */
export async function atRest(page: Page): Promise<void> {
  await page.evaluate(() => {
    const atRest = document.getAnimations().map((a) => (a.effect?.getTiming().iterations === Infinity ? null : a.finished.catch(() => null)))
    return Promise.race([Promise.all(atRest), new Promise((done) => setTimeout(done, 3_000))])
  })
}

export const WIDTHS = [390, 820, 1440]
export const SCHEMES = ['light', 'dark'] as const

/** Checks the page and keeps a picture of it: one as it stands, or with SCREENS=all one for every width and scheme. */
export async function look(page: Page, name: string, { fullPage = true } = {}): Promise<void> {
  await atRest(page)
  await expectAccessible(page)
  const folder = test.info().project.name === 'embedded' ? '' : test.info().project.name
  const shoot = (file: string) =>
    page.screenshot({ path: path.join(screenshots, folder, `${file}.png`), fullPage, animations: 'disabled', caret: 'hide' })
  if (process.env.SCREENS !== 'all') {
    await shoot(name)
    return
  }
  const before = page.viewportSize()!
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme })
      await shoot(`${name}-${width}-${colorScheme}`)
      if (width === 390 || colorScheme === 'dark') await expectAccessible(page)
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(before)
}

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
  await page.evaluate(axe)
  const violations = (await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
       resultTypes: ['violations'] }).then((results) => results.violations)`,
  )) as Violation[]
  const told = violations.map(
    ({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => `    ${node.target.join(' ')}`).join('\n')}`,
  )
  expect(told, `axe on ${page.url()}`).toEqual([])
}

const WIDTHS = [390, 820, 1440]

/** Checks the page and keeps a picture of it: one as it stands, or with SCREENS=all one for every width and scheme. */
export async function look(page: Page, name: string, { fullPage = true } = {}): Promise<void> {
  // what moves comes to rest first; a page that is not painted just now has animations that never end
  await page.evaluate(() => {
    const atRest = document.getAnimations().map((a) => (a.effect?.getTiming().iterations === Infinity ? null : a.finished.catch(() => null)))
    return Promise.race([Promise.all(atRest), new Promise((done) => setTimeout(done, 3_000))])
  })
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
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await shoot(`${name}-${width}-${colorScheme}`)
      if (width === 390 || colorScheme === 'dark') await expectAccessible(page)
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(before)
}

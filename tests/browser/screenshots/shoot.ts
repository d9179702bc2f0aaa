// Takes the pictures of one page or state, and writes down whatever is wrong with it.
import path from 'node:path'
import { type BrowserContext, expect, type Page, test as base } from '@playwright/test'
import { device, type Language } from '../support/embudo.ts'
import { Visitor } from '../support/visitor.ts'
import { atRest, SCHEMES, violations, WIDTHS } from '../support/look.ts'
import { chosen, type Kind, LANGUAGES, PICTURES, type World, worlds } from './worlds.ts'

const widths = chosen('WIDTHS', WIDTHS.map(String)).map(Number)
const schemes = chosen('SCHEMES', SCHEMES)
const HEIGHTS: Record<number, number> = { 390: 844, 820: 1180, 1440: 900 }

/** Where the colleagues sit. */
const OFFICE = 'Europe/Madrid'

export interface Shot {
  /** The whole page, or only what the window shows. */
  fullPage?: boolean
  /** What axe is asked about it as. */
  kind?: 'page' | 'mail'
  /** Before every picture: what is to be seen depends on the width. */
  before?: (width: number) => Promise<void>
}

export interface Studio {
  world: (kind?: Kind) => World
  /** A page of the console, as this colleague sees it. */
  console: (path: string, who?: string, kind?: Kind) => Promise<Page>
  /** A document that the console shows in a frame, where no script may run, on a page of its own. */
  framed: (path: string) => Promise<Page>
  /** Somebody on a device of her own. */
  visitor: (kind?: Kind) => Promise<Visitor>
  /** A page that anybody can open. */
  open: (address: string, kind?: Kind) => Promise<Page>
  /** Keeps the pictures of a page under this name, and looks for what is wrong. */
  shoot: (page: Page, name: string, shot?: Shot) => Promise<void>
}

export const test = base.extend<{ language: Language; studio: Studio }>({
  language: ['en', { option: true }],
  studio: async ({ browser, language }, use, info) => {
    const known = worlds()[language]
    const contexts: BrowserContext[] = []
    const findings: string[] = []
    const enter = async (options: Parameters<typeof device>[2]): Promise<BrowserContext> => {
      const context = await device(browser, language, options)
      contexts.push(context)
      context.on('console', (message) => {
        if (/Content.Security.Policy/i.test(message.text())) findings.push(`policy: ${message.text().slice(0, 200)}`)
      })
      return context
    }
    const goto = async (page: Page, address: string) => {
      const answer = await page.goto(address)
      expect(answer?.status(), address).toBeLessThan(500)
    }
    await use({
      world: (kind = 'busy') => known[kind],
      console: async (address, who = 'admin', kind = 'busy') => {
        const context = await enter({ storageState: known[kind].colleagues[who]!, timezoneId: OFFICE })
        // She has been here before: the server knows where she is.
        await context.addCookies([{ name: 'embudo_zone', value: encodeURIComponent(OFFICE), url: known[kind].url }])
        const page = await context.newPage()
        await goto(page, `${known[kind].url}/console${address}`)
        return page
      },
      framed: async (address) => {
        const context = await enter({ storageState: known.busy.colleagues.admin! })
        const answer = await context.request.get(`${known.busy.url}/console${address}`)
        expect(answer.ok(), address).toBe(true)
        const page = await context.newPage()
        await page.setContent(await answer.text())
        return page
      },
      visitor: async (kind = 'busy') => Visitor.on(known[kind], await enter({}), language),
      open: async (address, kind = 'busy') => {
        const page = await (await enter({})).newPage()
        await goto(page, address.startsWith('http') ? address : `${known[kind].url}${address}`)
        return page
      },
      shoot: async (page, name, { fullPage = true, kind = 'page', before } = {}) => {
        for (const width of widths) {
          await page.setViewportSize({ width, height: HEIGHTS[width]! })
          await page.waitForFunction((width) => innerWidth === width, width)
          await before?.(width)
          // What is fixed to the window stands where the page ends, and not across its middle.
          if (fullPage) await page.setViewportSize({ width, height: await page.evaluate((least) => Math.max(least, Math.ceil(document.documentElement.scrollHeight)), HEIGHTS[width]!) })
          for (const colorScheme of schemes) {
            await page.emulateMedia({ colorScheme })
            await atRest(page)
            const file = path.join(PICTURES, name, `${language}-${width}-${colorScheme}.png`)
            await page.screenshot({ path: file, fullPage, animations: 'disabled', caret: 'hide' })
            // The first language at every width in one scheme and once in the other: what the width and the scheme do
            // does not depend on the words. The others at the width that has the least room for them.
            const isFirst = colorScheme === schemes[0] && (width === widths[0] || language === LANGUAGES[0])
            const isLast = colorScheme === schemes.at(-1) && width === widths.at(-1) && language === LANGUAGES[0]
            const isLooked = isFirst || isLast
            if (isLooked) findings.push(...(await violations(page, kind)).map((text) => `${name} at ${width} px, ${colorScheme}: axe ${text}`))
          }
          const wide = await sideways(page)
          if (wide) findings.push(`${name} at ${width} px: can be scrolled sideways by ${wide}`)
        }
      },
    })
    for (const context of contexts) await context.close()
    for (const finding of findings) expect.soft(finding, finding).toBe('')
    await info.attach('findings', { body: JSON.stringify(findings) })
  },
})

/** By how much the page is wider than its window, and what sticks out. */
async function sideways(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth <= clientWidth) return ''
    const scrolls = (node: Element | null): boolean => {
      for (let at = node?.parentElement; at && at !== document.body; at = at.parentElement) {
        if (getComputedStyle(at).overflowX !== 'visible') return true
      }
      return false
    }
    const out = [...document.querySelectorAll('body *')].filter((node) => node.getBoundingClientRect().right > clientWidth + 1 && !scrolls(node))
    const told = out.slice(0, 4).map((node) => `${node.localName}${node.id && `#${node.id}`}${typeof node.className === 'string' && node.className ? `.${node.className.split(' ')[0]}` : ''}`)
    return `${scrollWidth - clientWidth} px: ${told.join(', ')}`
  })
}

export { expect }

// Pictures of every page and state (scripts/screenshots): the same servers and browser as the walks have.
//
// LANGUAGES, WIDTHS and SCHEMES take lists separated by commas, PAGES a pattern of what is wanted.
import { defineConfig } from '@playwright/test'
import walks from './playwright.config.ts'
import type { Language } from './support/embudo.ts'
import { LANGUAGES } from './screenshots/worlds.ts'

export default defineConfig<{ language: Language }>({
  testDir: 'screenshots',
  testMatch: '*.shots.ts',
  outputDir: '../../target/screenshots/failed',
  globalSetup: './screenshots/setup.ts',
  reporter: [['./screenshots/sheet.ts']],
  projects: LANGUAGES.map((language) => ({ name: language, use: { language } })),
  ...(process.env.PAGES && { grep: new RegExp(process.env.PAGES, 'i') }),
  fullyParallel: true,
  workers: Number(process.env.WORKERS ?? 2),
  timeout: 120_000,
  expect: { timeout: 15_000 },
  use: { ...walks.use, trace: 'off', screenshot: 'off', viewport: { width: 1440, height: 900 } },
})

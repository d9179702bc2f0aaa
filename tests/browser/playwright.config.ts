// The walks: real servers from the dev build, a real mail server, a real browser.
//
// EMBUDO_BIN (target/debug/embudo) and CHROMIUM (found in PATH) say what is walked with what; scripts/test sets
// both. SCREENS=all takes every screenshot at three widths, light and dark (scripts/screenshots).
import { execFileSync } from 'node:child_process'
import { defineConfig } from '@playwright/test'
import type { Mix } from './support/embudo.ts'

function chromium(): string {
  if (process.env.CHROMIUM) return process.env.CHROMIUM
  return execFileSync('sh', ['-c', 'command -v chromium || command -v chromium-browser || command -v google-chrome'])
    .toString()
    .trim()
}

export default defineConfig<{ mix: Mix }>({
  testMatch: '*.spec.ts',
  outputDir: '../../target/browser',
  reporter: [['list']],
  // Everything on the stores of one machine; the story, who is who and the live chat on those of many nodes, too, and
  // there with two of them.
  projects: [
    { name: 'embedded', grepInvert: /two nodes/ },
    {
      name: 'postgres+redis',
      use: { mix: 'postgres+redis' },
      grep: /whole story|stranger|share one browser|wait, owner, accept|two nodes/,
    },
  ],
  fullyParallel: true,
  workers: Number(process.env.WORKERS ?? 2),
  timeout: process.env.SCREENS === 'all' ? 600_000 : 180_000,
  expect: { timeout: 15_000 },
  use: {
    actionTimeout: 15_000,
    navigationTimeout: 20_000,
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    viewport: { width: 1280, height: 860 },
    launchOptions: {
      executablePath: chromium(),
      // The walks are people: a browser that says it is driven is rightly labelled as a machine.
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--mute-audio', '--disable-blink-features=AutomationControlled'],
    },
  },
})

// Tells how far the pictures are, what was found at the end, and writes the sheet on which they lie side by side.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { FullConfig, FullResult, Reporter, Suite, TestCase, TestError, TestResult } from '@playwright/test/reporter'
import { PICTURES } from './worlds.ts'

export default class Sheet implements Reporter {
  private total = 0
  private done = 0
  private readonly began = Date.now()
  private readonly findings: string[] = []

  onBegin(_config: FullConfig, suite: Suite): void {
    this.total = suite.allTests().length
    // Half of the old ones beside half of the new ones would mislead.
    if (!process.env.PAGES) rmSync(PICTURES, { recursive: true, force: true })
    mkdirSync(PICTURES, { recursive: true })
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    this.done += 1
    const language = test.parent.project()?.name ?? ''
    const found = result.errors.map((error) => `${language}  ${test.title}: ${first(error)}`)
    this.findings.push(...found)
    const width = String(this.total).length
    const state = found.length ? `  ${found.length} found` : result.status === 'passed' ? '' : `  ${result.status}`
    console.log(`[${String(this.done).padStart(width)}/${this.total}] ${language}  ${test.title}  ${(result.duration / 1000).toFixed(1)} s${state}`)
  }

  onError(error: TestError): void {
    this.findings.push(first(error))
  }

  onStdOut(text: string | Buffer): void {
    process.stdout.write(text)
  }

  onEnd(result: FullResult): void {
    const { pages, pictures } = writeSheet()
    const seconds = Math.round((Date.now() - this.began) / 1000)
    console.log(`\n${pictures} pictures of ${pages} pages and states in ${Math.floor(seconds / 60)} min ${seconds % 60} s: ${path.join(PICTURES, 'index.html')}`)
    if (this.findings.length) console.log(`\n${this.findings.length} found:\n${this.findings.map((text) => `- ${text}`).join('\n')}`)
    else console.log(result.status === 'passed' ? 'Nothing found.' : `The run ${result.status}.`)
  }

  printsToStdio(): boolean {
    return true
  }
}

/** An error's message without the runner's colours and its comparison with nothing. */
function first(error: TestError): string {
  // eslint-disable-next-line no-control-regex
  const text = (error.message ?? String(error.value)).replace(/\u001b\[[0-9;]*m/g, '')
  return text.replace(/^Error: /, '').split(/\n\nexpect\(/)[0]!.trim()
}

/** Every folder with pictures, beneath `folder`. */
function folders(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true })
  const own = entries.some((entry) => entry.name.endsWith('.png')) ? [folder] : []
  return [...own, ...entries.filter((entry) => entry.isDirectory()).sort((a, b) => a.name.localeCompare(b.name)).flatMap((entry) => folders(path.join(folder, entry.name)))]
}

function writeSheet(): { pages: number; pictures: number } {
  if (!existsSync(PICTURES)) return { pages: 0, pictures: 0 }
  const sections = folders(PICTURES).map((folder) => ({
    name: path.relative(PICTURES, folder).replaceAll(path.sep, '/'),
    files: readdirSync(folder).filter((file) => file.endsWith('.png')).sort((a, b) => order(a) - order(b)),
  }))
  const areas = [...new Set(sections.map(({ name }) => name.split('/')[0]!))]
  const nav = areas.map((area) => {
    const links = sections.filter(({ name }) => name.startsWith(`${area}/`)).map(({ name }) => `<a href="#${name}">${name.slice(area.length + 1)}</a>`)
    return `<p><strong>${area}</strong> ${links.join(' ')}</p>`
  })
  const body = sections.map(({ name, files }) => {
    const shown = files.map((file) => {
      const [language, width, scheme] = file.replace('.png', '').split('-')
      return `<a class="${language} w${width} ${scheme}" href="${name}/${file}"><img loading="lazy" src="${name}/${file}" alt="${name}: ${language}, ${width} px, ${scheme}"><span>${language} ${width} ${scheme}</span></a>`
    })
    return `<section id="${name}"><h2>${name}</h2><div>${shown.join('')}</div></section>`
  })
  writeFileSync(path.join(PICTURES, 'index.html'), page(nav.join(''), body.join('')))
  return { pages: sections.length, pictures: sections.reduce((sum, { files }) => sum + files.length, 0) }
}

/** Narrow before wide, English before Spanish, light before dark. */
function order(file: string): number {
  const [language, width, scheme] = file.replace('.png', '').split('-')
  return Number(width) * 4 + (language === 'en' ? 0 : 2) + (scheme === 'light' ? 0 : 1)
}

function page(nav: string, body: string): string {
  const choices = [['en', 'es'], ['w390', 'w820', 'w1440'], ['light', 'dark']].flat()
  const boxes = choices.map((name) => `<label><input type="checkbox" id="${name}" checked> ${name.replace('w', '')}</label>`).join(' ')
  const rules = choices.map((name) => `body:has(#${name}:not(:checked)) a.${name}{display:none}`).join('')
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Pictures of every page</title><style>
body{margin:0;padding:16px 24px;background:#e9e7e2;color:#1f2328;font:14px/1.5 system-ui,sans-serif}
header{position:sticky;top:0;z-index:1;margin:-16px -24px 16px;padding:8px 24px;background:#fbfaf8;border-bottom:1px solid #c8c5be}
header label{margin-right:8px}nav p{margin:4px 0}nav a{margin-right:6px}
section{margin:0 0 32px;scroll-margin-top:56px}h2{margin:0 0 8px;font-size:18px}
section div{display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start}
section a{display:grid;gap:4px;color:inherit;text-decoration:none}
img{display:block;border:1px solid #c8c5be;background:#fff}
.w390 img{width:195px}.w820 img{width:328px}.w1440 img{width:480px}
${rules}</style><header>${boxes}</header><nav>${nav}</nav>${body}</html>
`
}

// Every mail as its reader sees it, filled with its example.
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { root } from '../support/mail.ts'
import { test } from './shoot.ts'

const MAILS = readdirSync(path.join(root, 'src/notify/mails'))
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace('.yaml', ''))

for (const mail of MAILS) {
  test(`mails/${mail}`, async ({ studio, language }) => {
    await studio.shoot(await studio.framed(`/mails/${mail}/html?lang=${language}`), `mails/${mail}`, { kind: 'mail' })
  })
}

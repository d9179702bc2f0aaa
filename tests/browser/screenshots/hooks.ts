// The sample company's notices, with a chat and a program that cannot be reached: what is told to them is given up.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from '../support/mail.ts'

const HOOKS = `hooks:
  - name: sales
    url: https://127.0.0.1:9/services/sales
    on: [bookings, handoffs]
  - name: warehouse
    kind: webhook
    url: https://127.0.0.1:9/embudo
    secrets: [whsec_bm90IGEgc2VjcmV0LCBidXQgbG9uZyBlbm91Z2ggZm9yIG9uZQ==]
    on: [booking_confirmed, stage_changed]
`

export function hooks(): string {
  const text = readFileSync(path.join(root, 'config/notify.yaml'), 'utf8')
  if (!text.includes('hooks: []\n')) throw new Error('config/notify.yaml has hooks of its own now')
  return text.replace('hooks: []\n', HOOKS)
}

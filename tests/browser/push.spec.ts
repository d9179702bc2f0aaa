// Notices in the browser. No push service is reached from here: the subscription is made up, with real keys, for a service of
// the test's own; the service worker is handed what such a service would deliver by the browser's own tools for developers.
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { device, expect, Embudo, test as base } from './support/embudo.ts'
import { Console } from './support/console.ts'
import { expectAccessible, look } from './support/look.ts'

const test = base.extend<{ pushing: Embudo }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the braces
  pushing: async ({}, use) => {
    const embudo = await Embudo.start({ EMBUDO__OUTBOUND__ALLOW: '127.0.0.0/8' })
    await use(embudo)
    await embudo.stop()
  },
})

test('a colleague switches notices on in this browser, sees one come, and switches them off @pictures', async ({ pushing: embudo, browser }) => {
  const calls: { path?: string; headers: IncomingHttpHeaders; bytes: number }[] = []
  const service = createServer((request, answer) => {
    let bytes = 0
    request.on('data', (part: Buffer) => (bytes += part.length))
    request.on('end', () => {
      calls.push({ path: request.url, headers: request.headers, bytes })
      answer.writeHead(201).end()
    })
  })
  await new Promise<void>((done) => service.listen(0, '127.0.0.1', done))
  const endpoint = `http://127.0.0.1:${(service.address() as AddressInfo).port}/send/one`

  await embudo.opens()
  const context = await device(browser, 'en')
  await context.grantPermissions(['notifications'], { origin: embudo.url })
  // A browser that has a push service: everything but the service itself is the browser's own.
  await context.addInitScript((endpoint: string) => {
    let known: object | null = null
    PushManager.prototype.subscribe = async (options) => {
      const keys = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits'])
      const point = new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey))
      const text = (bytes: Uint8Array) =>
        btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
      const key = Uint8Array.from(atob(String(options?.applicationServerKey).replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
      const own = { p256dh: text(point), auth: text(crypto.getRandomValues(new Uint8Array(16))) }
      known = {
        endpoint,
        options: { applicationServerKey: key.buffer },
        toJSON: () => ({ endpoint, keys: own }),
        unsubscribe: async () => {
          known = null
          return true
        },
      }
      return known as PushSubscription
    }
    PushManager.prototype.getSubscription = async () => known as PushSubscription | null
  }, endpoint)
  const mike = await Console.logIn(embudo, context, embudo.people.mike, embudo.password)
  await mike.speak('en')
  await mike.go('/notifications')
  const { page } = mike
  const own = page.locator('#device').getByRole('switch', { name: 'Notices in this browser' })
  await expect(own).toHaveAttribute('aria-checked', 'false')
  await own.focus()
  await page.keyboard.press('Space')
  await expect(own).toHaveAttribute('aria-checked', 'true')
  await expect(own).toBeFocused()
  await expect(page.locator('#device-state')).toHaveText('This browser tells you from now on.')
  await expect(page.locator('#device-list tbody tr')).toHaveCount(1)
  await look(page, 'push-01-on')

  await page.locator('#device-list').getByRole('button', { name: 'Send a trial' }).click()
  await expect(page.locator('.notice.good')).toContainText('on its way')
  expect(calls).toHaveLength(1)
  expect(calls[0]).toMatchObject({ path: '/send/one', headers: { 'content-encoding': 'aes128gcm', urgency: 'high' } })
  expect(calls[0]!.bytes).toBeGreaterThan(86)

  await page.locator('#device-list').getByRole('button', { name: 'Take out' }).click()
  await expect(page.locator('#device-list tbody tr')).toHaveCount(0)
  service.close()
})

test('the service worker shows what comes, unless a page of the console is in view', async ({ pushing: embudo, browser }) => {
  await embudo.opens()
  const context = await device(browser, 'en')
  await context.grantPermissions(['notifications'], { origin: embudo.url })
  const mike = await Console.logIn(embudo, context, embudo.people.mike, embudo.password)
  const { page } = mike
  const tools = await context.newCDPSession(page)
  const registered = new Promise<string>((done) => {
    tools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const found = registrations.find((known) => known.scopeURL.endsWith('/console'))
      if (found) done(found.registrationId)
    })
  })
  await tools.send('ServiceWorker.enable')
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/console/push.js', { scope: '/console' })
    await navigator.serviceWorker.ready
  })
  const registrationId = await registered
  const deliver = (said: unknown) =>
    tools.send('ServiceWorker.deliverPushMessage', { origin: embudo.url, registrationId, data: JSON.stringify(said) })
  const shown = () =>
    page.evaluate(async () => {
      const worker = await navigator.serviceWorker.getRegistration('/console')
      const notices = (await worker?.getNotifications()) ?? []
      return notices.map(({ title, body, tag, data }) => ({ title, body, tag, link: data.link }))
    })
  const told = (name: string, link: string) => ({ title: `${name} booked a call with Mike`, body: 'Friday, 12:00', link, at: Date.now() })

  // The console is in view: it shows the line itself.
  await deliver(told('Pam', '/console/contacts/1'))
  await page.goto(`${embudo.url}/en/`)
  expect(await shown()).toEqual([])
  await deliver(told('Nikki', '/console/contacts/2'))
  await expect.poll(shown).toEqual([
    { title: 'Nikki booked a call with Mike', body: 'Friday, 12:00', tag: '/console/contacts/2', link: '/console/contacts/2' },
  ])
  // Later news of the same page replaces it, and nothing leads out of the console.
  await deliver(told('Nikki', '/console/contacts/2'))
  await deliver(told('Eve', 'https://eve.example/console'))
  await deliver('no notice')
  await expect.poll(async () => (await shown()).map(({ link }) => link).sort()).toEqual(['/console', '/console/contacts/2'])
})

test('a browser without a push service says so in words', async ({ pushing: embudo, browser }) => {
  await embudo.opens()
  const context = await device(browser, 'es')
  const mike = await Console.logIn(embudo, context, embudo.people.mike, embudo.password)
  await mike.speak('es')
  await mike.go('/notifications')
  await mike.page.evaluate(() => {
    PushManager.prototype.subscribe = () => Promise.reject(new DOMException('no service', 'AbortError'))
    Notification.requestPermission = async () => 'granted'
  })
  const own = mike.page.locator('#device').getByRole('switch')
  await own.click()
  await expect(mike.page.locator('#device-state')).toContainText('No ha funcionado')
  await expect(own).toHaveAttribute('aria-checked', 'false')
  await expectAccessible(mike.page)
})

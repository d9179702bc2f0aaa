// A load balancer as small as one can be: requests go to the nodes in turn, event streams and sockets too. Whoever
// carries the cookie `node` keeps to that one. A node that does not answer is left out.
import { type IncomingMessage, createServer, request, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export class Proxy {
  private next = 0
  /** Where the last event stream of a visitor was opened. */
  streamsFrom = -1

  private constructor(
    private readonly server: Server,
    private readonly nodes: number[],
  ) {}

  /** Listens on a free port of this machine for servers on these ports, which may be told later. `edit` may change a body. */
  static async start(nodes: number[] = [], edit = (_path: string, body: Buffer): Buffer => body): Promise<Proxy> {
    const server = createServer()
    const proxy = new Proxy(server, nodes)
    server.on('request', (asked, answer) => {
      const chunks: Buffer[] = []
      asked.on('data', (chunk) => chunks.push(chunk))
      asked.on('end', () => {
        const body = edit(asked.url!, Buffer.concat(chunks))
        const headers = { ...asked.headers }
        if (headers['content-length']) headers['content-length'] = `${body.length}`
        const go = (node: number, tries: number) => {
          const passed = request({ port: proxy.nodes[node], host: '127.0.0.1', method: asked.method, path: asked.url, headers }, (told) => {
            if (/\/v1\/chat\/[^/]+\/stream/.test(asked.url!)) proxy.streamsFrom = node
            answer.writeHead(told.statusCode!, told.rawHeaders)
            // Not held back: whoever reads a stream is told at once. What breaks behind breaks in front, too.
            answer.flushHeaders()
            told.pipe(answer)
            told.on('close', () => answer.destroy())
          })
          passed.on('error', () => {
            if (answer.headersSent) return void answer.destroy()
            if (tries > 1) return go((node + 1) % proxy.nodes.length, tries - 1)
            answer.writeHead(502).end()
          })
          answer.on('close', () => passed.destroy())
          passed.end(body)
        }
        go(proxy.pick(asked), proxy.nodes.length)
      })
    })
    server.on('upgrade', (asked: IncomingMessage, socket: Socket, head: Buffer) => {
      const node = connect(proxy.nodes[proxy.pick(asked)]!, '127.0.0.1', () => {
        const headers = asked.rawHeaders.flatMap((name, at, all) => (at % 2 ? [] : [`${name}: ${all[at + 1]}`]))
        node.write([`GET ${asked.url} HTTP/1.1`, ...headers, '', ''].join('\r\n'))
        node.write(head)
        node.pipe(socket).pipe(node)
      })
      for (const [one, other] of [[node, socket], [socket, node]] as const) one.on('error', () => other.destroy()).on('close', () => other.destroy())
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  add(port: number): void {
    this.nodes.push(port)
  }

  stop(): void {
    this.server.closeAllConnections()
    this.server.close()
  }

  private pick(asked: IncomingMessage): number {
    const [, kept] = /(?:^|; )node=(\d)/.exec(asked.headers.cookie ?? '') ?? []
    return kept === undefined ? this.next++ % this.nodes.length : Number(kept)
  }
}

/**
 * A server that speaks just enough of the NATS protocol to be written frames to, and does nothing by itself: tests make it
 * stop reading, break off or come back. Never used by Loch.
 */
import * as net from 'node:net'

export interface Published {
  readonly subject: string
  readonly reply: string
  readonly data: Buffer
}

/** One accepted connection: what it said, taken apart. Anything that is not the protocol is a violation. */
export class NatsPeer {
  readonly socket: net.Socket
  readonly published: Published[] = []
  readonly connects: Array<Readonly<Record<string, unknown>>> = []
  readonly violations: string[] = []
  pongs = 0
  closed = false
  /** While false, PING is not answered. */
  answersPing = true
  #bytes = Buffer.alloc(0)

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** Bytes of a command that has not come whole. */
  get unfinished(): number {
    return this.#bytes.length
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    for (let end = this.#bytes.indexOf('\r\n'); end >= 0; end = this.#bytes.indexOf('\r\n')) {
      const line = this.#bytes.toString('latin1', 0, end)
      const [verb, subject = '', reply = '', bytes = ''] = line.split(' ')
      let next = end + 2
      if (verb === 'PUB') {
        next += Number(bytes) + 2
        if (this.#bytes.length < next) return
        this.published.push({ subject, reply, data: Buffer.from(this.#bytes.subarray(end + 2, next - 2)) })
        if (this.#bytes.toString('latin1', next - 2, next) !== '\r\n') this.violations.push('a payload without end')
      } else this.#command(line)
      this.#bytes = this.#bytes.subarray(next)
    }
  }

  #command(line: string): void {
    if (line.startsWith('CONNECT ')) this.connects.push(JSON.parse(line.slice(8)))
    else if (line === 'PING' && this.answersPing) this.socket.write('PONG\r\n')
    else if (line === 'PONG') this.pongs++
    else if (line !== 'PING') this.violations.push(line)
  }
}

/** Accepts connections on a port of this host and greets them with INFO. */
export class NatsServer {
  readonly peers: NatsPeer[] = []
  /** What a new connection hears first. */
  greeting = 'INFO {"server_id":"fake","max_payload":1048576}\r\n'
  readonly #server: net.Server

  private constructor(server: net.Server) {
    this.#server = server
    server.on('connection', (socket) => {
      socket.setNoDelay(true)
      this.peers.push(new NatsPeer(socket))
      socket.write(this.greeting)
    })
  }

  /** On any free port if none is given. */
  static async listen(port = 0): Promise<NatsServer> {
    const server = new NatsServer(net.createServer())
    await new Promise<void>((resolve) => server.#server.listen(port, '127.0.0.1', resolve))
    return server
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`
  }

  get last(): NatsPeer {
    return this.peers[this.peers.length - 1]!
  }

  close(): void {
    for (const { socket } of this.peers) socket.destroy()
    this.#server.close()
  }
}

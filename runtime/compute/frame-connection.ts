/**
 * Connects the socket that the FUSE worker writes frames to, and keeps it connected. It speaks just enough of the NATS
 * client protocol to be let in and stay in (INFO, CONNECT, PING, PONG); everything else goes through the bus. Frames are
 * never read, queued or retried here.
 */
import * as fs from 'node:fs'
import * as net from 'node:net'
import { INFO, isEncrypting } from '../bus/server-info.ts'
import type { SharedLog } from './shared-log.ts'

const RECONNECT_AFTER_MS = 100
const PONG = Buffer.from('PONG\r\n')

export interface FrameConnection {
  close(): void
}

/** `report` hears of refusals by the server; reconnecting goes on until `close`. */
export function connectFrames(
  log: SharedLog,
  url: string,
  name: string,
  report: (line: string) => void,
): FrameConnection {
  let closed = false
  let socket: net.Socket | undefined
  const open = (): void => {
    if (closed) return
    socket = openSocket(log, new URL(url), name, report, close)
    socket.once('close', () => setTimeout(open, RECONNECT_AFTER_MS).unref())
  }
  const close = (): void => {
    closed = true
    socket?.destroy()
  }
  open()
  return { close }
}

/** `leaveToBus`: called when the server wants what is not spoken here. */
function openSocket(
  log: SharedLog,
  url: URL,
  name: string,
  report: (line: string) => void,
  leaveToBus: () => void,
): net.Socket {
  const socket = net.connect({ host: url.hostname, port: Number(url.port || 4222), noDelay: true })
  const session = new Session(log, socket, url, name, report, leaveToBus)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
      session.hear(text.slice(0, end))
      text = text.slice(end + 2)
    }
  })
  // An error is followed by 'close', which reconnects.
  socket.on('error', () => {})
  const watch = setInterval(() => session.endIfForgotten(), RECONNECT_AFTER_MS).unref()
  socket.once('close', () => clearInterval(watch))
  dropBeforeClose(log, socket)
  return socket
}

/** The descriptor may be reused by the kernel the moment it is closed: no thread may hold it then. */
function dropBeforeClose(log: SharedLog, socket: net.Socket): void {
  const destroy = socket._destroy.bind(socket)
  socket._destroy = (error, done) => {
    log.withSocket(() => {
      log.socket = -1
    })
    destroy(error, done)
  }
}

/** What is said on one connection beside frames. */
class Session {
  readonly #log: SharedLog
  readonly #socket: net.Socket
  readonly #url: URL
  readonly #name: string
  readonly #report: (line: string) => void
  readonly #leaveToBus: () => void
  #introduced = false
  /** What the volume's thread was given; -1 until it was given anything. */
  #descriptor = -1

  constructor(
    log: SharedLog,
    socket: net.Socket,
    url: URL,
    name: string,
    report: (line: string) => void,
    leaveToBus: () => void,
  ) {
    this.#log = log
    this.#socket = socket
    this.#url = url
    this.#name = name
    this.#report = report
    this.#leaveToBus = leaveToBus
  }

  hear(line: string): void {
    if (line.startsWith(INFO)) this.#introduce(line)
    else if (line === 'PONG') this.#handOver()
    else if (line === 'PING') this.#pong()
    else if (line.startsWith('-ERR')) {
      this.#report(`NATS refused the log connection: ${line}`)
      this.#socket.destroy()
    }
  }

  /** The volume's thread gives a connection up by forgetting its descriptor; half a frame may stand in it. */
  endIfForgotten(): void {
    if (this.#descriptor >= 0 && this.#log.socket !== this.#descriptor) this.#socket.destroy()
  }

  /** Written here and now, under the lock: what a stream puts off until there is room could land inside a frame. */
  #pong(): void {
    if (this.#descriptor < 0) {
      this.#socket.write(PONG)
      return
    }
    let written = 0
    this.#log.withSocket(() => {
      if (this.#log.socket === this.#descriptor) written = writeNow(this.#descriptor, PONG)
    })
    if (written < PONG.length) this.#socket.destroy()
  }

  /** Once: a server tells of itself again whenever its cluster changes, and an answer could land inside a frame. */
  #introduce(info: string): void {
    if (this.#introduced || this.#socket.destroyed) return
    // Before a credential is said in the clear. The bus, which is encrypted then, carries the frames.
    if (isEncrypting(info)) {
      this.#leaveToBus()
      return
    }
    this.#introduced = true
    this.#socket.write(`CONNECT ${JSON.stringify(connectOptions(this.#url, this.#name))}\r\nPING\r\n`)
  }

  #handOver(): void {
    if (this.#descriptor >= 0) return
    this.#descriptor = descriptorOf(this.#socket)
    this.#log.socket = this.#descriptor
  }
}

function writeNow(descriptor: number, bytes: Uint8Array): number {
  try {
    return fs.writeSync(descriptor, bytes)
  } catch {
    return 0
  }
}

function connectOptions(url: URL, name: string): Record<string, unknown> {
  const user = decodeURIComponent(url.username)
  const credentials = url.password ? { user, pass: decodeURIComponent(url.password) } : user ? { auth_token: user } : {}
  return { verbose: false, pedantic: false, echo: false, lang: 'loch', version: '1', protocol: 0, name, ...credentials }
}

/** Node has no public name for it; -1 makes the worker leave sending to the main thread. */
function descriptorOf(socket: net.Socket): number {
  const handle = (socket as unknown as { _handle?: { fd?: number } })._handle
  return handle?.fd ?? -1
}

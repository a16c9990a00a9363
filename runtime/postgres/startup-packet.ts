/**
 * Asks a Postgres whether it serves, by the first message of its protocol ("Start-up" in the frontend/backend protocol
 * of the Postgres manual), without a client library: it costs one round trip and no authentication. Nothing here decides
 * how often to ask.
 */
import { connect } from 'node:net'

/** `absent`: nobody listens, or it went away; `starting`: it answers, and says not yet. */
export type Readiness = 'serving' | 'starting' | 'absent'

/** Version 3.0 of the protocol. */
const PROTOCOL_VERSION = 0x0003_0000
const AUTHENTICATION = 'R'.charCodeAt(0)
const ERROR_RESPONSE = 'E'.charCodeAt(0)
/** Terminate, without which the backend would log a lost connection. */
const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4])
/** SQLSTATE cannot_connect_now: starting up, shutting down, or in recovery without being readable yet. */
const CANNOT_CONNECT_NOW = '57P03'
/** A server that accepts and then says nothing is asked again. */
const ANSWER_WITHIN_MS = 5_000

/** One question to the server behind a Unix socket. Never rejects. */
export function askReadiness(socketPath: string, user: string): Promise<Readiness> {
  return new Promise((resolve) => {
    const socket = connect(socketPath)
    const settle = (readiness: Readiness) => {
      resolve(readiness)
      if (readiness === 'serving') socket.end(TERMINATE)
      else socket.destroy()
    }
    let answer = Buffer.alloc(0)
    socket.setTimeout(ANSWER_WITHIN_MS, () => settle('absent'))
    socket.on('error', () => settle('absent'))
    socket.on('close', () => settle('absent'))
    socket.on('connect', () => socket.write(startupPacket(user)))
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      const readiness = readAnswer(answer)
      if (readiness !== undefined) settle(readiness)
    })
  })
}

/** The start-up packet for the database `postgres`. */
export function startupPacket(user: string): Buffer {
  const parameters = Buffer.from(`user\0${user}\0database\0postgres\0\0`, 'utf8')
  const packet = Buffer.alloc(8 + parameters.length)
  packet.writeInt32BE(packet.length, 0)
  packet.writeInt32BE(PROTOCOL_VERSION, 4)
  parameters.copy(packet, 8)
  return packet
}

/** What the bytes received so far say; undefined while the first message is incomplete. */
export function readAnswer(answer: Buffer): Readiness | undefined {
  if (answer.length === 0) return undefined
  if (answer[0] === AUTHENTICATION) return 'serving'
  if (answer[0] !== ERROR_RESPONSE) return 'absent'
  if (answer.length < 5 || answer.length < 1 + answer.readInt32BE(1)) return undefined
  // Fields: a letter and a string each, ended by zero; C is the SQLSTATE. Any refusal but "not now" comes from a server
  // that serves: pg_hba.conf or the role may forbid us, which is the user's business.
  const fields = answer.toString('latin1', 5, answer.readInt32BE(1)).split('\0')
  return fields.includes(`C${CANNOT_CONNECT_NOW}`) ? 'starting' : 'serving'
}

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { connectFrames, type FrameConnection } from './frame-connection.ts'
import { FrameSocket } from './frame-socket.ts'
import { SharedLog } from './shared-log.ts'
import { NatsServer, settle } from './testing.ts'

let server: NatsServer
let log: SharedLog
let frames: FrameSocket
let connection: FrameConnection | undefined
const reported: string[] = []

beforeEach(async () => {
  server = await NatsServer.listen()
  log = SharedLog.allocate(0, 0)
  frames = new FrameSocket(log, 'loch.append', 'loch.ack')
  reported.length = 0
})

afterEach(() => {
  connection?.close()
  server.close()
})

function connect(url = server.url): void {
  connection = connectFrames(log, url, 'loch main-1 log', (line) => reported.push(line))
}

const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { interval: 2, timeout: 10_000 })
const publish = (text: string) => frames.publish([Buffer.from(text)], text.length)
const texts = () => server.peers.flatMap(({ published }) => published.map(({ data }) => data.toString()))

describe('the connection for frames', () => {
  test('introduces itself and is used once the server has let it in', async () => {
    connect()
    expect(log.socket).toBe(-1)
    expect(publish('too early')).toBe(false)
    await until(() => log.socket >= 0)
    expect(server.last.connects).toMatchObject([
      { verbose: false, pedantic: false, echo: false, lang: 'loch', version: '1', name: 'loch main-1 log' },
    ])
    expect(publish('frame')).toBe(true)
    await until(() => server.last.published.length === 1)
    expect(server.last.published[0]).toEqual({ subject: 'loch.append', reply: 'loch.ack', data: Buffer.from('frame') })
  })

  test.each([
    ['user:pass%40word', { user: 'user', pass: 'pass@word' }],
    ['a-token', { auth_token: 'a-token' }],
  ])('brings its credentials: %s', async (credentials, expected) => {
    connect(server.url.replace('//', `//${credentials}@`))
    await until(() => log.socket >= 0)
    expect(server.last.connects[0]).toMatchObject(expected)
  })

  test('says nothing to a server that wants TLS', async () => {
    server.greeting = 'INFO {"tls_required":true}\r\n'
    connect(server.url.replace('//', '//user:password@'))
    await until(() => server.peers.length === 1 && server.last.closed)
    expect(server.last.connects).toEqual([])
    expect(log.socket).toBe(-1)
  })

  test('understands the server however its words are cut', async () => {
    server.greeting = 'INFO {"server_'
    connect()
    await until(() => server.peers.length === 1)
    const { last } = server
    last.answersPing = false
    for (const piece of ['id":"x"}\r', '\n+OK\r\nPING\r\nPI', 'NG\r\nPO', 'N']) {
      last.socket.write(piece)
      await settle()
    }
    await until(() => last.pongs === 2)
    expect(log.socket).toBe(-1)
    last.socket.write('G\r\n')
    await until(() => log.socket >= 0)
    expect(last.violations).toEqual([])
  })

  test('answers PING, between frames and never within one', async () => {
    connect()
    await until(() => log.socket >= 0)
    server.last.socket.write('PING\r\n'.repeat(3))
    for (let at = 0; at < 20; at++) {
      publish(`frame ${at}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => server.last.pongs === 3 && server.last.published.length === 20)
    expect([server.last.violations, server.last.unfinished]).toEqual([[], 0])
  })

  test('does not introduce itself again when the server tells news of its cluster', async () => {
    connect()
    await until(() => log.socket >= 0)
    // Written at once, it could land within a frame that the volume's thread is writing.
    server.last.socket.write('INFO {"server_id":"fake","connect_urls":["127.0.0.1:4223"]}\r\nPING\r\n')
    await until(() => server.last.pongs === 1)
    expect(server.last.connects.length).toBe(1)
    expect(publish('frame')).toBe(true)
    await until(() => server.last.published.length === 1)
  })

  test('takes the lock before it lets go of its descriptor', async () => {
    connect()
    await until(() => log.socket >= 0)
    const held: number[] = []
    const withSocket = log.withSocket.bind(log)
    log.withSocket = (write) =>
      withSocket(() => {
        write()
        held.push(log.socket)
      })
    connection?.close()
    // Dropped before the descriptor is closed, and under the lock.
    expect(log.socket).toBe(-1)
    expect(held).toEqual([-1])
  })
})

describe('a connection that is lost', () => {
  test('is made again, and frames go on in it', async () => {
    connect()
    await until(() => log.socket >= 0)
    publish('one')
    await until(() => texts().length === 1)
    server.last.socket.destroy()
    await until(() => log.socket < 0)
    expect(publish('lost')).toBe(false)
    await until(() => log.socket >= 0)
    expect(publish('two')).toBe(true)
    await until(() => texts().length === 2)
    expect(texts()).toEqual(['one', 'two'])
    expect(server.peers.length).toBe(2)
  })

  test('in the midst of a frame leaves nothing of it in the next', async () => {
    connect()
    await until(() => log.socket >= 0)
    const { socket } = server.last
    socket.pause()
    // Larger than what the server has read when it goes: how much of it arrived it never tells.
    const large = Buffer.alloc(64 * 1024, 'x')
    frames.publish([large], large.length)
    socket.resetAndDestroy()
    await until(() => log.socket < 0)
    await until(() => log.socket >= 0)
    expect(publish('next')).toBe(true)
    await until(() => server.last.published.length === 1)
    expect(texts()).toEqual(['next'])
    expect(server.last.violations).toEqual([])
  })

  test('is made again if the volume thread gave it up: half a frame may stand in it', async () => {
    connect()
    await until(() => log.socket >= 0)
    log.withSocket(() => {
      log.socket = -1
    })
    await until(() => server.peers.length === 2 && log.socket >= 0)
    expect(server.peers[0]!.closed).toBe(true)
    expect(publish('frame')).toBe(true)
    await until(() => server.last.published.length === 1)
  })

  test('is tried again until a server is there', async () => {
    const { url } = server
    server.close()
    connect(url)
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(log.socket).toBe(-1)
    server = await NatsServer.listen(Number(new URL(url).port))
    await until(() => log.socket >= 0)
  })

  test('because the server refused it is reported, and tried again', async () => {
    server.greeting = "INFO {}\r\n-ERR 'Authorization Violation'\r\n"
    connect()
    await until(() => reported.length === 1)
    expect(reported[0]).toContain('Authorization Violation')
    server.greeting = 'INFO {}\r\n'
    await until(() => log.socket >= 0)
    expect(server.peers.length).toBe(2)
  })

  test('is not made again once it was closed', async () => {
    connect()
    await until(() => log.socket >= 0)
    connection?.close()
    expect(publish('frame')).toBe(false)
    await until(() => server.last.closed)
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(server.peers.length).toBe(1)
  })
})

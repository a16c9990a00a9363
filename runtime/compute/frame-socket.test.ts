import * as fs from 'node:fs'
import * as net from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FrameSocket } from './frame-socket.ts'
import { SharedLog } from './shared-log.ts'
import { NatsPeer, settle } from './testing.ts'

/** Enough of them fill any send buffer of a peer that does not read. */
const LARGE_FRAME_BYTES = 512 * 1024
const FRAMES_MAX = 200

let server: net.Server
/** Our end, which frames are written to by its descriptor alone. */
let near: net.Socket
/** The server's end; it reads nothing unless told to. */
let far: net.Socket
let log: SharedLog
let frames: FrameSocket

beforeEach(async () => {
  server = net.createServer({ pauseOnConnect: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve))
  near = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  near.on('error', () => {})
  far = await accepted
  far.on('error', () => {})
  log = SharedLog.allocate(0, 0)
  log.socket = descriptorOf(near)
  frames = new FrameSocket(log, 'loch.append', 'loch.ack')
})

afterEach(() => {
  vi.restoreAllMocks()
  near.destroy()
  far.destroy()
  server.close()
})

function descriptorOf(socket: net.Socket): number {
  return (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd
}

const largeFrame = (fill: number) => [Buffer.alloc(64, fill), Buffer.alloc(LARGE_FRAME_BYTES - 64, fill + 1)]

/** Publishes until `done`: a peer that does not read makes the writer wait at some time. */
function publishUntil(done: () => boolean): boolean[] {
  const results: boolean[] = []
  while (!done() && results.length < FRAMES_MAX) {
    results.push(frames.publish(largeFrame(results.length), LARGE_FRAME_BYTES))
  }
  expect(done()).toBe(true)
  return results
}

/** Has `step` happen at each wait: the clock is looked at once to begin a frame, then once for each wait. */
function whenWaiting(step: (waits: number) => number | undefined): { waits: number } {
  const state = { waits: 0 }
  const now = performance.now.bind(performance)
  const publish = frames.publish.bind(frames)
  let isFirst = false
  frames.publish = (parts, bytes) => {
    isFirst = true
    return publish(parts, bytes)
  }
  vi.spyOn(performance, 'now').mockImplementation(() => {
    const late = isFirst ? 0 : (step(++state.waits) ?? 0)
    isFirst = false
    return now() + late
  })
  return state
}

describe('a frame', () => {
  test('leaves as one PUB, whatever its parts', async () => {
    expect(frames.publish([Buffer.from('head'), Buffer.from('er'), Buffer.alloc(0), Buffer.from('\r\npay')], 11)).toBe(
      true,
    )
    expect(frames.publish([Buffer.from('x')], 1)).toBe(true)
    const peer = new NatsPeer(far)
    far.resume()
    await vi.waitFor(() => expect(peer.published.length).toBe(2), { timeout: 20_000 })
    expect(peer.published).toEqual([
      { subject: 'loch.append', reply: 'loch.ack', data: Buffer.from('header\r\npay') },
      { subject: 'loch.append', reply: 'loch.ack', data: Buffer.from('x') },
    ])
    expect([peer.violations, peer.unfinished]).toEqual([[], 0])
  })

  test('does not leave without a connection', async () => {
    log.socket = -1
    expect(frames.publish([Buffer.from('x')], 1)).toBe(false)
    await settle()
    far.resume()
    expect(far.bytesRead).toBe(0)
  })

  test('waits while the send buffer is full, and then leaves whole', async () => {
    const drained: Buffer[] = []
    const wait = whenWaiting(() => {
      const bytes = Buffer.alloc(LARGE_FRAME_BYTES)
      drained.push(Buffer.from(bytes.subarray(0, fs.readSync(descriptorOf(far), bytes))))
      return undefined
    })
    const results = publishUntil(() => wait.waits >= 5)
    expect(results.every((sent) => sent)).toBe(true)
    const peer = new NatsPeer(far)
    for (const bytes of drained) far.emit('data', bytes)
    far.resume()
    await vi.waitFor(() => expect(peer.published.length).toBe(results.length), { timeout: 20_000 })
    for (const [at, { data }] of peer.published.entries()) expect(data.equals(Buffer.concat(largeFrame(at)))).toBe(true)
    expect([peer.violations, peer.unfinished]).toEqual([[], 0])
  })
})

describe('a connection', () => {
  test('to a server that stops reading is given up, and nothing more is written to it', () => {
    const wait = whenWaiting((waits) => waits * 500)
    const results = publishUntil(() => log.socket < 0)
    expect(results.at(-1)).toBe(false)
    expect(results.slice(0, -1).every((sent) => sent)).toBe(true)
    expect(wait.waits).toBeGreaterThan(3)
    const { waits } = wait
    expect(frames.publish([Buffer.from('x')], 1)).toBe(false)
    expect(wait.waits).toBe(waits)
  })

  test('that dies in the midst of a frame is given up', async () => {
    const wait = whenWaiting((waits) => {
      if (waits === 1) far.resetAndDestroy()
      return undefined
    })
    const results = publishUntil(() => log.socket < 0)
    expect(results.at(-1)).toBe(false)
    expect(wait.waits).toBeGreaterThan(0)
    expect(frames.publish([Buffer.from('x')], 1)).toBe(false)
  })

  test('that the main thread let go of while this thread was about to write is not written to', () => {
    // Between the first look and the lock the descriptor may have become somebody else's.
    const withSocket = log.withSocket.bind(log)
    log.withSocket = (write) => {
      log.socket = -1
      withSocket(write)
    }
    const writev = vi.fn()
    Object.defineProperty(frames, 'writeAll', { value: writev })
    expect(frames.publish([Buffer.from('x')], 1)).toBe(false)
    expect(writev).not.toHaveBeenCalled()
  })
})

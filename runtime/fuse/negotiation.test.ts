import { describe, expect, test } from 'vitest'
import { FRAME_PAYLOAD_BYTES_MAX } from '../../events/frame.ts'
import { Opcode, REQUEST_BYTES_MAX, TRANSFER_BYTES_MAX } from './protocol.ts'
import { Bench, pack, u32 } from './testing.ts'

/** fuse_init_in of a kernel that offers all flags but those of `without`. */
const init = (major: number, minor: number, without = 0) =>
  pack(u32(major), u32(minor), u32(131_072), u32((0xffff_ffff & ~without) >>> 0), Buffer.alloc(48))

const WRITEBACK_CACHE = 1 << 16
const MAX_PAGES = 1 << 22

function refused(body: Buffer): unknown {
  const bench = new Bench()
  try {
    bench.send(Opcode.init, 0, body)
  } catch (error) {
    expect(bench.replies).toMatchObject([{ error: -5 }])
    return error
  }
  throw new Error('the kernel was accepted')
}

describe('INIT', () => {
  test('agrees on the size of requests and takes only flags that both sides know', () => {
    const { error, payload } = new Bench().ask(Opcode.init, 0, init(7, 38))
    expect(error).toBe(0)
    expect(payload.length).toBe(64)
    expect([payload.readUInt32LE(0), payload.readUInt32LE(4)]).toEqual([7, 38])
    expect(payload.readUInt32LE(8)).toBe(131_072)
    const flags = payload.readUInt32LE(12)
    // ASYNC_READ, ATOMIC_O_TRUNC, BIG_WRITES, DO_READDIRPLUS, READDIRPLUS_AUTO, ASYNC_DIO, PARALLEL_DIROPS,
    // ABORT_ERROR, MAX_PAGES.
    expect(flags).toBe((1 << 0) | (1 << 3) | (1 << 5) | (7 << 13) | (1 << 18) | (1 << 21) | (1 << 22))
    expect(flags & WRITEBACK_CACHE).toBe(0)
    expect([payload.readUInt16LE(16), payload.readUInt16LE(18)]).toEqual([64, 48])
    expect(payload.readUInt32LE(20)).toBe(TRANSFER_BYTES_MAX)
    expect(payload.readUInt32LE(24)).toBe(1)
    // In pages of 4 KiB; fs.fuse.max_pages_limit is 256 unless raised.
    expect(payload.readUInt16LE(28)).toBe(TRANSFER_BYTES_MAX / 4096)
    expect(payload.readUInt16LE(28)).toBeLessThanOrEqual(256)
    expect(payload.subarray(32).every((byte) => byte === 0)).toBe(true)
  })

  test('agrees on a size at which one WRITE fits into one frame of the log, and into the request buffer', () => {
    // The head of a log entry is smaller than this.
    expect(TRANSFER_BYTES_MAX + 256).toBeLessThanOrEqual(FRAME_PAYLOAD_BYTES_MAX)
    // fuse_in_header and fuse_write_in; the kernel wants room for a page more.
    expect(TRANSFER_BYTES_MAX + 40 + 40 + 4096).toBeLessThanOrEqual(REQUEST_BYTES_MAX)
  })

  test('does not take a flag that the kernel does not offer, and speaks no newer dialect than it knows', () => {
    const { payload } = new Bench().ask(Opcode.init, 0, init(7, 99, 1 << 13))
    expect(payload.readUInt32LE(12) & (1 << 13)).toBe(0)
    expect(payload.readUInt32LE(4)).toBe(41)
  })

  test('tells a kernel of a newer major which one it speaks; the kernel then asks again', () => {
    const bench = new Bench()
    const { error, payload } = bench.ask(Opcode.init, 0, init(8, 0, MAX_PAGES))
    expect([error, payload.readUInt32LE(0)]).toEqual([0, 7])
    expect(bench.ask(Opcode.init, 0, init(7, 45)).payload.readUInt32LE(4)).toBe(41)
  })

  test.each([
    ['an older minor', init(7, 30), 'protocol 7.30'],
    ['an older major', init(6, 99), 'protocol 6.99'],
    ['a kernel without MAX_PAGES', init(7, 31, MAX_PAGES), 'protocol 7.31'],
  ])('refuses %s by naming it', (_, body, value) => {
    expect(refused(body)).toMatchObject({
      _tag: 'HostUnfit',
      component: 'FUSE',
      value,
      problem: expect.stringContaining('7.31 is needed'),
      remedy: expect.stringContaining('Linux 5.4'),
    })
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader } from '../../events/frame.ts'
import { RecentFrames } from './recent-frames.ts'
import { FrameWriter, TIMELINE } from './testing.ts'

/** Adds frames of these sizes, all of them still needed. */
function filled(sizes: readonly number[]): { recent: RecentFrames; headers: FrameHeader[]; text: string } {
  const recent = new RecentFrames()
  const writer = new FrameWriter(TIMELINE, 1)
  const headers: FrameHeader[] = []
  let text = ''
  for (const [at, size] of sizes.entries()) {
    const payload = String.fromCharCode(97 + (at % 26)).repeat(size)
    const frame = writer.frame(payload)
    const header = readFrameHeader(frame, 0) as FrameHeader
    recent.add(header, frame.subarray(FRAME_HEADER_BYTES), 0)
    // The bytes are the caller's again.
    frame.fill(0)
    headers.push(header)
    text += payload
  }
  return { recent, headers, text }
}

test('what is kept is what was received, whatever is asked for', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(sizes, fc.array(fc.nat(12_000)), (of, asked) => {
      const { recent, headers, text } = filled(of)
      const target = Buffer.alloc(400)
      for (const position of [...headers.map(({ begin }) => begin), ...asked]) {
        const header = recent.read(position, target, 50)
        if (header === undefined) continue
        expect(headers).toContain(header)
        expect(position - header.begin).toBeLessThan(header.length)
        const { begin, length } = header
        expect(target.toString('latin1', 50, 50 + length)).toBe(text.slice(begin, begin + length))
      }
    }),
  )
})

test('frames that join on are found in order, also from the middle of one', () => {
  const { recent, headers } = filled([10, 20, 30])
  const target = Buffer.alloc(30)
  for (const position of [0, 10, 25, 30, 59]) {
    const expected = headers.findLast(({ begin }) => begin <= position)
    expect(recent.read(position, target, 0)).toBe(expected)
  }
  expect(recent.read(60, target, 0)).toBeUndefined()
})

test('no more is kept than there is room for, and nothing that is not needed', () => {
  const { recent, headers } = filled(Array.from({ length: 9 }, () => 500_000))
  const target = Buffer.alloc(500_000)
  expect(recent.read(headers.at(-1)!.begin, target, 0)).toBe(headers.at(-1))
  expect(recent.read(0, target, 0)).toBeUndefined()
  const next = new FrameWriter(TIMELINE, 1, 4_500_000).frame('next')
  recent.add(readFrameHeader(next, 0) as FrameHeader, Buffer.from('next'), 4_500_000)
  expect(recent.read(headers.at(-1)!.begin, target, 0)).toBeUndefined()
  expect(recent.read(4_500_000, target, 0)).toMatchObject({ length: 4 })
})

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { HotPage } from './hot-page.ts'
import { MemoryPages } from './testing.ts'

const SLOTS = 3
const step = fc.record({
  do: fc.constantFrom('write', 'view', 'begin', 'forget', 'clear'),
  slot: fc.nat(SLOTS - 1),
  from: fc.nat(PAGE_BYTES - 1),
  length: fc.nat(500),
  byte: fc.integer({ min: 1, max: 255 }),
})

test('whichever page is held in memory, all read as if none were', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const hot = new HotPage(new MemoryPages(SLOTS))
      const model = Array.from({ length: SLOTS }, () => Buffer.alloc(PAGE_BYTES))
      const isKnown = new Array<boolean>(SLOTS).fill(true)
      for (const { do: what, slot, from, length, byte } of steps) {
        const count = Math.min(length, PAGE_BYTES - from)
        if (what === 'write') {
          hot.write(slot, Buffer.alloc(count + 3, byte), 3, from, count)
          model[slot]!.fill(byte, from, from + count)
        } else if (what === 'clear') {
          hot.clear(slot, from)
          model[slot]!.fill(0, from)
        } else if (what === 'begin') {
          hot.begin(slot)
          model[slot]!.fill(0)
          isKnown[slot] = true
        } else if (what === 'forget') {
          hot.forget(slot)
          isKnown[slot] = false
        } else if (isKnown[slot]) expect(model[slot]!.equals(hot.view(slot))).toBe(true)
      }
      for (let slot = 0; slot < SLOTS; slot++) {
        const page = Buffer.alloc(PAGE_BYTES)
        hot.read(slot, page, 0, 0, PAGE_BYTES)
        if (isKnown[slot]) expect(model[slot]!.equals(page)).toBe(true)
      }
    }),
  )
})

import { describe, expect, test } from 'vitest'
import { type Control, loadControl, saveControl } from './control-file.ts'
import { newRecordHead, writeRecordHead } from './log-record.ts'
import { MemoryDisk } from './testing.ts'

const control: Control = {
  diskId: 'disk-1',
  term: 7,
  history: [
    { term: 3, begin: 0 },
    { term: 7, begin: 0x1_0000_0040 },
  ],
  fresh: false,
  base: { position: 0x1_0000_0000, chain: 0xdead_beef },
}

/** As version 1 wrote it: what a later version must read. */
const GOLDEN =
  '4c46534b5b1eb276010000002700000096a66469736b2d3107929203009207cb41f000000400000000cb41f0000000000000cedeadbeef'

function saved(of: Control): MemoryDisk {
  const disk = new MemoryDisk()
  saveControl(disk, '/z', of)
  return disk
}

describe('the control file', () => {
  test('is read back, after a power failure too', () => {
    for (const fresh of [false, true]) {
      const disk = saved({ ...control, fresh })
      disk.powerFailure()
      expect(loadControl(disk, '/z')).toEqual({ ...control, fresh })
    }
  })

  test('has stable bytes', () => {
    expect(saved(control).readWhole('/z/control')?.toString('hex')).toBe(GOLDEN)
    const disk = new MemoryDisk()
    disk.place('/z/control', Buffer.from(GOLDEN, 'hex'))
    expect(loadControl(disk, '/z')).toEqual(control)
  })

  test('is not there on a new disk', () => {
    expect(loadControl(new MemoryDisk(), '/z')).toBeUndefined()
  })

  test('is replaced as a whole: after a crash it is the old one or the new one', () => {
    for (let call = 0; call < 6; call++) {
      for (const power of [true, false]) {
        const disk = saved(control)
        let left = call
        disk.beforeChange = () => {
          if (left-- === 0) throw new Error('crash')
        }
        try {
          saveControl(disk, '/z', { ...control, term: 8 })
        } catch {
          // The crash.
        }
        disk.beforeChange = () => {}
        if (power) disk.powerFailure()
        else disk.kill()
        expect([7, 8]).toContain(loadControl(disk, '/z')?.term)
        saveControl(disk, '/z', { ...control, term: 9 })
        expect(loadControl(disk, '/z')?.term).toBe(9)
      }
    }
  })

  test('of which any byte is wrong is damaged, of a newer version too new', () => {
    const bytes = saved(control).readWhole('/z/control')!
    for (let at = 0; at < bytes.length; at++) {
      const disk = new MemoryDisk()
      disk.place(
        '/z/control',
        Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ 4 : byte)),
      )
      expect(() => loadControl(disk, '/z')).toThrow(expect.objectContaining({ _tag: 'Damaged', value: '/z/control' }))
    }
    for (let length = 0; length < bytes.length; length++) {
      const disk = new MemoryDisk()
      disk.place('/z/control', bytes.subarray(0, length))
      expect(() => loadControl(disk, '/z')).toThrow(expect.objectContaining({ _tag: 'Damaged' }))
    }
  })
})

test('the head of a record has stable bytes', () => {
  const head = newRecordHead()
  writeRecordHead(head, 0x1_0000_0040, 99)
  expect(head.toString('hex')).toBe('4c465243b9dd67aa4000000001000000')
})

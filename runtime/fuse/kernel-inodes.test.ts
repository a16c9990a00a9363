import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Opcode } from './protocol.ts'
import { Bench, pack, u32, u64 } from './testing.ts'

const batchForget = (...pairs: ReadonlyArray<readonly [ino: number, lookups: number]>) =>
  pack(u32(pairs.length), u32(0), ...pairs.flatMap(([ino, lookups]) => [u64(ino), u64(lookups)]))

describe('an inode that the kernel knows', () => {
  test('is retained once, however often it was looked up, until all lookups are forgotten', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    bench.lookup(1, 'f')
    bench.ask(Opcode.link, 1, pack(u64(ino), 'g'))
    expect(bench.volume.retained(ino)).toBe(1)
    bench.forget(ino, 2)
    expect([bench.volume.retained(ino), bench.server.kernelState.inodes]).toEqual([1, 1])
    bench.forget(ino, 1)
    expect([bench.volume.retained(ino), bench.server.kernelState.inodes]).toEqual([0, 0])
    // It has names, so it is still there, and counting begins anew.
    bench.lookup(1, 'g')
    expect(bench.volume.retained(ino)).toBe(1)
  })

  test('lives without a name, and goes with the last lookup', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    expect(bench.errno(Opcode.unlink, 1, pack('f'))).toBe(0)
    expect(bench.read(ino, 0, 4).payload.toString()).toBe('text')
    expect(bench.errno(Opcode.getattr, ino)).toBe(0)
    bench.forget(ino, 1)
    expect(bench.volume.node(ino)).toBeUndefined()
    expect(bench.errno(Opcode.getattr, ino)).toBe(116)
  })

  test('is forgotten in batches, where nothing but the named ones is', () => {
    const bench = new Bench()
    const [a, b, c] = [bench.file('a'), bench.file('b'), bench.file('c')]
    bench.lookup(1, 'b')
    const before = bench.replies.length
    bench.send(Opcode.batchForget, 0, batchForget([a, 1], [b, 1], [4711, 3], [2 ** 32 + 1, 1]))
    expect(bench.replies.length).toBe(before)
    expect([a, b, c].map((ino) => bench.volume.retained(ino))).toEqual([0, 1, 1])
    bench.forget(4711, 1)
    expect(bench.replies.length).toBe(before)
  })

  test('is let go when the kernel says goodbye, and when the mount is gone', () => {
    for (const leave of [(bench: Bench) => void bench.ask(Opcode.destroy, 0), (bench: Bench) => bench.server.close()]) {
      const bench = new Bench()
      const inos = [bench.file('a'), bench.file('b')]
      bench.lookup(1, 'a')
      bench.errno(Opcode.unlink, 1, pack('b'))
      leave(bench)
      expect(inos.map((ino) => bench.volume.retained(ino))).toEqual([0, 0])
      expect(bench.volume.node(inos[1]!)).toBeUndefined()
      expect(bench.server.kernelState).toEqual({ inodes: 0, directories: 0 })
    }
  })

  test('of an absent or a failed lookup is not counted', () => {
    const bench = new Bench()
    bench.lookup(1, 'absent')
    const file = bench.file('f')
    expect(bench.errno(Opcode.lookup, file, pack('below-a-file'))).toBe(20)
    expect(bench.server.kernelState.inodes).toBe(1)
  })

  test('is retained exactly while the kernel holds a lookup of it', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('lookup' as const), file: fc.nat(2) }),
      fc.record({ kind: fc.constant('forget' as const), file: fc.nat(2), share: fc.integer({ min: 1, max: 4 }) }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const bench = new Bench()
        const inos = [0, 1, 2].map((file) => bench.volume.create(1, `f${file}`, 0o100600, 0, 0))
        const held = [0, 0, 0]
        for (const step of actions) {
          if (step.kind === 'lookup') {
            bench.lookup(1, `f${step.file}`)
            held[step.file]!++
          } else if (held[step.file]! > 0) {
            const some = Math.min(held[step.file]!, step.share)
            bench.forget(inos[step.file]!, some)
            held[step.file]! -= some
          }
          expect(inos.map((ino) => bench.volume.retained(ino))).toEqual(held.map((count) => Math.min(count, 1)))
        }
      }),
    )
  })
})

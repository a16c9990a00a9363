import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chainOver, chainSeed } from '../../events/frame.ts'
import { FrameWriter, MemoryDisk, TIMELINE } from './testing.ts'
import { append, content, open, SMALL } from './testing-disk.ts'

type Operation =
  | { readonly kind: 'append'; readonly bytes: number }
  | { readonly kind: 'flush' | 'prepare' | 'reopen' }
  | { readonly kind: 'cut' | 'trim'; readonly at: number }
  | { readonly kind: 'restart'; readonly further: number }
  | { readonly kind: 'crash'; readonly keep: number; readonly power: boolean }

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('append' as const), bytes: fc.integer({ min: 1, max: 400 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'prepare' as const, 'reopen' as const) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cut' as const, 'trim' as const), at: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), further: fc.nat(500) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), keep: fc.nat(), power: fc.boolean() }),
  },
)

class Crash extends Error {}

/** The log as it should be, byte by byte, beside the one on the disk. */
class Model {
  readonly disk = new MemoryDisk()
  keeper = open(this.disk, SMALL).keeper
  begin = 0
  bytes = ''
  flushed = 0
  #letters = 0
  #beginChain = chainSeed(TIMELINE)

  get end(): number {
    return this.begin + this.bytes.length
  }

  chainAt(position: number): number {
    return chainOver(Buffer.from(this.bytes.slice(0, position - this.begin), 'latin1'), this.#beginChain)
  }

  run(operation: Operation): void {
    switch (operation.kind) {
      case 'append':
        this.append(operation.bytes)
        break
      case 'flush':
        this.keeper.log.flush()
        this.flushed = this.end
        break
      case 'prepare':
        this.keeper.log.prepare()
        this.flushed = Math.max(this.flushed, this.keeper.log.flushed)
        break
      case 'reopen':
        this.keeper.log.flush()
        this.flushed = this.end
        this.keeper.log.close()
        this.reopen()
        break
      case 'cut':
        this.cut(this.begin + Math.floor((this.bytes.length * operation.at) / 1_000))
        break
      case 'trim':
        this.keeper.log.trim(this.begin + Math.floor(((this.flushed - this.begin) * operation.at) / 1_000))
        this.startAt(this.keeper.log.begin.position)
        break
      case 'restart':
        this.restart(this.end + operation.further)
        break
      case 'crash':
        if (operation.power) this.disk.powerFailure(keeps(operation.keep))
        else this.disk.kill()
        this.reopen()
        break
    }
  }

  append(length: number): void {
    const payload = String.fromCharCode(97 + (this.#letters++ % 26)).repeat(length)
    const { end, chain } = this.keeper.log
    append(this.keeper, new FrameWriter(TIMELINE, 1, end, chain), payload)
    this.bytes += payload
    // A file that is full is synced when the next one is begun.
    this.flushed = Math.max(this.flushed, this.keeper.log.flushed)
  }

  cut(position: number): void {
    this.keeper.log.flush()
    this.flushed = this.end
    this.keeper.cut(position)
    this.bytes = this.bytes.slice(0, position - this.begin)
    this.flushed = this.end
  }

  restart(position: number): void {
    this.keeper.restart(position, position + 1)
    this.bytes = ''
    this.begin = position
    this.flushed = position
    this.#beginChain = position + 1
  }

  startAt(position: number): void {
    this.#beginChain = this.chainAt(position)
    this.bytes = this.bytes.slice(position - this.begin)
    this.begin = position
  }

  /** Any end between what was flushed and what was written is right. */
  reopen(least = this.flushed): void {
    const { keeper, damage } = open(this.disk, SMALL)
    expect(damage).toBeUndefined()
    this.keeper = keeper
    const { begin, end } = keeper.log
    expect(begin.position).toBeGreaterThanOrEqual(this.begin)
    expect(end).toBeGreaterThanOrEqual(Math.max(least, begin.position))
    expect(end).toBeLessThanOrEqual(this.end)
    this.startAt(begin.position)
    this.bytes = this.bytes.slice(0, end - this.begin)
    this.flushed = end
    this.check()
  }

  /** After a crash within an operation that gives log up, more may be gone than was flushed, or not yet all. */
  reopenAfter(operation: Operation): void {
    if (operation.kind === 'restart') {
      const { begin, end } = open(this.disk, SMALL).keeper.log
      this.disk.kill()
      // Begun anew, or emptied: then it says so, and its election has not been answered.
      if (begin.position === end) this.restartAt(begin)
      else this.reopen(0)
      return
    }
    this.reopen(operation.kind === 'cut' ? 0 : this.flushed)
  }

  restartAt(begin: { readonly position: number; readonly chain: number }): void {
    this.keeper = open(this.disk, SMALL).keeper
    this.begin = begin.position
    this.bytes = ''
    this.flushed = begin.position
    this.#beginChain = begin.chain
  }

  check(): void {
    expect(content(this.keeper)).toBe(this.bytes)
    expect(this.keeper.log).toMatchObject({ begin: { position: this.begin }, end: this.end })
    expect(this.keeper.log.chain).toBe(this.chainAt(this.end))
  }
}

/** A choice of sectors that depends on the seed only. */
function keeps(seed: number): (sector: number) => boolean {
  return (sector) => ((seed >>> (sector % 24)) & 1) === 1
}

describe('any sequence of operations', () => {
  test('leaves the log that a model has', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const model = new Model()
        for (const each of operations) model.run(each)
        model.check()
      }),
    )
  })

  test('may be ended by a kill or a power failure at any system call', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 5, maxLength: 40 }),
        fc.nat(60),
        fc.nat(),
        fc.boolean(),
        (operations, calls, keep, power) => {
          const model = new Model()
          for (const each of operations.slice(0, -1)) model.run(each)
          const last = operations.at(-1)!
          let left = calls % 8
          model.disk.beforeChange = () => {
            if (left-- === 0) throw new Crash()
          }
          try {
            model.run(last)
            return
          } catch (error) {
            if (!(error instanceof Crash)) throw error
          }
          model.disk.beforeChange = () => {}
          if (power) model.disk.powerFailure(keeps(keep))
          else model.disk.kill()
          model.reopenAfter(last)
          model.check()
        },
      ),
    )
  })
})

import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { chainOver, chainSeed, FRAME_PAYLOAD_BYTES_MAX } from '../../events/frame.ts'
import type { TermHistory } from '../../events/safekeeper-wire.ts'
import { FrameWriter, TestStore } from '../safekeeper/testing.ts'
import { run } from '../system/run.ts'
import { ArchiveReader, findArchiveTail, readArchived } from './archive.ts'
import { logKey } from './keys.ts'

const TIMELINE = 'main'
const START = { term: 0, position: 0, chain: chainSeed(TIMELINE) }

/** What the log of one term is, and an archiver that cuts it. */
class Term {
  readonly term: number
  readonly begin: number
  readonly bytes: string
  readonly chain: number

  /** Continues `parent` at `begin`, whether or not that had more. */
  constructor(term: number, begin: number, bytes: string, parent?: Term) {
    this.term = term
    this.begin = begin
    this.bytes = bytes
    this.chain = parent ? parent.chainAt(begin) : chainSeed(TIMELINE)
  }

  chainAt(position: number): number {
    return chainOver(Buffer.from(this.bytes.slice(0, position - this.begin)), this.chain)
  }

  /** The object [from, to). */
  object(from: number, to: number, archived = 0): { readonly key: string; readonly bytes: Buffer } {
    const frames = new FrameWriter(TIMELINE, this.term, from, this.chainAt(from))
    const bytes = frames.frame(this.bytes.slice(from - this.begin, to - this.begin), archived)
    return { key: logKey(TIMELINE, this.term, from), bytes }
  }
}

let store: TestStore
beforeEach(() => {
  store = new TestStore({ synchronous: true })
})

function put({ key, bytes }: { readonly key: string; readonly bytes: Buffer }): string {
  store.objects.set(key, bytes)
  return key
}

function tear(key: string): void {
  const bytes = Buffer.from(store.objects.get(key)!)
  bytes[bytes.length - 1]! ^= 1
  store.objects.set(key, bytes)
}

const find = (from = START) => run(findArchiveTail(store, TIMELINE, from))
/** As whoever has no disk to ask does. */
const findAlone = () => run(findArchiveTail(store, TIMELINE, START, true))

async function read(history: TermHistory, from: { position: number; chain: number }, to: number): Promise<string> {
  let text = ''
  await run(
    readArchived(store, TIMELINE, history, from, to, async (bytes, position) => {
      expect(position).toBe(from.position + text.length)
      text += bytes.toString()
    }),
  )
  return text
}

const history = (...entries: ReadonlyArray<readonly [term: number, begin: number]>): TermHistory =>
  entries.map(([term, begin]) => ({ term, begin }))

describe('the end of the archived log', () => {
  test('of a timeline that archived nothing is unknown', async () => {
    expect(await find()).toBeUndefined()
  })

  test('is that of the objects that join on to each other', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    put(one.object(0, 4))
    put(one.object(4, 6))
    put(one.object(6, 10))
    expect(await find()).toEqual({ lastTerm: 1, end: 10, chain: one.chainAt(10), history: history([1, 0]) })
  })

  test('is before a hole, whatever lies beyond', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    put(one.object(0, 4))
    put(one.object(6, 10))
    expect(await find()).toMatchObject({ end: 4 })
  })

  test('is found over objects that overlap, as two archivers cut them', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    for (const [from, to] of [
      [0, 6],
      [2, 3],
      [3, 8],
      [6, 7],
      [7, 10],
    ] as const)
      put(one.object(from, to))
    expect(await find()).toMatchObject({ end: 10, chain: one.chainAt(10) })
    expect(await read(history([1, 0]), START, 10)).toBe('abcdefghij')
  })

  test('and the log itself are found from a place where a short object begins within a longer one', async () => {
    // The one who had the duty lost [1, 3), and had [3, 4) and [4, 5) on their way; the next had gathered all of it.
    const one = new Term(1, 0, 'abcdefghij')
    put(one.object(0, 1))
    put(one.object(1, 8))
    put(one.object(3, 4))
    put(one.object(4, 5))
    put(one.object(8, 10))
    for (const position of [3, 4, 5]) {
      const from = { term: 1, position, chain: one.chainAt(position) }
      expect(await find(from)).toMatchObject({ end: 10, chain: one.chainAt(10) })
      expect(await read(history([1, 0]), from, 10)).toBe('abcdefghij'.slice(position))
    }
  })

  test('a torn object counts as absent, and what covers it instead counts', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    put(one.object(0, 4))
    const torn = put(one.object(4, 8))
    put(one.object(8, 10))
    tear(torn)
    expect(await find()).toMatchObject({ end: 4 })
    put(one.object(3, 9))
    expect(await find()).toMatchObject({ end: 10 })
    expect(await read(history([1, 0]), START, 10)).toBe('abcdefghij')
    expect(await read(history([1, 0]), { position: 4, chain: one.chainAt(4) }, 10)).toBe('efghij')
  })

  test('a term ends where the next one begins, though its objects run past', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    const two = new Term(2, 5, 'XYZ', one)
    put(one.object(0, 10))
    put(two.object(5, 8))
    expect(await find()).toEqual({ lastTerm: 2, end: 8, chain: two.chainAt(8), history: history([1, 0], [2, 5]) })
    expect(await read(history([1, 0], [2, 5]), START, 8)).toBe('abcdeXYZ')
    expect(await read(history([1, 0]), START, 10)).toBe('abcdefghij')
  })

  test('a term that nobody continued loses to a later one, wherever it began', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    const dead = new Term(2, 4, 'DEADBEEF', one)
    const three = new Term(3, 7, 'XYZ', one)
    put(one.object(0, 10))
    put(dead.object(4, 12))
    put(three.object(7, 10))
    expect(await find()).toMatchObject({ lastTerm: 3, end: 10, history: history([1, 0], [3, 7]) })
    expect(await read(history([1, 0], [3, 7]), START, 10)).toBe('abcdefgXYZ')
  })

  test('a term of which the beginning is missing does not count', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    const two = new Term(2, 4, 'WXYZ', one)
    put(one.object(0, 10))
    put(two.object(6, 8))
    expect(await find()).toMatchObject({ lastTerm: 1, end: 10 })
  })

  test('bytes of another timeline do not join', async () => {
    const frames = new FrameWriter('other', 1)
    store.objects.set(logKey(TIMELINE, 1, 0), frames.frame('abc'))
    expect(await find()).toBeUndefined()
  })

  test('an object under a wrong name counts as absent', async () => {
    const one = new Term(1, 0, 'abcdef')
    store.objects.set(logKey(TIMELINE, 1, 0), one.object(0, 3).bytes)
    store.objects.set(logKey(TIMELINE, 1, 3), one.object(2, 6).bytes)
    store.objects.set(logKey(TIMELINE, 2, 3), one.object(3, 6).bytes)
    store.objects.set('timelines/main/log/strange', Buffer.from('x'))
    expect(await find()).toMatchObject({ lastTerm: 1, end: 3 })
  })
})

describe('an archive that stands alone', () => {
  const one = new Term(1, 0, 'abcdefghij')

  test('has no end before what its objects say was archived', async () => {
    put(one.object(0, 4))
    const torn = put(one.object(4, 6))
    const next = put(one.object(6, 8, 6))
    expect(await findAlone()).toMatchObject({ end: 8 })
    tear(torn)
    expect(await find()).toMatchObject({ end: 4 })
    const problem = 'it says that all before 6 was archived, but what can be read ends at 4'
    await expect(findAlone()).rejects.toMatchObject({ _tag: 'Damaged', value: next, problem })
    put(one.object(3, 6))
    expect(await findAlone()).toMatchObject({ end: 8 })
  })

  test('nor before what those of a later term say, of which nothing joins on any more', async () => {
    const two = new Term(2, 6, 'WXYZ', one)
    put(one.object(0, 4))
    const gone = put(one.object(4, 6, 4))
    const next = put(two.object(6, 10, 6))
    expect(await findAlone()).toMatchObject({ lastTerm: 2, end: 10 })
    tear(gone)
    expect(await find()).toMatchObject({ lastTerm: 1, end: 4 })
    await expect(findAlone()).rejects.toMatchObject({ _tag: 'Damaged', value: next })
  })

  test('may hold more of a term that nobody continued, and of one that has just begun to be archived', async () => {
    const dead = new Term(2, 4, 'DEADBEEF', one)
    const three = new Term(3, 5, 'XYZ', one)
    put(one.object(0, 10))
    put(dead.object(4, 8, 4))
    put(dead.object(8, 12, 8))
    put(three.object(5, 7, 5))
    put(new Term(4, 9, 'UVW', three).object(9, 12, 7))
    expect(await findAlone()).toMatchObject({ lastTerm: 3, end: 7 })
  })

  test('may end in a torn object where there are such, and not where it was damaged', async () => {
    const putAll = () => {
      put(one.object(0, 4))
      tear(put(one.object(4, 8)))
    }
    putAll()
    expect(await findAlone()).toMatchObject({ end: 4 })
    store = new TestStore({ synchronous: false })
    putAll()
    expect(await find()).toMatchObject({ end: 4 })
    const value = logKey(TIMELINE, 1, 4)
    await expect(findAlone()).rejects.toMatchObject({ _tag: 'Damaged', value, problem: expect.stringContaining('end') })
    // What others lead beyond is not asked for.
    put(new Term(2, 4, 'XYZ', one).object(4, 7))
    expect(await findAlone()).toMatchObject({ lastTerm: 2, end: 7 })
    tear(put(new Term(3, 6, 'XYZ').object(6, 9)))
    await expect(findAlone()).rejects.toMatchObject({ _tag: 'Damaged' })
  })
})

describe('from a snapshot', () => {
  const one = new Term(1, 0, 'abcdefghij')
  const place = (term: Term, position: number) => ({ term: term.term, position, chain: term.chainAt(position) })

  test('the log goes on within an object, even an older and longer one', async () => {
    put(one.object(0, 7))
    put(one.object(4, 5))
    put(one.object(7, 10))
    expect(await find(place(one, 6))).toEqual({
      lastTerm: 1,
      end: 10,
      chain: one.chainAt(10),
      history: history([1, 6]),
    })
  })

  test('the log ends there if nothing follows', async () => {
    put(one.object(0, 7))
    expect(await find(place(one, 7))).toMatchObject({ lastTerm: 1, end: 7 })
    store.objects.clear()
    expect(await find(place(one, 7))).toMatchObject({ lastTerm: 1, end: 7 })
  })

  test('a later term joins on exactly there', async () => {
    const two = new Term(2, 6, 'XYZ', one)
    put(one.object(0, 10))
    put(two.object(6, 9))
    expect(await find(place(one, 6))).toMatchObject({ lastTerm: 2, end: 9, history: history([1, 6], [2, 6]) })
    expect(await find(place(two, 8))).toMatchObject({ lastTerm: 2, end: 9, history: history([2, 8]) })
  })

  test('what is older than the snapshot is not read', async () => {
    const long = new Term(1, 0, 'x'.repeat(FRAME_PAYLOAD_BYTES_MAX * 3))
    put(long.object(0, FRAME_PAYLOAD_BYTES_MAX))
    put(long.object(FRAME_PAYLOAD_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX + 10))
    put(long.object(FRAME_PAYLOAD_BYTES_MAX + 10, FRAME_PAYLOAD_BYTES_MAX + 20, FRAME_PAYLOAD_BYTES_MAX + 10))
    await find(place(long, FRAME_PAYLOAD_BYTES_MAX + 10))
    // The one before the place, which might have reached further, the one after it, and that once more to confirm it.
    expect(store.reads).toBeLessThanOrEqual(3)
  })
})

describe('reading', () => {
  test('names the object that is damaged, or the one that is missing', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    put(one.object(0, 4))
    const torn = put(one.object(4, 8))
    tear(torn)
    await expect(read(history([1, 0]), START, 8)).rejects.toMatchObject({ _tag: 'Damaged', value: torn })
    store.objects.delete(torn)
    await expect(read(history([1, 0]), START, 8)).rejects.toMatchObject({ _tag: 'ObjectMissing', value: torn })
  })

  test('refuses an object that does not continue the log', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    const other = new Term(1, 0, 'ABCDEFGHIJ')
    put(one.object(0, 4))
    const key = put(other.object(4, 8))
    await expect(read(history([1, 0]), START, 8)).rejects.toMatchObject({ _tag: 'Damaged', value: key })
  })

  test('asks for no more than one chunk before the last has been taken, and none is larger than a frame', async () => {
    const one = new Term(1, 0, 'x'.repeat(3_000_000))
    const cuts = [0, 700_000, 700_010, 900_000, 1_300_000, 2_000_000, 2_500_000, 3_000_000]
    for (let at = 1; at < cuts.length; at++) put(one.object(cuts[at - 1]!, cuts[at]!))
    let busy = 0
    const sizes: number[] = []
    const take = async (bytes: Buffer) => {
      expect(++busy).toBe(1)
      sizes.push(bytes.length)
      await new Promise((resolve) => setImmediate(resolve))
      busy--
    }
    await run(readArchived(store, TIMELINE, history([1, 0]), START, 3_000_000, take))
    expect(sizes.reduce((sum, size) => sum + size)).toBe(3_000_000)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(FRAME_PAYLOAD_BYTES_MAX)
  })

  test('after finding the end costs no request more', async () => {
    const one = new Term(1, 0, 'abcdefghij')
    for (let at = 0; at < 10; at++) put(one.object(at, at + 1, at))
    const reader = new ArchiveReader(store, TIMELINE)
    const tail = (await run(reader.findTail(START)))!
    // Each once, and the last one again, to be sure that it is durable.
    expect(store.reads).toBe(11)
    let text = ''
    await run(
      reader.read(tail.history, START, tail.end, async (bytes) => {
        text += bytes
      }),
    )
    expect(text).toBe('abcdefghij')
    expect(store.reads).toBe(11)
  })

  test('an error of the store is the answer', async () => {
    store.down = true
    await expect(find()).rejects.toMatchObject({ _tag: 'StoreUnavailable' })
  })
})

interface Reign {
  /** Bytes of the log before it that the term gives up. */
  readonly givesUp: number
  readonly bytes: number
  /** Of what is given up by the next term, so much is archived all the same. */
  readonly cuts: readonly number[]
  readonly otherCuts: readonly number[]
}

const reign = fc.record({
  givesUp: fc.nat(20),
  bytes: fc.integer({ min: 1, max: 60 }),
  cuts: fc.array(fc.integer({ min: 1, max: 15 }), { maxLength: 8 }),
  otherCuts: fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 5 }),
})

/** Archives all of `term`, cut by `cuts` and then as one; objects that stand there already are left alone. */
function archive(term: Term, cuts: readonly number[]): void {
  const end = term.begin + term.bytes.length
  let from = term.begin
  for (const cut of [...cuts, end]) {
    const to = Math.min(end, from + cut)
    if (to === from) return
    const object = term.object(from, to)
    if (!store.objects.has(object.key)) put(object)
    from = to
  }
}

test('any sequence of reigns, cut by any two archivers, is found and read back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(reign, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(1_000), { minLength: 2, maxLength: 2 }),
      async (reigns: readonly Reign[], [left = 0, right = 0]) => {
        store = new TestStore({ synchronous: true })
        let log = ''
        let parent: Term | undefined
        const terms: Term[] = []
        for (const [at, { givesUp, bytes, cuts, otherCuts }] of reigns.entries()) {
          // Not below the beginning of the term before: the archive would know it as dead.
          const begin = Math.max(parent ? parent.begin + 1 : 0, log.length - givesUp)
          const term = new Term(at + 1, begin, String.fromCharCode(65 + at).repeat(bytes), parent)
          archive(term, cuts)
          archive(term, otherCuts)
          log = log.slice(0, begin) + term.bytes
          terms.push(term)
          parent = term
        }
        const last = terms.at(-1)!
        const tail = (await find())!
        const expected = terms.map(({ term, begin }) => ({ term, begin }))
        expect(tail).toEqual({
          lastTerm: last.term,
          end: log.length,
          chain: last.chainAt(log.length),
          history: expected,
        })
        const from = Math.min(left, right) % (log.length + 1)
        const to = from + ((Math.max(left, right) - Math.min(left, right)) % (log.length - from + 1))
        const owner = terms.findLast(({ begin }) => begin <= from)!
        expect(await read(tail.history, { position: from, chain: owner.chainAt(from) }, to)).toBe(log.slice(from, to))
        // And from any place on, as from a snapshot.
        const rest = await find({ term: owner.term, position: from, chain: owner.chainAt(from) })
        expect(rest).toMatchObject({ lastTerm: last.term, end: log.length, chain: tail.chain })
      },
    ),
  )
})

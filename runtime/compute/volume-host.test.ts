/** What becomes of a fold whose volume or store fails: it ends, with a reason, and never hangs. Real threads, no mount. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as Effect from 'effect/Effect'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { encodeEntry, PAGE_BYTES } from '../../events/log-entry.ts'
import { StoreUnavailable } from '../errors.ts'
import { segmentKey } from '../log/keys.ts'
import { type Compiled, compile } from '../object-store/testing/compile.ts'
import { realTimers } from '../system/timers.ts'
import { Driver, filled, segmentName, TERM } from '../volume/testing.ts'
import type * as Entry from './testing-volume-host.ts'
import type { VolumeHost } from './volume-host.ts'

let compiled: Compiled
let entry: typeof Entry
let directory: string
let host: VolumeHost
let reads: string[]
let broken: string[]
let reported: string[]
/** What the store answers; the bytes are those asked for, unless the test changes that. */
let answer: (key: string, range: { offset: number; length: number }) => Uint8Array | 'down'

beforeAll(async () => {
  compiled = compile(fileURLToPath(new URL('./testing-volume-host.ts', import.meta.url)))
  entry = (await compiled.load()) as typeof Entry
})
afterAll(() => compiled?.dispose())

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-volume-host-'))
  ;[reads, broken, reported] = [[], [], []]
  answer = () => 'down'
  host = open(join(directory, 'cache'))
})
afterEach(async () => {
  await host.stop()
  rmSync(directory, { recursive: true })
})

function open(cacheFile: string): VolumeHost {
  const down = { component: 'store', value: 'x', problem: 'it is down', remedy: 'Bring it up.' }
  const read = (key: string, range: { offset: number; length: number }) => {
    reads.push(key)
    const bytes = answer(key, range)
    return bytes === 'down' ? Effect.fail(new StoreUnavailable(down)) : Effect.succeed(bytes)
  }
  const data = {
    cacheFile,
    slotCount: 64,
    snapshotLogBytes: 1_000_000,
    segmentPages: 512,
    timeline: 'main',
    term: TERM,
  }
  return new entry.VolumeHost(new entry.WorkerThread(data), {
    store: { read } as never,
    timeline: 'main',
    term: TERM,
    storeSnapshot: () => Promise.resolve(false),
    wake: () => {},
    unsent: () => {},
    broken: (problem) => broken.push(problem),
    report: (line) => reported.push(line),
    timers: realTimers,
  })
}

/** A snapshot, and a log entry after it that cannot be folded without a page that lies in a segment. */
function cutThroughSealedPage() {
  const driver = Driver.serving()
  driver.makeDirectories('base', 'base/5')
  const ino = driver.make('base/5/1')
  driver.write(ino, 0, filled(1))
  driver.sealAll()
  const fileTable = driver.snapshot()
  const position = driver.log.end
  driver.truncate(ino, PAGE_BYTES / 2)
  const { entry } = driver.log.entries.at(-1)!
  const segment = segmentKey('main', TERM, 1)
  const fetch: typeof answer = (key, { offset, length }) =>
    driver.objects.objects.get(key === segment ? segmentName(TERM, 1) : key)!.slice(offset, offset + length)
  return { fileTable, position, bytes: encodeEntry(entry), fetch, segment }
}

test('a log that is not one fails the fold', async () => {
  await host.restore(undefined)
  await expect(host.fold(Buffer.alloc(100, 0xff), 0)).rejects.toThrow(/position 0/)
  await expect(host.fold(Buffer.alloc(0), 0)).rejects.toThrow(/position 0/)
  expect(broken).toEqual([])
})

test('a damaged file table is told as damage, which no other attempt will mend', async () => {
  const { fileTable } = cutThroughSealedPage()
  fileTable[fileTable.length >> 1]! ^= 1
  const failure = await host.restore(fileTable).catch((error: unknown) => error)
  expect(failure).toMatchObject({ _tag: 'Damaged' })
})

test('a cache that cannot be made fails the restore', async () => {
  const other = open(join(directory, 'absent', 'cache'))
  await expect(other.restore(undefined)).rejects.toThrow(/absent/)
  await other.stop()
})

test('bytes that come damaged are read again, of the page table and of pages', async () => {
  const { fileTable, position, bytes, fetch, segment } = cutThroughSealedPage()
  answer = (key, range) => {
    const bytes = fetch(key, range) as Uint8Array
    if (reads.filter((read) => read === key).length === 1) bytes[20]! ^= 1
    return bytes
  }
  await host.restore(fileTable)
  await host.fold(bytes, position)
  expect(reads).toHaveLength(4)
  expect(reads.slice(2)).toEqual([segment, segment])
  expect(reported.filter((line) => line.includes('fails its checksum'))).toHaveLength(2)
})

test('a stop ends a fold that waits for a store which is down', async () => {
  const { fileTable, position, bytes } = cutThroughSealedPage()
  await host.restore(fileTable)
  const folded = host.fold(bytes, position).catch((error: unknown) => error)
  await vi.waitFor(() => expect(reads.length).toBeGreaterThan(0))
  await Promise.all([host.stop(), host.stop()])
  expect(String(await folded)).toMatch(/has ended/)
})

import { beforeEach, describe, expect, test } from 'vitest'
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel, NEVER_PAUSED, type Process } from '../kernel/kernel.ts'
import { initializeCluster } from './cluster.ts'
import { CONTROL_PATH } from './control.ts'
import { ConnectionLost, Corruption, PostgresEnded } from './errors.ts'
import { MemoryMount } from './memory-mount.ts'
import { PAGE_BYTES } from './page.ts'
import { SimPostgres } from './postgres.ts'
import { DEFAULT_SETTINGS, type PostgresSettings } from './settings.ts'

const KEYS = 40

let kernel: Kernel
let mount: MemoryMount
let process: Process
let corruptions: string[]
let lastId: number

beforeEach(async () => {
  kernel = new Kernel(new SeededDraws(3), 0)
  mount = new MemoryMount(kernel)
  corruptions = []
  lastId = 0
  await settled(initializeCluster(mount, KEYS))
})

/** Runs the world until `promise` has settled, or until nothing is left to happen. */
async function settled<A>(promise: Promise<A>): Promise<A> {
  let isSettled = false
  promise.then(
    () => {
      isSettled = true
    },
    () => {
      isSettled = true
    },
  )
  await kernel.run(kernel.nowMs + 3_600_000, () => isSettled)
  return isSettled ? promise : Promise.reject(new Error('nothing more happens'))
}

function newServer(settings: Partial<PostgresSettings> = {}): SimPostgres {
  process = { name: 'server', isAlive: true, pausedUntilMs: NEVER_PAUSED }
  return new SimPostgres({
    kernel,
    process,
    mount,
    name: 'pg',
    settings: { ...DEFAULT_SETTINGS, ...settings },
    observer: { executed: () => {}, corrupted: ({ message }) => corruptions.push(message) },
  })
}

async function started(settings: Partial<PostgresSettings> = {}): Promise<SimPostgres> {
  const server = newServer(settings)
  await settled(server.start())
  return server
}

const write = (server: SimPostgres, ...keys: number[]) => server.execute({ id: ++lastId, keys, isWrite: true })
const read = (server: SimPostgres, ...keys: number[]) => server.execute({ id: ++lastId, keys, isWrite: false })

async function versions(server: SimPostgres, ...keys: number[]): Promise<readonly number[]> {
  return (await settled(read(server, ...keys))).map(({ read }) => read.version)
}

describe('simulated Postgres', () => {
  test('reads what it wrote, in one transaction over several keys', async () => {
    const server = await started()
    await settled(write(server, 3, 39))
    const [result] = await settled(write(server, 3))
    expect([result!.read.transactionId, result!.written!.transactionId]).toEqual([1, 2])
    expect(await versions(server, 3, 4, 39)).toEqual([2, 0, 1])
  })

  test('lets writers of one key wait for each other', async () => {
    const server = await started()
    await settled(Promise.all(Array.from({ length: 20 }, (_, at) => write(server, at % 3, 7))))
    expect(await versions(server, 0, 1, 2, 7)).toEqual([7, 7, 6, 20])
  })

  test.each(['fast', 'immediate', 'kill'] as const)('finds everything after %s', async (end) => {
    const server = await started()
    for (let key = 0; key < KEYS; key++) await settled(write(server, key))
    if (end === 'kill') server.kill()
    else await settled(server.stop(end))
    expect((await settled(server.exited)).code).toBe({ fast: 0, immediate: 2, kill: 137 }[end])
    mount.crash()
    const keys = Array.from({ length: KEYS }, (_, key) => key)
    expect(new Set(await versions(await started(), ...keys))).toEqual(new Set([1]))
  })

  test('writes much WAL before it fsyncs any of it where a statement is large, and finds what stands behind it', async () => {
    let unsynced = 0
    let most = 0
    const { write: writePage, fsync } = mount
    mount.write = (ino, offset, bytes) => {
      most = Math.max(most, ++unsynced)
      return writePage.call(mount, ino, offset, bytes)
    }
    mount.fsync = (ino) => {
      unsynced = 0
      return fsync.call(mount, ino)
    }
    const write40 = async (settings: Partial<PostgresSettings>) => {
      const server = await started(settings)
      for (let count = 0; count < 40; count++) await settled(write(server, 1))
      server.kill()
      mount.crash()
      return most
    }
    expect(await write40({})).toBeLessThan(3)
    expect(await write40({ bulkWalBytes: 48 * 1024 })).toBeGreaterThan(5)
    expect(await versions(await started(), 1)).toEqual([80])
  })

  test('removes the WAL that no recovery needs', async () => {
    const server = await started({ checkpointWalBytes: 30_000 })
    for (let count = 0; count < 3_000; count++) await settled(write(server, count % KEYS))
    expect((await settled(mount.list('pg_wal'))).length).toBeLessThanOrEqual(2)
    server.kill()
    expect(await versions(await started(), 0, KEYS - 1)).toEqual([75, 75])
  })

  test('rewrites relations into new files, and removes the old ones', async () => {
    const server = await started({ rewriteIntervalMs: 500, checkpointIntervalMs: 300 })
    for (let count = 0; count < 400; count++) {
      await settled(write(server, count % KEYS))
      await kernel.run(kernel.nowMs + 20)
    }
    await settled(server.stop('fast'))
    const files = await settled(mount.list('base/1'))
    expect(files).toHaveLength(2)
    for (const first of ['16384', '16385']) expect(files).not.toContain(first)
    const keys = Array.from({ length: KEYS }, (_, key) => key)
    expect(new Set(await versions(await started(), ...keys))).toEqual(new Set([10]))
  })

  test('does nothing while nobody asks anything', async () => {
    const server = await started()
    await settled(write(server, 1))
    await kernel.run(kernel.nowMs + 600_000)
    const { steps } = kernel
    await kernel.run(kernel.nowMs + 3_600_000)
    expect(kernel.steps).toBe(steps)
    expect(server.isServing).toBe(true)
  })

  test('loses its clients when it is killed, and answers nobody after', async () => {
    const server = await started()
    const writing = write(server, 1)
    const lost = expect(writing).rejects.toBeInstanceOf(ConnectionLost)
    kernel.after(process, 0.2, () => server.kill())
    await settled(writing.catch(() => undefined))
    await lost
    await expect(read(server, 1)).rejects.toBeInstanceOf(ConnectionLost)
    const { steps } = kernel
    await kernel.run(kernel.nowMs + 600_000)
    // What the mount had under way is finished; no timer of the server fires.
    expect(kernel.steps - steps).toBeLessThan(5)
  })

  test('does nothing more when its process dies', async () => {
    const server = await started()
    const writing = write(server, 1)
    process.isAlive = false
    await expect(settled(writing)).rejects.toThrow('nothing more happens')
    expect(server.isServing).toBe(false)
  })

  test('takes up no request while its process is paused', async () => {
    const server = await started()
    process.pausedUntilMs = kernel.nowMs + 5_000
    const sentAtMs = kernel.nowMs
    await settled(read(server, 1))
    expect(kernel.nowMs - sentAtMs).toBeGreaterThanOrEqual(5_000)
  })

  test('ends sessions when the lease lapses, and admits new ones when it is back', async () => {
    const server = await started()
    const writing = write(server, 1)
    server.closeClients()
    await expect(writing).rejects.toBeInstanceOf(ConnectionLost)
    await expect(read(server, 1)).rejects.toBeInstanceOf(ConnectionLost)
    server.openClients()
    await kernel.run(kernel.nowMs + 1_000)
    // It had not begun, so it never happens.
    expect(await versions(server, 1)).toEqual([0])
  })

  test('panics when an fsync fails, and acknowledges nothing', async () => {
    const server = await started()
    mount.failingFsyncs = 1
    await expect(settled(write(server, 1))).rejects.toBeInstanceOf(ConnectionLost)
    expect(await settled(server.exited)).toEqual({ code: 134, reason: 'fsync: errno 5' })
    expect(corruptions).toEqual([])
  })

  test('ends just the session whose page cannot be read', async () => {
    const server = await started()
    mount.failingReads = 1
    await expect(settled(read(server, 1))).rejects.toBeInstanceOf(ConnectionLost)
    expect(await versions(server, 1)).toEqual([0])
  })

  test('does not serve when it is killed during recovery', async () => {
    const server = newServer()
    const starting = server.start()
    kernel.after(process, 1, () => server.kill())
    await expect(settled(starting)).rejects.toBeInstanceOf(PostgresEnded)
  })
})

describe('simulated Postgres refuses to start with', () => {
  const damage = async (path: string, change: (bytes: Buffer) => void, block = 0) => {
    const ino = await settled(mount.lookup(path))
    const bytes = Buffer.from(await settled(mount.read(ino, block * PAGE_BYTES, PAGE_BYTES)))
    change(bytes)
    await settled(mount.write(ino, block * PAGE_BYTES, bytes))
  }
  const flip = (bytes: Buffer) => {
    bytes[40]! ^= 1
  }

  /** A server that has made a checkpoint, written on, and was killed. */
  async function history(): Promise<void> {
    const server = await started({ checkpointIntervalMs: 1e9 })
    await settled(write(server, 1))
    await settled(server.stop('fast'))
    const next = await started({ checkpointIntervalMs: 1e9, backgroundWriterIntervalMs: 1e9 })
    await settled(write(next, 1))
    next.kill()
  }

  test.each<[string, string, (bytes: Buffer) => void, RegExp]>([
    ['a damaged control file', CONTROL_PATH, (bytes) => bytes.fill(0, 8, 20), /wrong checksum/],
    ['a damaged page', 'base/1/16384', flip, /fails its checksum/],
    ['a page that is gone', 'base/1/16384', (bytes) => bytes.fill(0), /needs version 1 of key 1 .* an empty page/],
    ['WAL that is gone', 'pg_wal/000000010000000000000001', (bytes) => bytes.fill(0), /without the checkpoint at/],
  ])('%s', async (_, path, change, problem) => {
    await history()
    await damage(path, change)
    const server = newServer()
    const starting = settled(server.start())
    await expect(starting).rejects.toBeInstanceOf(Corruption)
    await expect(starting).rejects.toThrow(problem)
    expect(corruptions).toHaveLength(1)
    expect((await settled(server.exited)).code).toBe(1)
  })

  test('nothing of that: the history alone is sound', async () => {
    await history()
    expect(await versions(await started(), 1)).toEqual([2])
  })
})

/**
 * In which order the file store asks the disk for what. That is what a power failure tests, and nothing short of one
 * would notice a missing fsync; so the system calls are watched instead.
 */
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DiskFailed } from '../errors.ts'
import { failure, run } from './contract.ts'
import { type FileStore, openFileStore } from './file.ts'

const watch = vi.hoisted(() => ({
  calls: [] as string[],
  paths: new Map<number, string>(),
  filesystem: 0xef53,
  /** Bytes that one write takes at most, as on a disk that is nearly full. */
  writeBytesMax: Number.POSITIVE_INFINITY,
  /** What the next sync fails for, once: 'new', 'object', 'folder' or nothing. */
  failsOnce: '',
  /** Before a file that is there is opened to be written again. */
  beforeRewrite: () => {},
}))

const failing = vi.hoisted(() => (kind: string) => {
  if (watch.failsOnce !== kind) return
  watch.failsOnce = ''
  throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' })
})

const taken = vi.hoisted(() => (parts: NodeJS.ArrayBufferView[]): NodeJS.ArrayBufferView[] => {
  if (watch.writeBytesMax === Number.POSITIVE_INFINITY) return parts
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)))
  return [bytes.subarray(0, watch.writeBytesMax)]
})

const kindOf = vi.hoisted(() => (path: string) => {
  if (path.includes('~new/')) return 'new'
  if (path.includes('~mended/')) return 'mended'
  if (path.includes('~unsynced/')) return 'unsynced'
  return path.endsWith('object') ? 'object' : 'folder'
})

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  const openSync: typeof real.openSync = (path, flags, mode) => {
    if (flags === real.constants.O_WRONLY) watch.beforeRewrite()
    const file = real.openSync(path, flags, mode)
    watch.paths.set(file, String(path))
    return file
  }
  const synced = (file: number) => watch.calls.push(`sync ${kindOf(watch.paths.get(file) ?? 'unknown')}`)
  return {
    ...real,
    openSync,
    statfsSync: () => ({ type: watch.filesystem }),
    writevSync: (file: number, parts: NodeJS.ArrayBufferView[]) => {
      watch.calls.push('write')
      return real.writevSync(file, taken(parts))
    },
    fsyncSync: (file: number) => {
      synced(file)
      failing(kindOf(watch.paths.get(file) ?? 'unknown'))
      real.fsyncSync(file)
    },
    fsync: (file: number, done: (error: NodeJS.ErrnoException | null) => void) => {
      synced(file)
      try {
        failing(kindOf(watch.paths.get(file) ?? 'unknown'))
      } catch (error) {
        done(error as NodeJS.ErrnoException)
        return
      }
      real.fsync(file, done)
    },
    linkSync: (from: string, to: string) => {
      real.linkSync(from, to)
      watch.calls.push(`link ${kindOf(String(to))}`)
    },
    unlinkSync: (path: string) => {
      real.unlinkSync(path)
      watch.calls.push(`unlink ${kindOf(path)}`)
    },
    renameSync: (from: string, to: string) => {
      real.renameSync(from, to)
      watch.calls.push(`rename ${kindOf(String(to))}`)
    },
    mkdirSync: (path: string, options: { recursive?: boolean }) => {
      const made = real.mkdirSync(path, options)
      if (!options.recursive) watch.calls.push('mkdir')
      return made
    },
  }
})

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const open: typeof real.open = async (path, flags, mode) => {
    const handle = await real.open(path, flags, mode)
    const [writev, sync] = [handle.writev.bind(handle), handle.sync.bind(handle)]
    return Object.assign(handle, {
      writev: (parts: NodeJS.ArrayBufferView[]) => {
        watch.calls.push('write')
        return writev(taken(parts))
      },
      sync: () => {
        watch.calls.push(`sync ${kindOf(String(path))}`)
        failing(kindOf(String(path)))
        return sync()
      },
    })
  }
  return { ...real, open }
})

const EXT4 = 0xef53
const TMPFS = 0x0102_1994
const body = [Buffer.from('x')]

let root: string
let store: FileStore

async function open(filesystem: number): Promise<void> {
  watch.filesystem = filesystem
  root = mkdtempSync(join(tmpdir(), 'loch-sync-'))
  store = await run(openFileStore(root))
  store.createNow('warm/object', body)
  watch.calls.length = 0
}

beforeEach(() => {
  watch.beforeRewrite = () => {}
  watch.writeBytesMax = Number.POSITIVE_INFINITY
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('createNow', () => {
  test('waits for the disk once where a synced file takes its name with it', async () => {
    await open(EXT4)
    store.createNow('warm/second-object', body)
    expect(watch.calls).toEqual(['write', 'link object', 'unlink new', 'sync new'])
  })

  test('syncs the folder as well on any other filesystem', async () => {
    await open(TMPFS)
    store.createNow('warm/second-object', body)
    expect(watch.calls).toEqual(['write', 'link object', 'unlink new', 'sync new', 'sync folder'])
  })

  test('makes each new folder durable in the one above, and only the first time', async () => {
    await open(EXT4)
    store.createNow('a/b/object', body)
    const made = ['mkdir', 'sync folder', 'mkdir', 'sync folder']
    expect(watch.calls).toEqual([...made, 'write', 'link object', 'unlink new', 'sync new'])
    watch.calls.length = 0
    store.createNow('a/b/second-object', body)
    expect(watch.calls).not.toContain('sync folder')
  })

  test('makes a folder durable that another process has just made', async () => {
    await open(EXT4)
    mkdirSync(join(root, 'theirs'), {})
    watch.calls.length = 0
    store.createNow('theirs/object', body)
    expect(watch.calls).toEqual(['sync folder', 'write', 'link object', 'unlink new', 'sync new'])
  })

  test('makes what stands under a taken name durable before it says so', async () => {
    await open(TMPFS)
    store.createNow('warm/object', body)
    expect(watch.calls).toEqual(['write', 'unlink new', 'sync object', 'sync folder'])
  })
})

describe('a sync that fails', () => {
  const key = 'warm/second-object'
  const createFails = () => store.createNow(key, body)
  const stands = () => expect(readFileSync(join(root, key))).toEqual(body[0])

  test.each([
    ['new', EXT4],
    ['folder', TMPFS],
  ])('of the %s leaves an object that may have been seen', async (what, filesystem) => {
    await open(filesystem)
    watch.failsOnce = what
    expect(createFails).toThrow(DiskFailed)
    stands()
    expect(store.createNow(key, body)).toBe('exists')
  })

  test('of the folder leaves it in place also after an asynchronous creation', async () => {
    await open(EXT4)
    watch.failsOnce = 'folder'
    expect(await failure(store.create(key, body))).toMatchObject({ _tag: 'DiskFailed' })
    stands()
  })

  test('is not followed by one that only says that all is well', async () => {
    await open(EXT4)
    watch.failsOnce = 'new'
    expect(createFails).toThrow(DiskFailed)
    watch.calls.length = 0
    await run(store.read(key))
    expect(watch.calls).toEqual(['write', 'sync object', 'unlink unsynced'])
    watch.calls.length = 0
    await run(store.read(key))
    expect(watch.calls).toEqual(['sync object'])
    stands()
  })

  test.each(['new', 'object'])(
    'of the %s is known to every process, until the bytes were written again',
    async (what) => {
      await open(EXT4)
      const another = () => run(openFileStore(root))
      const [other, third, last] = [await another(), await another(), await another()]
      if (what === 'object') store.createNow(key, body)
      watch.failsOnce = what
      if (what === 'new') expect(createFails).toThrow(DiskFailed)
      else expect(await failure(store.read(key))).toMatchObject({ _tag: 'DiskFailed' })
      watch.calls.length = 0
      watch.failsOnce = 'object'
      expect(() => other.createNow(key, body)).toThrow(DiskFailed)
      expect(watch.calls).toEqual(['sync folder', 'write', 'unlink new', 'write', 'sync object'])
      watch.calls.length = 0
      await run(third.read(key))
      expect(watch.calls).toEqual(['write', 'sync object', 'unlink unsynced'])
      watch.calls.length = 0
      await run(last.read(key))
      expect(watch.calls).toEqual(['sync object'])
      stands()
    },
  )

  test('is forgotten with its object', async () => {
    await open(EXT4)
    watch.failsOnce = 'new'
    expect(createFails).toThrow(DiskFailed)
    expect(readdirSync(join(root, '~unsynced'))).toHaveLength(1)
    await run(store.remove(key))
    expect(readdirSync(join(root, '~unsynced'))).toEqual([])
    expect(await run(store.list(''))).toEqual([{ key: 'warm/object', size: undefined }])
  })

  test('has nothing written over what somebody has put into the place of the object meanwhile', async () => {
    await open(EXT4)
    watch.failsOnce = 'new'
    expect(createFails).toThrow(DiskFailed)
    const mended = join(root, '~new/mended')
    writeFileSync(mended, 'mended')
    watch.beforeRewrite = () => renameSync(mended, join(root, key))
    expect(store.createNow(key, body)).toBe('exists')
    expect(readFileSync(join(root, key), 'utf8')).toBe('mended')
  })
})

describe('create', () => {
  test('has the bytes on the disk before the name, and the name before it returns', async () => {
    await open(EXT4)
    await run(store.create('warm/second-object', body))
    expect(watch.calls).toEqual(['write', 'sync new', 'link object', 'sync folder', 'unlink new'])
  })

  test('makes what stands under a taken name durable before it says so', async () => {
    await open(EXT4)
    await run(store.create('warm/object', body))
    expect(watch.calls).toEqual(['write', 'sync new', 'sync object', 'unlink new'])
  })
})

describe('replaceTorn', () => {
  test('has the new bytes on the disk before anybody can see them', async () => {
    await open(EXT4)
    writeFileSync(join(root, 'warm/object'), '')
    store.replaceTorn('warm/object', (bytes) => bytes.length > 0, body)
    const decided = ['write', 'sync new', 'link mended', 'unlink new']
    expect(watch.calls).toEqual([...decided, 'link new', 'rename object', 'sync folder'])
  })
})

describe('read', () => {
  test('makes an object durable before a reader can build on it, however old it looks', async () => {
    await open(TMPFS)
    utimesSync(join(root, 'warm/object'), 0, 0)
    await run(store.read('warm/object'))
    expect(watch.calls).toEqual(['sync object', 'sync folder'])
  })

  test('syncs the folder too of an object whose writer died before it had but one name', async () => {
    await open(EXT4)
    linkSync(join(root, 'warm/object'), join(root, '~new/left-behind'))
    watch.calls.length = 0
    await run(store.read('warm/object'))
    store.createNow('warm/object', body)
    const settled = ['sync object', 'sync folder']
    expect(watch.calls).toEqual([...settled, 'write', 'unlink new', ...settled])
  })

  test('does not wait for the disk for ranges', async () => {
    await open(TMPFS)
    await run(store.read('warm/object', { offset: 0, length: 1 }))
    expect(watch.calls).toEqual([])
  })
})

test.each([1, 2, 3, 5, 7])('an object is whole although every write takes only %i bytes', async (writeBytesMax) => {
  await open(EXT4)
  const parts = ['one', '', 'two', 'three'].map((part) => Buffer.from(part))
  watch.writeBytesMax = writeBytesMax
  store.createNow('now/object', parts)
  await run(store.create('later/object', parts))
  for (const key of ['now/object', 'later/object']) {
    expect(Buffer.from(await run(store.read(key))).toString()).toBe('onetwothree')
  }
})

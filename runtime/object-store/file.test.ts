/** What only the file store does: synchronous creation, the repair of torn objects, and its behaviour on a real disk. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { describe as describeError, isLochError } from '../errors.ts'
import { failure, run } from './contract.ts'
import { type FileStore, openFileStore } from './file.ts'
import { type Compiled, compile, linesOf } from './testing/compile.ts'
import { bodyOf, isWhole, writerOf } from './testing/whole.ts'

let root: string
let store: FileStore

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'loch-file-'))
  store = await run(openFileStore(root))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const text = async (key: string) => Buffer.from(await run(store.read(key))).toString()
const nameless = () => readdirSync(join(root, '~new'))

function thrown(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

describe('createNow', () => {
  test('creates what an asynchronous reader finds, and knows what was created asynchronously', async () => {
    expect(store.createNow('log/1', [Buffer.from('a'), Buffer.from('b')])).toBe('created')
    expect(store.createNow('log/1', [Buffer.from('c')])).toBe('exists')
    expect(await run(store.create('log/1', [Buffer.from('c')]))).toBe('exists')
    expect(await text('log/1')).toBe('ab')
    await run(store.create('log/2', [Buffer.from('d')]))
    expect(store.createNow('log/2', [Buffer.from('e')])).toBe('exists')
    expect(await text('log/2')).toBe('d')
  })

  test('leaves no nameless files, whoever wins', async () => {
    store.createNow('a', [Buffer.from('1')])
    store.createNow('a', [Buffer.from('2')])
    await run(store.create('a', [Buffer.from('3')]))
    await run(store.create('b', [Buffer.from('4')]))
    expect(nameless()).toEqual([])
  })

  test('throws only errors of the closed set', async () => {
    await run(store.create('folder/object', [Buffer.from('x')]))
    for (const key of ['../x', '', 'folder', 'folder/object/below']) {
      const error = thrown(() => store.createNow(key, [Buffer.from('y')]))
      expect(error).toMatchObject({ _tag: 'BadArgument', component: 'object store' })
    }
    expect(await failure(store.create('folder', []))).toMatchObject({ _tag: 'BadArgument' })
    expect(await failure(store.create('folder/object/below', []))).toMatchObject({ _tag: 'BadArgument' })
    expect(nameless()).toEqual([])
  })

  test('makes a folder again that somebody has removed', async () => {
    store.createNow('timelines/a/log/1', [Buffer.from('x')])
    rmSync(join(root, 'timelines'), { recursive: true })
    expect(store.createNow('timelines/a/log/2', [Buffer.from('y')])).toBe('created')
    rmSync(join(root, 'timelines'), { recursive: true })
    expect(await run(store.create('timelines/a/log/3', [Buffer.from('z')]))).toBe('created')
  })

  test('keeps files and folders from other users', async () => {
    const inner = join(root, 'new', 'store')
    const fresh = await run(openFileStore(inner))
    fresh.createNow('a/b', [Buffer.from('x')])
    await run(fresh.create('a/c', [Buffer.from('x')]))
    const mode = (path: string) => statSync(join(inner, path)).mode & 0o777
    expect([mode(''), mode('a'), mode('~new'), mode('a/b'), mode('a/c')]).toEqual([0o700, 0o700, 0o700, 0o600, 0o600])
  })

  test('takes more parts than one system call can', async () => {
    const parts = Array.from({ length: 3_000 }, (_, at) => Buffer.from(String(at % 10)))
    store.createNow('many', parts)
    await run(store.create('many-later', parts))
    expect(await text('many')).toBe(Buffer.concat(parts).toString())
    expect(await text('many-later')).toBe(Buffer.concat(parts).toString())
  })
})

describe('opening', () => {
  test('removes nameless files that a crashed writer left long ago, and no young ones', async () => {
    const [old, young] = [join(root, '~new', 'old'), join(root, '~new', 'young')]
    for (const path of [old, young]) writeFileSync(path, 'x')
    utimesSync(old, 0, Date.now() / 1000 - 7_200)
    await run(openFileStore(root))
    expect([existsSync(old), existsSync(young)]).toEqual([false, true])
  })

  test('refuses a path that is a file, with a remedy', async () => {
    const path = join(root, 'file')
    writeFileSync(path, '')
    for (const taken of [path, join(path, 'below')]) {
      const error = await failure(openFileStore(taken))
      expect(isLochError(error)).toBe(true)
      expect(describeError(error)).toContain(taken)
    }
  })
})

describe('a torn object', () => {
  /** As a power failure leaves it: the name is durable, the bytes are not. */
  function tear(key: string, length: number): void {
    const bytes = readFileSync(join(root, key))
    writeFileSync(join(root, key), bytes.subarray(0, length))
  }

  test.each([0, 1, 100])('of %i bytes is replaced, and only once', async (length) => {
    store.createNow('log/1', [bodyOf('dead', 1)])
    tear('log/1', length)
    expect(store.createNow('log/1', [bodyOf('next', 1)])).toBe('exists')
    expect(store.replaceTorn('log/1', isWhole, [bodyOf('next', 1)])).toBe('created')
    expect(store.replaceTorn('log/1', isWhole, [bodyOf('late', 1)])).toBe('exists')
    expect(writerOf(await run(store.read('log/1')))).toBe('next')
    expect(nameless()).toEqual([])
  })

  test('is not what a whole object is: that one stays', async () => {
    store.createNow('log/1', [bodyOf('first', 1)])
    expect(store.replaceTorn('log/1', isWhole, [bodyOf('second', 1)])).toBe('exists')
    expect(writerOf(await run(store.read('log/1')))).toBe('first')
    expect(readdirSync(join(root, '~mended'))).toEqual([])
  })

  test('that was never there is created', async () => {
    expect(store.replaceTorn('log/1', isWhole, [bodyOf('only', 1)])).toBe('created')
    expect(writerOf(await run(store.read('log/1')))).toBe('only')
  })

  test('gets the replacement that a repairer had decided on before it died', async () => {
    store.createNow('log/1', [bodyOf('dead', 1)])
    tear('log/1', 10)
    const torn = readFileSync(join(root, 'log/1'))
    store.replaceTorn('log/1', isWhole, [bodyOf('decided', 1)])
    // As if it had died between deciding and putting in place.
    rmSync(join(root, 'log/1'))
    writeFileSync(join(root, 'log/1'), torn)
    expect(store.replaceTorn('log/1', isWhole, [bodyOf('late', 1)])).toBe('exists')
    expect(writerOf(await run(store.read('log/1')))).toBe('decided')
  })

  test('leaves nothing behind once it is removed, and does not show in listings', async () => {
    store.createNow('log/1', [bodyOf('dead', 1)])
    tear('log/1', 10)
    store.replaceTorn('log/1', isWhole, [bodyOf('next', 1)])
    expect(await run(store.list(''))).toEqual([{ key: 'log/1', size: undefined }])
    await run(store.remove('log/1'))
    expect(readdirSync(join(root, '~mended'))).toEqual([])
  })

  test('that was replaced before and is damaged again is reported as a failing disk', async () => {
    store.createNow('log/1', [bodyOf('dead', 1)])
    tear('log/1', 10)
    store.replaceTorn('log/1', isWhole, [bodyOf('next', 1)])
    tear('log/1', 10)
    const error = thrown(() => store.replaceTorn('log/1', isWhole, [bodyOf('late', 1)]))
    expect(error).toMatchObject({ _tag: 'DiskFailed', value: join(root, 'log/1') })
  })
})

describe('several processes', () => {
  const COUNT = 120
  const WRITERS = ['p0', 'p1', 'p2', 'p3']
  let racer: Compiled

  beforeAll(() => {
    racer = compile(fileURLToPath(new URL('./testing/racer-main.ts', import.meta.url)))
  })
  afterAll(() => racer.dispose())

  async function race(mode: string): Promise<string[][]> {
    const children = WRITERS.map((writer) => racer.spawn([root, writer, String(COUNT), mode]))
    const outputs = children.map(linesOf)
    await Promise.all(outputs.map((output) => output.next()))
    for (const child of children) child.stdin?.write('go\n')
    const told = await Promise.all(outputs.map(async (output) => (await output.next()).value as string))
    return told.map((line) => JSON.parse(line) as string[])
  }

  function tearAll(): void {
    mkdirSync(join(root, 'race'))
    for (let at = 0; at < COUNT; at++) {
      writeFileSync(join(root, 'race', String(at)), bodyOf('torn', at).subarray(0, at % 50))
    }
  }

  test.each(['now', 'later', 'mend'])('racing for the same names have one winner each (%s)', async (mode) => {
    if (mode === 'mend') tearAll()
    const told = await race(mode)
    for (let at = 0; at < COUNT; at++) {
      const winners = WRITERS.filter((_, writer) => told[writer]![at] === 'created')
      expect(winners).toHaveLength(1)
      const bytes = await run(store.read(`race/${at}`))
      expect(bodyOf(winners[0]!, at).equals(bytes)).toBe(true)
    }
    expect(nameless()).toEqual([])
  })

  test('that are killed in the middle leave whole objects or none', async () => {
    for (const mode of ['now', 'later']) {
      const child = racer.spawn([root, mode, '1000000', mode])
      await linesOf(child).next()
      child.stdin?.write('go\n')
      const entries = () => (existsSync(join(root, 'race')) ? readdirSync(join(root, 'race')).length : 0)
      const before = entries()
      while (entries() < before + 50) await new Promise((resolve) => setImmediate(resolve))
      child.kill('SIGKILL')
      await once(child, 'exit')
      for (const { key } of await run(store.list('race/'))) expect(isWhole(await run(store.read(key)))).toBe(true)
      rmSync(join(root, 'race'), { recursive: true })
    }
  })
})

/** Why no small disk can be had here, or undefined. */
function whyNoSmallDisk(): string | undefined {
  const point = mkdtempSync(join(tmpdir(), 'loch-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', point], { stdio: 'ignore' })
    execFileSync('umount', [point])
    return undefined
  } catch {
    return 'this user cannot mount a tmpfs'
  } finally {
    rmSync(point, { recursive: true })
  }
}

const obstacle = whyNoSmallDisk()

describe.skipIf(obstacle)(obstacle ? `a full disk, not tested since ${obstacle}` : 'a full disk', () => {
  let mount: string
  let small: FileStore

  beforeEach(async () => {
    mount = mkdtempSync(join(tmpdir(), 'loch-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mount])
    small = await run(openFileStore(join(mount, 'store')))
  })
  afterEach(() => {
    execFileSync('umount', ['-l', mount])
    rmSync(mount, { recursive: true })
  })

  test('fails a creation, keeps nothing of it, and takes the name once there is room', async () => {
    const large = Buffer.alloc(200 * 1024, 1)
    expect(small.createNow('ballast', [large])).toBe('created')
    const full = { _tag: 'DiskFailed', problem: expect.stringContaining('no space left') }
    expect(thrown(() => small.createNow('log/1', [large]))).toMatchObject(full)
    expect(await failure(small.create('log/2', [large]))).toMatchObject(full)
    expect(thrown(() => small.replaceTorn('log/3', isWhole, [large]))).toMatchObject(full)
    expect((await run(small.list(''))).map(({ key }) => key)).toEqual(['ballast'])
    expect(readdirSync(join(mount, 'store', '~new'))).toEqual([])
    await run(small.remove('ballast'))
    expect(small.createNow('log/1', [large])).toBe('created')
  })
})

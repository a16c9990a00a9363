import { beforeEach, describe, expect, test } from 'vitest'
import { type DiskFiles, replaceFile } from '../../runtime/safekeeper/disk-files.ts'
import { type Draws, SeededDraws } from '../kernel/draws.ts'
import { SimDisk } from './sim-disk.ts'
import { SECTOR_BYTES, SimFile } from './sim-file.ts'
import { kernelOf, processOf } from './testing.ts'

let disk: SimDisk
let files: DiskFiles

function begin(seed: number, evictShare = 0): void {
  disk = new SimDisk(kernelOf(seed), { evictShare })
  files = disk.files(processOf('zone-1'))
  files.makeDirectory('/d')
}
beforeEach(() => begin(1))

/** After a crash. */
const restart = () => {
  disk.crash()
  files = disk.files(processOf('zone-1'))
}
const put = (path: string, content: Buffer | string): number => {
  const file = files.open(path, true)
  files.write(file, [Buffer.from(content)], 0)
  return file
}
const shown = (path: string) => files.readWhole(path)?.toString('latin1')
const failing = (fields: object) =>
  expect.objectContaining({ _tag: 'DiskFailed', component: 'safekeeper log', ...fields })
/** Outcomes of many seeds, sorted. */
function outcomes(count: number, of: (seed: number) => string | undefined): Array<string | undefined> {
  return [...new Set(Array.from({ length: count }, (_, seed) => of(seed)))].sort()
}

describe('files', () => {
  test('are written, read, cut and grown', () => {
    const file = files.open('/d/file', true)
    files.write(file, [Buffer.from('abc'), Buffer.alloc(0), Buffer.from('defg')], 2)
    files.sync(file)
    expect(files.size(file)).toBe(9)
    expect(shown('/d/file')).toBe('\0\0abcdefg')
    const target = Buffer.alloc(6, '.')
    expect(files.read(file, target, 1, 4, 6)).toBe(3)
    expect(target.toString()).toBe('.efg..')
    files.truncate(file, 4)
    files.truncate(file, 6)
    expect(shown('/d/file')).toBe('\0\0ab\0\0')
    files.close(file)
    expect(() => files.size(file)).toThrow(failing({ value: `file ${file}` }))
  })

  test('are made once, opened if there, listed, renamed and removed', () => {
    expect(() => files.open('/d/file', false)).toThrow(failing({ problem: 'ENOENT while opening', value: '/d/file' }))
    expect(() => files.open('/none/file', true)).toThrow(failing({ problem: 'ENOENT while opening' }))
    files.close(files.open('/d/file', true))
    expect(() => files.open('/d/file', true)).toThrow(failing({ problem: 'EEXIST while opening' }))
    replaceFile(files, '/d', 'one', Buffer.from('1'))
    replaceFile(files, '/d', 'one', Buffer.from('2'))
    files.makeDirectory('/d/e/f')
    expect([...files.list('/d')].sort()).toEqual(['e', 'file', 'one'])
    files.rename('/d/one', '/d/two')
    expect(shown('/d/two')).toBe('2')
    files.remove('/d/two')
    files.remove('/d/two')
    expect(shown('/d/two')).toBeUndefined()
  })

  test('of a killed process are as it left them, and it writes no more', () => {
    const process = processOf('zone-2')
    files = disk.files(process)
    const file = put('/d/file', 'written')
    process.isAlive = false
    expect(() => files.write(file, [Buffer.from('x')], 0)).toThrow(failing({ problem: 'EIO while writing' }))
    files = disk.files(processOf('zone-2'))
    expect(shown('/d/file')).toBe('written')
    expect(() => files.size(file)).toThrow(failing({ problem: 'EBADF while asking for the size of' }))
  })

  test('are gone from a wiped disk', () => {
    put('/d/file', 'x')
    files.syncDirectory('/d')
    disk.wipe()
    files = disk.files(processOf('zone-1'))
    expect(() => files.list('/d')).toThrow(failing({ problem: 'ENOENT while listing' }))
    files.makeDirectory('/d')
    expect(files.list('/d')).toEqual([])
  })
})

describe('a power failure', () => {
  test('leaves what was synced, under names that were synced', () => {
    for (let seed = 0; seed < 50; seed++) {
      begin(seed)
      files.sync(put('/d/file', 'synced'))
      files.syncDirectory('/d')
      restart()
      expect(shown('/d/file')).toBe('synced')
    }
  })

  test('keeps, loses or tears what was not synced, by sectors', () => {
    const base = Buffer.alloc(3 * SECTOR_BYTES, 'a')
    const kinds = outcomes(100, (seed) => {
      begin(seed)
      const file = put('/d/file', base)
      files.sync(file)
      files.syncDirectory('/d')
      files.write(file, [Buffer.alloc(3 * SECTOR_BYTES, 'b')], SECTOR_BYTES)
      restart()
      const content = files.readWhole('/d/file')!
      expect(content.subarray(0, SECTOR_BYTES).equals(base.subarray(0, SECTOR_BYTES))).toBe(true)
      const sectors = Array.from({ length: Math.ceil(content.length / SECTOR_BYTES) }, (_, at) => {
        const sector = content.subarray(at * SECTOR_BYTES, (at + 1) * SECTOR_BYTES)
        expect(new Set(sector).size).toBe(1)
        return String.fromCharCode(sector[0]!)
      })
      return sectors.join('')
    })
    expect(kinds).toEqual(['aaa', 'aaab', 'aab', 'aabb', 'aba', 'abab', 'abb', 'abbb'])
  })

  test('keeps or loses names, each alone', () => {
    const kinds = outcomes(100, (seed) => {
      begin(seed)
      for (const name of ['old', 'gone']) files.sync(put(`/d/${name}`, name))
      files.syncDirectory('/d')
      files.sync(put('/d/new', 'new'))
      files.rename('/d/new', '/d/old')
      files.remove('/d/gone')
      restart()
      return `${shown('/d/old')} ${shown('/d/gone')} ${shown('/d/new')}`
    })
    expect(kinds).toEqual([
      'new gone undefined',
      'new undefined undefined',
      'old gone new',
      'old gone undefined',
      'old undefined new',
      'old undefined undefined',
    ])
  })

  test('takes back a cut whole, or keeps it', () => {
    const kinds = outcomes(100, (seed) => {
      begin(seed)
      const file = put('/d/file', Buffer.alloc(4 * SECTOR_BYTES, 'a'))
      files.sync(file)
      files.syncDirectory('/d')
      files.truncate(file, 100)
      files.write(file, [Buffer.alloc(2 * SECTOR_BYTES, 'b')], 100)
      restart()
      const content = shown('/d/file')!
      return content.replace(/(.)\1*/gs, (run, byte) => `${byte === '\0' ? '0' : byte}${run.length} `).trim()
    })
    const whole = `a${4 * SECTOR_BYTES}`
    expect(kinds).toContain(whole)
    expect(kinds).toContain(`a100 b${2 * SECTOR_BYTES}`)
    // Once the cut is there, nothing that was beyond it is ever seen again.
    expect(kinds.filter((kind) => kind !== whole && !/^a100( |$)/.test(kind!))).toEqual([])
    expect(kinds.length).toBeGreaterThan(4)
  })

  test('ends what was open', () => {
    const file = put('/d/file', 'x')
    const before = files
    disk.crash()
    expect(() => before.write(file, [Buffer.from('y')], 0)).toThrow(failing({}))
  })
})

describe('a sync that fails', () => {
  const written = (seed: number, evictShare: number) => {
    begin(seed, evictShare)
    const file = put('/d/file', Buffer.alloc(SECTOR_BYTES, 'a'))
    files.sync(file)
    files.syncDirectory('/d')
    files.write(file, [Buffer.alloc(SECTOR_BYTES, 'b')], 0)
    disk.failNextSync()
    expect(() => files.sync(file)).toThrow(failing({ problem: 'EIO while syncing', value: `file ${file}` }))
    return file
  }

  test('leaves what the next one takes for written, so it may be lost though that one succeeded', () => {
    const kinds = outcomes(40, (seed) => {
      const file = written(seed, 0)
      expect(shown('/d/file')![0]).toBe('b')
      files.sync(file)
      expect(shown('/d/file')![0]).toBe('b')
      restart()
      return shown('/d/file')![0]
    })
    expect(kinds).toEqual(['a', 'b'])
  })

  test('may show what is on the platter to who opens the file again', () => {
    const kinds = outcomes(40, (seed) => {
      const file = written(seed, 1)
      files.close(file)
      files.close(files.open('/d/file', false))
      return shown('/d/file')![0]
    })
    expect(kinds).toEqual(['a', 'b'])
  })

  test('of a directory leaves its names unsynced', () => {
    put('/d/file', 'x')
    disk.failNextSync()
    expect(() => files.syncDirectory('/d')).toThrow(failing({ problem: 'EIO while syncing the directory' }))
    files.syncDirectory('/d')
    expect(disk.syncs).toBe(1)
  })
})

describe('faults', () => {
  test('a full disk takes nothing that is new, and says so', () => {
    const file = put('/d/file', 'abc')
    disk.isFull = true
    files.write(file, [Buffer.from('xyz')], 0)
    const full = failing({ problem: 'no space left while writing', remedy: expect.stringContaining('Free space') })
    expect(() => files.write(file, [Buffer.from('12'), Buffer.from('34')], 1)).toThrow(full)
    expect(shown('/d/file')).toBe('x12')
    expect(() => files.open('/d/new', true)).toThrow(failing({ problem: 'no space left while opening' }))
    disk.isFull = false
    files.write(file, [Buffer.from('more')], 3)
  })

  test('a bit flips in one byte of what is on the platter', () => {
    expect(disk.flipBit()).toBeUndefined()
    const file = put('/d/file', Buffer.alloc(2_000))
    files.sync(file)
    files.syncDirectory('/d')
    expect(disk.flipBit((path) => path === '/d/other')).toBeUndefined()
    const { path, position } = disk.flipBit()!
    expect(path).toBe('/d/file')
    const content = files.readWhole('/d/file')!
    expect([...content].flatMap((byte, at) => (byte === 0 ? [] : [at]))).toEqual([position])
  })
})

describe('a sync that lies', () => {
  const SECTORS = 4
  /** 'a' is synced, 'b' is told to be; letters of the sectors that there are after the crash. */
  const told = (seed: number, then: (file: number) => void) => {
    begin(seed)
    const file = put('/d/file', Buffer.alloc(2 * SECTOR_BYTES, 'a'))
    files.sync(file)
    files.syncDirectory('/d')
    files.write(file, [Buffer.alloc((SECTORS - 1) * SECTOR_BYTES, 'b')], SECTOR_BYTES)
    disk.syncsToLie = 1
    files.sync(file)
    expect([disk.lies, disk.losses, disk.damages, disk.syncsToLie]).toEqual([1, 1, 0, 0])
    then(file)
    restart()
    return shown('/d/file')!.replace(/(.)\1*/gs, (run, byte) =>
      (byte === '\0' ? '0' : byte).repeat(run.length / SECTOR_BYTES),
    )
  }

  test('is as if it had not been at a loss of power, and only then', () => {
    const lost = outcomes(100, (seed) =>
      told(seed, () => {
        expect(disk.certainNames.get('/d/file')!.certainBytes).toBe(SECTORS * SECTOR_BYTES)
      }),
    )
    expect(lost).toEqual(['aa', 'aa0b', 'aab', 'aabb', 'ab', 'ab0b', 'abb', 'abbb'])
    const synced = outcomes(30, (seed) => told(seed, (file) => files.sync(file)))
    expect(synced).toEqual(['abbb'])
  })

  test('takes nothing of what was synced before it or after it', () => {
    const kinds = outcomes(60, (seed) =>
      told(seed, (file) => {
        files.sync(file)
        files.write(file, [Buffer.alloc(SECTOR_BYTES, 'c')], 0)
        disk.syncsToLie = 1
        files.sync(file)
      }),
    )
    expect(kinds).toEqual(['abbb', 'cbbb'])
  })

  test('leaves what the disk shows also to a sync that fails, and to who opens the file again', () => {
    for (let seed = 0; seed < 20; seed++) {
      begin(seed, 1)
      const file = put('/d/file', 'lied')
      disk.syncsToLie = 1
      files.sync(file)
      disk.failNextSync()
      expect(() => files.sync(file)).toThrow(failing({ problem: 'EIO while syncing' }))
      files.close(files.open('/d/file', false))
      expect(shown('/d/file')).toBe('lied')
    }
  })

  test('brings nothing back that was cut off since, if the cut is there', () => {
    const kinds = outcomes(100, (seed) =>
      told(seed, (file) => {
        files.truncate(file, 0)
        files.write(file, [Buffer.alloc(2 * SECTOR_BYTES, 'c')], 0)
      }),
    )
    expect(kinds).toContain('cc')
    expect(kinds).toContain('0c')
    expect(kinds.filter((kind) => /c.*[ab]|[ab].*c/.test(kind!))).toEqual([])
  })

  test('is none of a cut, nor of names', () => {
    const file = put('/d/file', 'abc')
    files.sync(file)
    files.truncate(file, 1)
    disk.syncsToLie = 1
    files.sync(file)
    files.syncDirectory('/d')
    expect([disk.lies, disk.syncsToLie]).toEqual([0, 1])
  })
})

describe('errors of the medium', () => {
  test('fail a read, and the next one succeeds', () => {
    const file = put('/d/file', 'abc')
    disk.readsToFail = 2
    expect(files.readWhole('/d/none')).toBeUndefined()
    expect(() => files.readWhole('/d/file')).toThrow(failing({ problem: 'EIO while reading', value: '/d/file' }))
    const target = Buffer.alloc(3)
    expect(() => files.read(file, target, 0, 3, 0)).toThrow(
      failing({ problem: 'EIO while reading', value: `file ${file}`, remedy: expect.stringContaining('dmesg') }),
    )
    expect([target.toString('latin1'), disk.failedReads]).toEqual(['\0\0\0', 2])
    expect(shown('/d/file')).toBe('abc')
  })

  test('fail a write, of which nothing, a part or all is there', () => {
    const kinds = outcomes(100, (seed) => {
      begin(seed)
      const file = put('/d/file', '....')
      disk.writesToFail = 1
      const parts = [Buffer.from('ab'), Buffer.from('cd')]
      expect(() => files.write(file, parts, 1)).toThrow(failing({ problem: 'EIO while writing' }))
      const content = shown('/d/file')
      files.write(file, parts, 1)
      expect([shown('/d/file'), disk.failedWrites]).toEqual(['.abcd', 1])
      return content
    })
    expect(kinds).toEqual(['....', '.a..', '.ab.', '.abc', '.abcd'])
  })

  test('show after a loss of power that a write had landed elsewhere', () => {
    for (const [name, content] of Object.entries({ one: 'abcdef', two: '123' })) files.sync(put(`/d/${name}`, content))
    files.syncDirectory('/d')
    disk.crash()
    disk.misplace({ path: '/d/one', position: 1, bytes: 3 }, { path: '/d/two', position: 2 })
    restart()
    expect([shown('/d/one'), shown('/d/two')]).toEqual(['a\0\0\0ef', '12bcd'])
    expect([disk.misplaced, disk.damages, disk.losses]).toEqual([1, 1, 1])
  })

  test('are no more once the disk is healed, and a full one takes again', () => {
    const file = put('/d/file', 'abc')
    Object.assign(disk, { isFull: true, readsToFail: 1, writesToFail: 1, syncsToFail: 1, syncsToLie: 1 })
    disk.heal()
    files.write(file, [Buffer.from('more')], 3)
    files.sync(file)
    expect([shown('/d/file'), disk.syncs, disk.lies]).toEqual(['abcmore', 1, 0])
  })
})

test('after a cut whose sync failed, what is written beyond it and synced is on the platter', () => {
  const file = new SimFile()
  file.write(Buffer.alloc(2_000, 1), 0)
  file.sync()
  file.truncate(100)
  // None of it is written, and all of it is taken for clean.
  file.failSync({ ...new SeededDraws(1), uniform: () => 0, chance: () => false } as unknown as Draws)
  file.write(Buffer.alloc(2_000, 2), 100)
  file.sync()
  expect(file.certainBytes).toBe(2_100)
  file.evict()
  expect(file.content().subarray(100)).toEqual(Buffer.alloc(2_000, 2))
})

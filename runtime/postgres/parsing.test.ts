/** The pure parts of this folder: what is read from Postgres, npm and the kernel, and what is said to Postgres. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseLinks } from './binaries.ts'
import { fatalText, LogLines, saysReady, takenAddress } from './log-lines.ts'
import { mountPoints } from './mounts.ts'
import { selectBelow } from './orphans.ts'
import { type ProcessEntry, parseStat } from './processes.ts'
import { type SettingsOptions, settingsArguments, settingsFor } from './settings.ts'
import { readAnswer, startupPacket } from './startup-packet.ts'
import { chooseUser } from './user.ts'
import { formatLsn, parseLsn, parseWalFileName, WAL_SEGMENT_BYTES, walWriteEnd } from './wal-position.ts'

describe('the log of Postgres', () => {
  test('is cut into the same lines however the pipe cuts it, without the noise of our own polling', () => {
    const text = ['one', 'x FATAL:  the database system is starting up', '', 'two', 'last'].join('\n')
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const seen: string[] = []
        const lines = new LogLines((line) => seen.push(line))
        const edges = [0, ...cuts.sort((a, b) => a - b), text.length]
        for (let i = 1; i < edges.length; i++) lines.push(text.slice(edges[i - 1], edges[i]))
        lines.end()
        expect(seen).toEqual(['one', '', 'two', 'last'])
      }),
    )
  })

  test('keeps a bounded tail', () => {
    const lines = new LogLines(() => {})
    for (let i = 0; i < 1000; i++) lines.push(`line ${i}\n`)
    expect(lines.tail.length).toBeLessThan(100)
    expect(lines.tail.at(-1)).toBe('line 999')
  })

  test('names a taken address, of TCP and of a socket', () => {
    const prefix = '2026-01-01 00:00:00.000 UTC [7] LOG:  '
    expect(takenAddress(`${prefix}could not bind IPv4 address "127.0.0.1": Address already in use`)).toBe('127.0.0.1')
    expect(takenAddress(`${prefix}could not bind Unix address "/a b/.s.PGSQL.1": Address already in use`)).toBe(
      '/a b/.s.PGSQL.1',
    )
    expect(takenAddress(`${prefix}could not bind IPv6 address "::1": Cannot assign requested address`)).toBeUndefined()
  })

  test('says when it is ready, as a primary and as a standby, and why it gave up', () => {
    expect(saysReady('x [1] LOG:  database system is ready to accept connections')).toBe(true)
    expect(saysReady('x [1] LOG:  database system is ready to accept read-only connections')).toBe(true)
    const log = [
      'x [1] FATAL:  first',
      'x [1] PANIC:  could not fsync file "a": I/O error',
      'x [1] HINT:  Look.',
      'x [1] LOG:  shut down',
    ]
    expect(fatalText(log)).toBe('PANIC: could not fsync file "a": I/O error HINT: Look.')
    expect(fatalText(['FATAL:  lock file exists'])).toBe('FATAL: lock file exists')
    expect(fatalText(['x [1] LOG:  fine'])).toBeUndefined()
  })
})

describe('the settings', () => {
  const options: SettingsOptions = {
    role: 'primary',
    listen: { host: '0.0.0.0', port: 5433 },
    socketDirectory: '/run/loch/x/socket',
    host: { memoryBytes: 4 * 2 ** 30, sharedMemoryBytes: 2 ** 30 },
  }
  const shown = (name: string, changes: Partial<SettingsOptions> = {}) => {
    const found = settingsFor({ ...options, ...changes }).filter((setting) => setting.name === name)
    expect(found.length).toBeLessThanOrEqual(1)
    return found[0]?.value
  }

  test('size shared_buffers by memory between the limits, or as asked', () => {
    const withMemory = (memoryBytes: number) => shown('shared_buffers', { host: { ...options.host, memoryBytes } })
    expect([2 ** 28, 3 * 2 ** 30, 2 ** 40].map(withMemory)).toEqual(['128MB', '384MB', '512MB'])
    expect(shown('shared_buffers', { sharedBuffersBytes: 16 * 2 ** 20 })).toBe('16MB')
  })

  test('avoid a small /dev/shm, and give a standby its polling', () => {
    expect(shown('dynamic_shared_memory_type')).toBe('posix')
    const small = { ...options.host, sharedMemoryBytes: 64 * 2 ** 20 }
    expect(shown('dynamic_shared_memory_type', { host: small })).toBe('sysv')
    expect(shown('wal_retrieve_retry_interval')).toBeUndefined()
    expect(shown('wal_retrieve_retry_interval', { role: 'standby' })).toBe('5ms')
  })

  test('let an endpoint override a default, never the storage contract, however it is spelled', () => {
    expect(shown('max_wal_size', { overrides: { MAX_WAL_SIZE: '256MB' } })).toBe('256MB')
    for (const name of ['fsync', 'FSync', 'full-page-writes', 'port', 'synchronous_commit', 'a=b', '']) {
      expect(() => settingsFor({ ...options, overrides: { [name]: 'off' } })).toThrow(
        expect.objectContaining({ _tag: 'BadArgument' }),
      )
    }
  })

  test('become arguments, and each has a reason', () => {
    const settings = settingsFor(options)
    expect(settingsArguments(settings).slice(0, 2)).toEqual(['-c', 'fsync=on'])
    expect(settings.every((setting) => setting.why.length > 10)).toBe(true)
  })
})

describe('the first question to a server', () => {
  const error = (code: string) => {
    const fields = Buffer.from(`SFATAL\0C${code}\0Mno\0\0`)
    const head = Buffer.from([0x45, 0, 0, 0, 4 + fields.length])
    return Buffer.concat([head, fields])
  }

  test('is a start-up packet whose length counts itself', () => {
    const packet = startupPacket('postgres')
    expect(packet.readInt32BE(0)).toBe(packet.length)
    expect(packet.subarray(8).toString()).toBe('user\0postgres\0database\0postgres\0\0')
  })

  test('is answered by an authentication request, "not now", or another refusal of a server that serves', () => {
    expect(readAnswer(Buffer.from('R'))).toBe('serving')
    expect(readAnswer(error('57P03'))).toBe('starting')
    expect(readAnswer(error('28000'))).toBe('serving')
    expect(readAnswer(Buffer.from('HTTP/1.1'))).toBe('absent')
    for (let length = 0; length < error('57P03').length; length++) {
      expect(readAnswer(error('57P03').subarray(0, length))).toBeUndefined()
    }
  })
})

describe('what the kernel and the host say', () => {
  test('a stat line is read even if the name looks like one', () => {
    const fields = ['S', '42', ...Array.from({ length: 17 }, () => '0'), '777', '0']
    expect(parseStat(`7 (a) R 9 (b) ${fields.join(' ')}`)).toEqual({
      pid: 7,
      parent: 42,
      name: 'a) R 9 (b',
      state: 'S',
      startTicks: 777,
    })
    expect(parseStat('7 (postgres) Z 1 0')).toBeUndefined()
  })

  test('mount points have their escapes undone', () => {
    expect(mountPoints('1 2 0:3 / /a\\040b rw - ext4 x rw\n4 1 0:4 / /run rw - tmpfs y rw\n')).toEqual(['/a b', '/run'])
  })

  test('orphans are found by -D, by working directory and by descent, and only below the prefix', () => {
    const entry = (
      pid: number,
      parent: number,
      name: string,
      argv: string[],
      workingDirectory = '/',
    ): ProcessEntry => ({
      pid,
      parent,
      name,
      argv,
      workingDirectory,
      state: 'S',
      startTicks: 1,
    })
    const processes = [
      entry(9, 2, 'sh', []),
      entry(2, 1, 'postgres', ['/x/bin/postgres', '-D', '/run/loch/a/mount/data', '']),
      entry(3, 2, 'postgres', ['postgres: checkpointer '], '/run/loch/a/mount/data'),
      entry(4, 1, 'postgres', ['postgres: u d [local] idle'], '/run/loch/a/mount/data'),
      entry(5, 1, 'initdb', ['/x/bin/initdb', '-D', '/run/loch/a/mount']),
      entry(6, 1, 'postgres', ['/x/bin/postgres', '-D', '/run/loch/a/mount2/data'], '/run/loch/a/mount2/data'),
      entry(7, 1, 'vi', ['vi', '-D', '/run/loch/a/mount'], '/run/loch/a/mount'),
    ]
    const found = selectBelow(processes, '/run/loch/a/mount').map((process) => process.pid)
    expect([...found].sort()).toEqual([2, 3, 4, 5, 9])
    expect(selectBelow(processes, '/run/loch/a/mount/dat')).toEqual([])
  })

  test('the unprivileged user is postgres, else nobody, never root', () => {
    const nobody = 'nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin'
    expect(chooseUser(`root:x:0:0::/:/bin/sh\n${nobody}\npostgres:x:101:104::/:/bin/sh\n`)?.name).toBe('postgres')
    expect(chooseUser(`postgres:x:0:0::/:/bin/sh\n${nobody}\n`)).toEqual({ name: 'nobody', uid: 65534, gid: 65533 })
    expect(chooseUser('root:x:0:0::/:/bin/sh')).toBeUndefined()
  })

  test('the list of library links is read, and one that leaves the package is refused', () => {
    const list = (target: unknown) => JSON.stringify([{ source: 'native/lib/a.so.1.2', target }])
    expect(parseLinks('l', list('native/lib/a.so.1'))).toEqual([{ name: 'lib/a.so.1', file: 'lib/a.so.1.2' }])
    for (const bad of [list('native/../../etc/x'), list('/native/x'), list(7), '{}', '[{}]', 'not json']) {
      expect(() => parseLinks('l', bad)).toThrow(expect.objectContaining({ _tag: 'HostUnfit' }))
    }
  })
})

describe('WAL addresses', () => {
  test('are read from a file name as pg_walfile_name writes it', () => {
    // select pg_walfile_name('16/B374D848') on timeline 1.
    const segment = parseWalFileName('0000000100000016000000B3')!
    expect(segment).toEqual({ walTimeline: 1, lsn: parseLsn('16/B3000000') })
    expect(formatLsn(walWriteEnd(segment, 0x740000, 0xd848))).toBe('16/B374D848')
    for (const other of [
      '00000002.history',
      '0000000100000016000000B3.partial',
      '000000010000001600000100',
      'xlogtemp.7',
    ]) {
      expect(parseWalFileName(other)).toBeUndefined()
    }
  })

  test('survive printing and reading', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (lsn) => {
        expect(parseLsn(formatLsn(lsn))).toBe(lsn)
      }),
    )
    expect([parseLsn('0/'), parseLsn('FFFFFFFF/0'), parseLsn('1/123456789')]).toEqual([undefined, undefined, undefined])
    expect(2 ** 32 % WAL_SEGMENT_BYTES).toBe(0)
  })
})

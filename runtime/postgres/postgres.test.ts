/**
 * Postgres itself, from an empty directory to a restart after a kill, on a local disk (no volume): what this folder
 * promises to the compute. Needs root and the npm package; the name of the suite says what is missing.
 */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { PostgresFailed } from '../errors.ts'
import { type PostgresBinaries, prepareBinaries } from './binary-tree.ts'
import { initializeCluster } from './cluster.ts'
import { generatePassword } from './credentials.ts'
import { killPostgresBelow } from './orphans.ts'
import { processStartTicks } from './processes.ts'
import { type PostgresProcess, type StartOptions, startPostgres } from './server.ts'
import { query, sqlFailure } from './sql.ts'
import { packageWithoutLinks, whatIsMissing } from './testing.ts'
import { type UnprivilegedUser, unprivilegedUser } from './user.ts'

const missing = whatIsMissing()

describe.skipIf(missing !== undefined)(
  `Postgres on a local directory${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    const password = generatePassword()
    let root: string
    let user: UnprivilegedUser
    let binaries: PostgresBinaries
    let port: number
    let server: PostgresProcess

    const options = (changes: Partial<StartOptions> = {}): StartOptions => ({
      binaries,
      user,
      directory: join(root, 'volume/data'),
      socketDirectory: join(root, 'socket'),
      listen: { host: '127.0.0.1', port },
      settings: { role: 'primary', sharedBuffersBytes: 16 * 1024 * 1024 },
      readyWithinMs: 30_000,
      ...changes,
    })
    const overTcp = (text: string, secret = password) =>
      query({ host: '127.0.0.1', port, user: 'postgres', password: secret, database: 'postgres' }, text)
    const overSocket = (text: string) =>
      query({ host: join(root, 'socket'), port, user: 'postgres', database: 'postgres' }, text)

    beforeAll(async () => {
      root = mkdtempSync(join(tmpdir(), 'loch-postgres-'))
      chmodSync(root, 0o755)
      user = unprivilegedUser()
      port = await freePort()
      // As npm leaves it with --ignore-scripts: without the library links. Nothing may be written there.
      const source = packageWithoutLinks(join(root, 'package'))
      binaries = await prepareBinaries({ source, directory: join(root, 'binaries'), user })
      mkdirSync(join(root, 'volume'))
      chownSync(join(root, 'volume'), user.uid, user.gid)
      const startedAt = performance.now()
      await initializeCluster({ binaries, user, directory: join(root, 'volume/data'), superuser: 'postgres', password })
      report('initdb', startedAt)
    })

    afterAll(async () => {
      await killPostgresBelow(join(root, 'volume'))
      await binaries?.dispose()
      expect(readdirSync(join(root, 'binaries'))).toEqual(['lock'])
      rmSync(root, { recursive: true, force: true })
    })

    test('starts, answers over TCP with the password, and refuses a wrong one', async () => {
      const startedAt = performance.now()
      server = await startPostgres(options())
      await server.ready
      report('start to ready', startedAt)
      const [result] = await overTcp('select current_user, inet_server_port()')
      expect(result?.rows).toEqual([['postgres', String(port)]])
      const refusal = await failureOf(overTcp('select 1', 'not the password'))
      expect(sqlFailure(refusal)?.sqlstate).toBe('28P01')
      const stored = await overSocket("select rolpassword from pg_authid where rolname = 'postgres'")
      expect(stored[0]?.rows[0]?.[0]).toMatch(/^SCRAM-SHA-256\$/)
    })

    test('runs as the unprivileged user with the settings of the storage contract, which ALTER SYSTEM cannot change', async () => {
      expect(readFileSync(`/proc/${server.pid}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\\s+${user.uid}\\s`, 'm'))
      const names = ['full_page_writes', 'wal_recycle', 'recovery_init_sync_method', 'wal_level', 'data_checksums']
      const shown = await overSocket(names.map((name) => `show ${name}`).join(';'))
      expect(shown.map((result) => result.rows[0]?.[0])).toEqual(['off', 'off', 'syncfs', 'logical', 'on'])
      await overSocket('alter system set full_page_writes = on')
      await overSocket("alter system set work_mem = '5MB'")
      await overSocket('select pg_reload_conf()')
      // The reload is asynchronous: what the user may set shows when it has happened, and then Loch's must still stand.
      await vi.waitFor(async () => expect((await overSocket('show work_mem'))[0]?.rows).toEqual([['5MB']]), {
        timeout: 20_000,
      })
      expect((await overSocket('show full_page_writes'))[0]?.rows).toEqual([['off']])
    })

    test('loads extensions, procedural language and time zones from the prepared tree', async () => {
      await overSocket(
        'create extension amcheck; create extension pg_stat_statements; create table t (id int primary key)',
      )
      const [check] = await overSocket(
        "select bt_index_check('t_pkey'), now() at time zone 'Europe/Berlin' is not null",
      )
      expect(check?.rows).toEqual([['', 't']])
      const notices = await overSocket("do $$ begin raise notice 'heard' using hint = 'louder'; end $$")
      expect(notices[0]?.notices).toEqual([{ severity: 'NOTICE', message: 'heard', hint: 'louder', sqlstate: '00000' }])
    })

    test('answers several statements one by one and says where a statement is wrong', async () => {
      const results = await overTcp('create table u (a int); insert into u values (1), (2); select a, null from u; ;')
      expect(results.map((result) => result.command)).toEqual(['CREATE TABLE', 'INSERT 0 2', 'SELECT 2'])
      expect(results[2]?.rows).toEqual([
        ['1', null],
        ['2', null],
      ])
      const failure = sqlFailure(await failureOf(overTcp('select * from no_such_table')))
      expect(failure).toMatchObject({ sqlstate: '42P01', position: 15 })
      const copy = sqlFailure(await failureOf(overTcp('copy u from stdin')))
      expect(copy?.sqlstate).toBe('57014')
    })

    test('a second server on the same address is refused, and the first goes on', async () => {
      const directory = join(root, 'volume/other')
      await initializeCluster({ binaries, user, directory, superuser: 'postgres', password })
      const other = await startPostgres(options({ directory, socketDirectory: join(root, 'other-socket') }))
      await expect(other.ready).rejects.toMatchObject({ _tag: 'AddressTaken', value: `127.0.0.1:${port}` })
      expect((await other.exited).code).not.toBe(0)
      await expect(startPostgres(options({ directory }))).rejects.toMatchObject({ _tag: 'AddressTaken' })
      expect((await overTcp('select 1'))[0]?.rows).toEqual([['1']])
    })

    test('one taken address of several is refused too, even with the log silenced', async () => {
      const directory = join(root, 'volume/other')
      const squatter = await listen('127.0.0.1')
      const taken = (squatter.address() as { port: number }).port
      const start = (host: string, overrides: Record<string, string>) =>
        startPostgres(
          options({
            directory,
            socketDirectory: join(root, 'other-socket'),
            listen: { host, port: taken },
            settings: { role: 'primary', overrides },
          }),
        )
      const several = await start('127.0.0.2,127.0.0.1', {})
      await expect(several.ready).rejects.toMatchObject({ _tag: 'AddressTaken', value: `127.0.0.1:${taken}` })
      expect((await several.exited).signal).toBe('SIGKILL')
      const silent = await start('127.0.0.1', { log_min_messages: 'fatal' })
      await expect(silent.ready).rejects.toMatchObject({ _tag: 'AddressTaken' })
      squatter.close()
    })

    test('a failed start gives the reason that the log gives', async () => {
      const changed = options({
        socketDirectory: join(root, 'third-socket'),
        directory: join(root, 'volume/absent'),
        listen: { host: '', port },
      })
      const failure = await failureOf((await startPostgres(changed)).ready)
      expect(failure).toMatchObject({ _tag: 'PostgresFailed', problem: expect.stringContaining('volume/absent') })
      const unknown = { ...changed, settings: { role: 'primary' as const, overrides: { no_such_setting: '1' } } }
      const second = await failureOf((await startPostgres(unknown)).ready)
      expect(second.problem).toContain('unrecognized configuration parameter "no_such_setting"')
    })

    test('recovers every acknowledged row after kill -9 and leaves no shared memory behind', async () => {
      await overTcp('insert into u select generate_series(3, 1000)')
      const killed = server.pid
      expect(segmentsOf(killed).length).toBeGreaterThan(0)
      const report = await server.kill()
      expect(report).toMatchObject({ stuck: [] })
      expect(report.killed).toContain(server.pid)
      expect(report.killed.length).toBeGreaterThan(3)
      expect(await server.exited).toMatchObject({ signal: 'SIGKILL' })
      // As a term does it: the file is gone before the start, so Postgres has to find the old segment by itself.
      rmSync(join(root, 'volume/data/postmaster.pid'))
      const lines: string[] = []
      server = await startPostgres(options({ onLogLine: (line) => lines.push(line) }))
      await server.ready
      expect(lines.join('\n')).toContain('database system was not properly shut down')
      expect((await overTcp('select count(*) from u'))[0]?.rows).toEqual([['1000']])
      expect(segmentsOf(killed)).toEqual([])
    })

    test('stops fast in order, and an aborted start leaves no process', async () => {
      const startedAt = performance.now()
      expect(await server.stop('fast')).toMatchObject({ code: 0, signal: null })
      report('stop', startedAt)
      const control = new AbortController()
      const again = await startPostgres(options({ signal: control.signal, logFile: join(root, 'log') }))
      control.abort()
      expect(await failureOf(again.ready)).toMatchObject({ _tag: 'PostgresFailed' })
      await again.exited
      expect(processStartTicks(again.pid)).toBeUndefined()
    })

    test('a kill at any moment of a start, while it forks, leaves no child behind', async () => {
      for (let afterMs = 0; afterMs < 120; afterMs += 6) {
        const starting = await startPostgres(options({ listen: { host: '', port } }))
        await Promise.race([starting.ready, new Promise((resolve) => setTimeout(resolve, afterMs))])
        expect((await starting.kill()).stuck).toEqual([])
        expect(await killPostgresBelow(join(root, 'volume/data'))).toEqual({ killed: [], stuck: [] })
        expect(await starting.exited).toMatchObject({ signal: 'SIGKILL' })
      }
    })

    test('orphans of a data directory are found below a prefix and killed, and nothing else is', async () => {
      const one = await startPostgres(options({ listen: { host: '', port } }))
      const directory = join(root, 'volume/other')
      const socketDirectory = join(root, 'other-socket')
      const two = await startPostgres(options({ directory, socketDirectory, listen: { host: '', port } }))
      await Promise.all([one.ready, two.ready])
      const killed = await killPostgresBelow(join(root, 'volume/data'))
      expect(killed.killed).toContain(one.pid)
      expect(killed.stuck).toEqual([])
      expect((await one.exited).signal).toBe('SIGKILL')
      expect(processStartTicks(two.pid)).toBeDefined()
      expect(await two.stop('immediate')).toMatchObject({ signal: null })
    })
  },
)

/** Ids of the SysV segments that a process created (/proc/sysvipc/shm: the second column is the id, the fifth the creator). */
function segmentsOf(pid: number): readonly string[] {
  const rows = readFileSync('/proc/sysvipc/shm', 'utf8').trim().split('\n').slice(1)
  return rows.map((row) => row.trim().split(/\s+/)).flatMap((row) => (row[4] === String(pid) ? [row[1]!] : []))
}

function listen(host: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, host, () => resolve(server))
  })
}

async function freePort(): Promise<number> {
  const server = await listen('127.0.0.1')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function failureOf(work: Promise<unknown>): Promise<PostgresFailed> {
  return (await work.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error,
  )) as PostgresFailed
}

function report(what: string, startedAt: number): void {
  console.info(`${what}: ${(performance.now() - startedAt).toFixed(0)} ms`)
}

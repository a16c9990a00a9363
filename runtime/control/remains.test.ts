/**
 * What a killed process leaves behind, made for real: a server of a mount dies by SIGKILL while programs, and a whole
 * Postgres, work on it. That Postgres runs on a volume from memory at all is shown on the way.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findStaleMounts } from '../fuse/mount-table.ts'
import { compileMountMain, MountProcess, shell, whatPreventsMounts } from '../fuse/testing/mount-process.ts'
import type { Compiled } from '../object-store/testing/compile.ts'
import { locateBinaries } from '../postgres/binaries.ts'
import { type PostgresBinaries, prepareBinaries } from '../postgres/binary-tree.ts'
import { initializeCluster } from '../postgres/cluster.ts'
import { processStartTicks } from '../postgres/processes.ts'
import { startPostgres } from '../postgres/server.ts'
import { query } from '../postgres/sql.ts'
import { whatIsMissing } from '../postgres/testing.ts'
import { unprivilegedUser } from '../postgres/user.ts'
import { describeRemains, removeRemains } from './remains.ts'

const prevented = whatIsMissing() ?? (await whatPreventsMounts())
if (prevented !== undefined) console.info(`skipped: no volume with Postgres can be had here: ${prevented}`)

describe.skipIf(prevented !== undefined)(`remains${prevented ? ` (skipped: ${prevented})` : ''}`, () => {
  let root: string
  let compiled: Compiled
  let server: MountProcess | undefined
  let binaries: PostgresBinaries | undefined

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'loch-remains-'))
    chmodSync(root, 0o755)
    mkdirSync(join(root, 'volumes'))
    compiled = compileMountMain()
  })

  afterAll(async () => {
    await server?.kill()
    await removeRemains(root)
    expect(findStaleMounts(root)).toEqual([])
    await binaries?.dispose()
    compiled?.dispose()
    rmSync(root, { recursive: true, force: true })
  })

  test('of nothing are nothing', async () => {
    const remains = await removeRemains(join(root, 'volumes'))
    expect(remains).toEqual({ killed: [], unmounted: [], problems: [] })
    expect(describeRemains(remains)).toBeUndefined()
  })

  test('of a killed server are its mounts, which answer nobody until they are removed', async () => {
    const path = join(root, 'volumes/a b')
    const other = await MountProcess.start(compiled, join(root, 'elsewhere'))
    server = await MountProcess.start(compiled, path)
    expect((await shell(path, 'echo text > "$1/f"')).code).toBe(0)
    await server.kill()
    expect((await shell(path, 'LC_ALL=C cat "$1/f"')).stderr).toContain('endpoint is not connected')
    expect(findStaleMounts(join(root, 'volumes'))).toEqual([{ path, name: 'loch-test' }])

    const remains = await removeRemains(join(root, 'volumes'))
    expect(remains).toEqual({ killed: [], unmounted: [path], problems: [] })
    expect(describeRemains(remains)).toBe(`cleaned up after an earlier process: unmounted ${path}`)
    expect(findStaleMounts(join(root, 'volumes'))).toEqual([])
    // Nothing else was touched, and the place can be used again.
    expect((await shell(other.path, 'echo alive > "$1/f"; cat "$1/f"')).stdout).toBe('alive\n')
    await other.kill()
    server = await MountProcess.start(compiled, path)
    expect((await shell(path, 'ls "$1"')).stdout).toBe('')
    await server.kill()
    await removeRemains(root)
  })

  test('of a killed server under Postgres are the postmaster and its mount', async () => {
    const user = unprivilegedUser()
    const path = join(root, 'volumes/postgres')
    server = await MountProcess.start(compiled, path)
    binaries = await prepareBinaries({ source: locateBinaries(), directory: join(root, 'binaries'), user })
    const directory = join(path, 'data')
    expect((await shell(path, 'chmod 777 "$1"')).code).toBe(0)
    await initializeCluster({ binaries, user, directory, superuser: 'postgres', password: 'secret' })
    const socketDirectory = join(root, 'socket')
    const postgres = await startPostgres({
      binaries,
      user,
      directory,
      socketDirectory,
      listen: { host: '', port: 5432 },
      settings: { role: 'primary', sharedBuffersBytes: 16 * 1024 * 1024 },
      readyWithinMs: 30_000,
    })
    await postgres.ready
    const ask = (text: string) =>
      query({ host: socketDirectory, port: 5432, user: 'postgres', database: 'postgres' }, text)
    await ask('create table t as select generate_series(1, 10000) as id; checkpoint')
    expect((await ask('select sum(id) from t'))[0]?.rows).toEqual([['50005000']])

    // It may or may not notice that its volume is gone; stopped, it cannot end by itself and must be killed.
    process.kill(postgres.pid, 'SIGSTOP')
    await server.kill()
    expect(processStartTicks(postgres.pid)).toBeDefined()
    const remains = await removeRemains(join(root, 'volumes'))
    expect(remains).toMatchObject({ unmounted: [path], problems: [] })
    expect(remains.killed).toContain(postgres.pid)
    expect((await postgres.exited).signal).toBe('SIGKILL')
    expect(findStaleMounts(root)).toEqual([])
  })

  test('that cannot be removed are named', () => {
    const line = describeRemains({ killed: [7], unmounted: ['/m'], problems: ['/n: it is busy'] })
    expect(line).toBe('cleaned up after an earlier process: killed Postgres 7; unmounted /m; /n: it is busy')
  })
})

/**
 * What a newcomer does, in the order of the README: start, connect, look, ask, stop. Also that a stop leaves nothing
 * behind, and that the second start finds what the first one kept.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasMountsBelow } from '../postgres/mounts.ts'
import { withClient } from './ledger.ts'
import { LochProcess } from './loch-process.ts'
import { skipReason } from './skip.ts'

describe.skipIf(skipReason !== undefined)('a newcomer', () => {
  let loch: LochProcess
  let firstTerm = Number.POSITIVE_INFINITY

  beforeAll(async () => {
    loch = await LochProcess.create()
    await loch.start()
  })
  afterAll(() => loch.dispose())

  const runtimePath = () => join('/run/loch', loch.instance)

  test('gets one line that says where everything is', () => {
    expect(loch.ready).toMatchObject({ data: loch.data, pid: expect.any(Number) })
    expect(loch.ready?.url).toMatch(/^postgresql:\/\/postgres:[^@]{32}@127\.0\.0\.1:\d+\/postgres$/)
    expect(loch.ready?.nats).toMatch(/^nats:\/\//)
  })

  test('connects with the password, and with no other', async () => {
    const version = await withClient(loch.url, (client) => client.query<{ version: string }>('select version()'))
    expect(version.rows[0]?.version).toMatch(/^PostgreSQL 18\./)
    const wrong = loch.url.replace(/:[^:@]+@/, ':wrong@')
    await expect(withClient(wrong, (client) => client.query('select 1'))).rejects.toThrow(/password/)
    expect(statSync(join(loch.data, 'password')).mode & 0o777).toBe(0o600)
  })

  test('keeps rows, with checksums on and full-page writes off', async () => {
    await withClient(loch.url, async (client) => {
      await client.query('create table kept (n int primary key)')
      await client.query('insert into kept select generate_series(1, 10000)')
      const settings = await client.query(
        "select name, setting from pg_settings where name in ('data_checksums', 'full_page_writes', 'fsync') order by name",
      )
      expect(settings.rows.map(({ setting }) => setting)).toEqual(['on', 'on', 'off'])
    })
  })

  test('sees zones, computes, terms and positions', () => {
    const { zones } = loch.status()
    expect(zones.map(({ zone, state }) => [zone, state])).toEqual([
      ['zone-1', 'up'],
      ['zone-2', 'up'],
      ['zone-3', 'up'],
    ])
    const computes = zones.flatMap((zone) => zone.computes)
    expect(computes).toHaveLength(1)
    expect(computes[0]).toMatchObject({ role: 'primary', state: 'serving.active' })
    // Not always 1: on a loaded machine the first election may be held before a majority of the zones has opened.
    firstTerm = computes[0]!.term
    expect(firstTerm).toBeGreaterThan(0)
    const positions = computes[0]!.positions
    expect(positions.durable).toBeGreaterThan(0)
    expect(positions.durable).toBeLessThanOrEqual(positions.end)
    expect(positions.archived).toBeGreaterThanOrEqual(positions.durable)
  })

  test('asks SQL without psql, as a table and as JSON', () => {
    const table = loch.command('sql', '--data', loch.data, 'select count(*) as rows from kept')
    expect(table).toMatchObject({ status: 0, stderr: '' })
    expect(table.stdout).toContain('10000')
    const json = loch.command('sql', '--data', loch.data, '--json', 'select count(*) as rows from kept')
    expect(JSON.stringify(JSON.parse(json.stdout))).toContain('10000')
    expect(loch.command('sql', '--data', loch.data, 'select nonsense').status).toBe(1)
  })

  test('reads logs', () => {
    const logs = loch.command('logs', '--data', loch.data, '--zone', 'zone-1')
    expect(logs.status).toBe(0)
    expect(logs.stdout.length).toBeGreaterThan(0)
  })

  test('stops cleanly, and nothing is left running, mounted or lying about', async () => {
    // What is looked for must be found while it is there.
    const programs = [/up --data/, /zone-1\.json/, /zone-2\.json/, /zone-3\.json/, /port=/]
    if (loch.status().broker === 'nats-server') programs.push(/nats-server --config/)
    for (const program of programs) {
      expect(loch.processes().map(({ command }) => command)).toContainEqual(expect.stringMatching(program))
    }
    expect(hasMountsBelow(runtimePath())).toBe(true)
    await loch.stop()
    expect(loch.processes()).toEqual([])
    expect(hasMountsBelow(runtimePath())).toBe(false)
    expect(existsSync(runtimePath())).toBe(false)
    const left = readdirSync(join(loch.data, 'run')).filter((name) => !/^(owner\.\d+|zone-\d\.json)$/.test(name))
    expect(left).toEqual([])
  })

  test('which leaves nothing behind that the next start would have to fold: the last snapshot is recorded', () => {
    const logs = join(loch.data, 'logs')
    const complaints = readdirSync(logs).flatMap((name) =>
      readFileSync(join(logs, name), 'utf8')
        .split('\n')
        .filter((line) => line.includes('snapshot at') || line.includes('the last seal')),
    )
    expect(complaints).toEqual([])
  })

  test('starts again, and every row is there', async () => {
    await loch.start()
    const rows = await withClient(loch.url, (client) => client.query('select 1 from kept'))
    expect(rows.rowCount).toBe(10_000)
    expect(loch.status().zones.flatMap((zone) => zone.computes)[0]?.term).toBeGreaterThan(firstTerm)
  })
})

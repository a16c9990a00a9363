import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { encode } from '../../events/codec.ts'
import { RUN_LOG_FORMAT, type RunEvent, RunLogEncoder } from '../../events/run-log.ts'
import { memorySource } from '../replay/byte-source.ts'
import { RunLog } from '../replay/open-log.ts'
import { reExecute } from '../replay/re-execute.ts'
import { recordedRun, rewritten } from '../replay/testing.ts'
import { main } from './cli.ts'

const directory = mkdtempSync(join(tmpdir(), 'loch-replay-'))
afterAll(() => rmSync(directory, { recursive: true }))
const bytes = await recordedRun()
const file = join(directory, 'run.loch')
writeFileSync(file, bytes)

async function loch(...words: readonly string[]) {
  const [stdout, stderr, binary]: [string[], string[], Uint8Array[]] = [[], [], []]
  const code = await main(words, (json) => ({
    json,
    text: (text) => void stdout.push(text),
    line: (line) => void stdout.push(line),
    complain: (line) => void stderr.push(line),
    bytes: (chunk) => void binary.push(chunk),
  }))
  return { code, stdout, stderr: stderr.join('\n'), binary: Buffer.concat(binary) }
}

const replay = (...words: readonly string[]) => loch('replay', file, ...words)
async function sequences(...words: readonly string[]) {
  const { code, stdout } = await replay('--json', ...words)
  expect(code).toBe(0)
  return stdout.map((line) => (JSON.parse(line) as { sequence: number }).sequence)
}

describe('loch replay', () => {
  test('lists events in columns or as JSON', async () => {
    const { code, stdout } = await replay('--limit', '2')
    expect(code).toBe(0)
    expect(stdout).toHaveLength(3)
    expect(stdout[2]).toMatch(/^ {7}2 {2}12:00:00\.000 {2}timeline\.main@zone-1/)
    expect(await sequences()).toHaveLength(19)
    expect(await sequences('--at', '12:00:00.055', '--limit', '3')).toEqual([11, 12, 13])
    expect(await sequences('--at', '3', '--back')).toEqual([3, 2, 1])
    expect(await sequences('--type', 'StartTerm', '--back', '--limit', '1')).toEqual([18])
  })

  test('runs until a predicate holds, forth and back', async () => {
    expect(await sequences('--until', 'timeline.main.term > 1')).toEqual([16])
    expect(await sequences('--until', 'timeline.main.term < 2', '--back')).toEqual([15])
    const { code, stderr } = await replay('--until', 'timeline.main.term > 9')
    expect(code).toBe(1)
    expect(stderr).toContain('makes it true (timeline.main.term > 9)')
  })

  test('prints a field at every event, and watches one', async () => {
    const { stdout } = await replay('--print', 'timeline.main.durablePosition')
    expect(stdout).toHaveLength(19)
    expect(stdout[8]).toMatch(/Wake +-$/)
    expect(stdout[9]).toMatch(/progress +4096$/)
    const watched = await replay('--watch', 'timeline.main.term', '--json')
    expect(watched.stdout.map((line) => JSON.parse(line) as object)).toMatchObject([
      { value: 0 },
      { value: 1 },
      { value: 2 },
    ])
    expect((await replay('--print', 'timeline.main.nonsense')).stderr).toContain('never has a value')
  })

  test('shows states and differences', async () => {
    const { stdout } = await replay('--at', '11', '--state', 'timeline.main')
    expect(stdout).toContain('  context.remembered.term: 1')
    const found = await replay('--diff', '10..16', '--json')
    expect(found.stdout.map((line) => JSON.parse(line) as object)).toContainEqual({
      path: 'timeline.main.context.remembered.term',
      before: 0,
      after: 2,
    })
    expect(await replay('--diff', '10')).toMatchObject({ code: 2, stderr: expect.stringContaining('two places') })
    expect((await replay('--state', 'timeline.x')).stderr).toContain('Actors of this log: compute.main-zone-1')
  })

  test('shows causes, effects, microsteps, queries and diagrams', async () => {
    expect(await sequences('--why', '16')).toEqual([14, 16])
    expect(await sequences('--effects', '14')).toEqual([14, 15, 16])
    expect(await sequences('--query', 'type = StartTerm preceded by type = Delete')).toEqual([18])
    expect((await replay('--query', 'type = Wake preceded by type = Delete')).code).toBe(1)
    const { stdout } = await replay('--at', '6', '--microsteps')
    expect(stdout.join('\n')).toMatch(/2 {2}TimelineCreated\n.*state: creating → active/)
    expect((await replay('--diagram', 'mermaid')).stdout[0]).toContain('sequenceDiagram')
    expect((await replay('--diagram', 'text', '--limit', '1')).stdout[0]).toContain('●')
    const forth = await replay('--diagram', 'mermaid', '--at', 'last')
    const back = await replay('--diagram', 'mermaid', '--at', 'last', '--back')
    expect(back.stdout[0]!.length).toBeGreaterThan(forth.stdout[0]!.length)
    expect(back.stdout).toEqual((await replay('--diagram', 'mermaid')).stdout)
    const asJson = await replay('--diagram', 'mermaid', '--json')
    expect(JSON.parse(asJson.stdout[0]!)).toEqual({ diagram: back.stdout[0] })
  })

  test('what is not there is exit code 1, and what there is is named', async () => {
    const missing = async (...words: readonly string[]) => {
      const { code, stdout, stderr } = await replay(...words)
      expect({ code, stdout }, words.join(' ')).toEqual({ code: 1, stdout: [] })
      return stderr
    }
    for (const words of [['--at'], ['--why'], ['--effects']])
      expect(await missing(...words, '999')).toContain('(999). The log holds the events 1 to 19.')
    expect(await missing('--diff', '5..no-such-id')).toContain('no event has this sequence, time or id')
    expect(await missing('--type', 'Nope')).toMatch(/\(--type Nope\)\. Types are .*StartTerm/)
    expect(await missing('--actor', 'timelne.main')).toContain('endpoint.main, timeline.main')
    expect(await missing('--from', '+5s', '--to', '+1s')).toContain('there is no such event')
    expect(await missing('--print', 'type', '--term', '77')).toContain('there is no such event')
    expect(await missing('--watch', 'timeline.main.typo')).toContain('no event from here on changes it')
    expect(await missing('--diff', '5..6', '--actor', 'nobody')).toContain('no such actor')
    expect(await replay('--print', 'timeline.main.nonsense', '--limit', '1')).toMatchObject({ code: 1 })
  })

  test.each([
    [['--watch', 'term', '--print', 'type'], '--watch --print'],
    [['--re-execute', '--why', '5'], '--why --re-execute'],
    [['--html', 'x', '--diagram', 'text'], '--diagram --html'],
    [['--query', 'type = A preceded by type = B', '--at', '5'], '--query --at'],
    [['--query', 'type = A preceded by type = B', '--back'], '--query --back'],
    [['--why', '5', '--actor', 'x'], '--why --actor'],
    [['--diff', '1..2', '--limit', '5'], '--diff --limit'],
    [['--re-execute', '--where', 'term = 1'], '--re-execute --where'],
  ])('%j is refused, since one of it would not be heeded', async (words, value) => {
    expect(await replay(...words)).toMatchObject({ code: 2, stdout: [], stderr: expect.stringContaining(`(${value})`) })
  })

  test('differences are of the actors that were asked for', async () => {
    const { stdout } = await replay('--diff', '1..19', '--actor', 'timeline')
    expect(stdout.length).toBeGreaterThan(0)
    for (const line of stdout) expect(line).toMatch(/^timeline\.main/)
  })

  test('never writes its page over the log', async () => {
    const link = join(directory, 'link.loch')
    symlinkSync(file, link)
    for (const path of [file, link])
      expect(await replay('--html', path)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('this is the log itself'),
      })
    expect(readFileSync(file).equals(bytes)).toBe(true)
  })

  test('damage is told of before what was not found, which may be among what is lost', async () => {
    const gap = join(directory, 'gap.loch')
    const { offset } = new RunLog(memorySource(bytes)).table
    writeFileSync(gap, Buffer.concat([bytes.subarray(0, offset[13]), bytes.subarray(offset[14])]))
    const { code, stderr } = await loch('replay', gap, '--query', 'type = Start not preceded by type = Wake')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^run log: before byte \d+ event 14 is missing.*\nerror: replay: this is true of no event/s)
    const why = await loch('replay', gap, '--why', '16', '--json')
    expect(why.stdout.map((line) => JSON.parse(line) as object)).toMatchObject([
      { missing: expect.any(String) },
      { sequence: 16 },
      { error: { tag: 'Damaged' } },
    ])
  })

  test('says how much it leaves out where nobody asked for a limit, and nothing where somebody did', async () => {
    const many = join(directory, 'many.loch')
    const chunks: Uint8Array[] = []
    const encoder = new RunLogEncoder({ kind: 'production', startedAt: 0 }, (chunk) => chunks.push(chunk))
    const cause = { kind: 'note', source: 'client-1', at: 0 } as const
    encoder.event({ ...cause, type: 'began', id: 'first', payload: { count: 0 } })
    for (let count = 1; count <= 130; count++) {
      encoder.event({ ...cause, type: 'sent', id: `${count}`, causationId: 'first', payload: { count } })
    }
    writeFileSync(many, Buffer.concat(chunks))
    const ask = async (...words: readonly string[]) => {
      const { code, stdout, stderr } = await loch('replay', many, ...words)
      expect(code).toBe(0)
      return { lines: stdout.length, stderr }
    }
    const more = (count: number) => `… ${count} more, --limit shows them`
    expect(await ask()).toEqual({ lines: 1 + 100, stderr: more(31) })
    expect(await ask('--json')).toEqual({ lines: 100, stderr: more(31) })
    expect(await ask('--watch', 'payload.count')).toEqual({ lines: 100, stderr: more(30) })
    expect(await ask('--query', 'type = sent preceded by type = began')).toEqual({ lines: 100, stderr: more(30) })
    expect(await ask('--effects', 'first')).toEqual({ lines: 1 + 100, stderr: more(30) })
    expect(await ask('--diagram', 'text')).toMatchObject({ stderr: more(31) })
    expect(await ask('--limit', '7')).toEqual({ lines: 1 + 7, stderr: '' })
    expect(await ask('--limit', '200', '--effects', 'first')).toEqual({ lines: 131, stderr: '' })
    expect(await ask('--until', 'type = sent')).toEqual({ lines: 2, stderr: '' })
    expect(await ask('--print', 'payload.count')).toEqual({ lines: 131, stderr: '' })
  })

  test('re-executes: 1 if nothing could be decided again', async () => {
    const unknown = join(directory, 'unknown.loch')
    writeFileSync(
      unknown,
      rewritten(bytes, (event) => ({ ...event, source: event.source.replace(/^\w+\./, 'elsewhere.') })),
    )
    const { code, stdout, stderr } = await loch('replay', unknown, '--re-execute')
    expect({ code, stdout }).toEqual({ code: 1, stdout: ['0 inputs were decided again, 11 could not be.'] })
    expect(stderr).toContain('nothing was decided again')
    const asJson = await loch('replay', unknown, '--re-execute', '--json')
    expect({ code: asJson.code, ...(JSON.parse(asJson.stdout[0]!) as object) }).toMatchObject({ code: 1, skipped: 11 })
  })

  test('re-executes: what could not be decided is not said to have come out as recorded', async () => {
    const partly = join(directory, 'partly.loch')
    const change = (event: RunEvent) => ({ ...event, source: event.source.replace('zone.zone-1', 'elsewhere.zone-1') })
    writeFileSync(partly, rewritten(bytes, change))
    const { code, stdout } = await loch('replay', partly, '--re-execute')
    expect(code).toBe(0)
    expect(stdout.at(-1)).toBe('What was decided came out as it was recorded.')
  })

  test('re-executes: 0 if all comes out as recorded', async () => {
    expect(await replay('--re-execute')).toMatchObject({
      code: 0,
      stdout: ['11 inputs were decided again.', 'Everything came out as it was recorded.'],
    })
  })

  test('re-executes: 1, and what differs field by field, if something comes out otherwise', async () => {
    const other = join(directory, 'other.loch')
    const change = (event: RunEvent) =>
      event.sequence === 18 ? { ...event, outcome: 'taken' as const, reason: '' } : event
    writeFileSync(other, rewritten(bytes, change))
    const { code, stdout, stderr } = await loch('replay', other, '--re-execute')
    expect(code).toBe(1)
    expect(stdout.slice(1)).toEqual([
      'Event 18, StartTerm at timeline.main@zone-1, comes out differently (recorded → now):',
      '  outcome: taken → refused',
      '  reason:  → the timeline is being deleted',
    ])
    expect(stderr).toContain('diverges from the log at event 18')
    expect(stderr).toContain('--at 18 --microsteps')
    const asJson = await loch('replay', other, '--re-execute', '--json')
    expect({ code: asJson.code, ...(JSON.parse(asJson.stdout[0]!) as object) }).toMatchObject({
      code: 1,
      divergence: { sequence: 18, differences: [{ path: 'outcome', before: 'taken', after: 'refused' }, {}] },
    })
  })

  test('writes a page', async () => {
    const path = join(directory, 'page.html')
    expect(await replay('--html', path)).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(path, 'utf8')).toContain('<title>Loch simulation, seed 17</title>')
    expect(await replay('--html', path, '--actor', 'timeline.main', '--type', 'StartTerm')).toMatchObject({ code: 0 })
    const filtered = readFileSync(path, 'utf8')
    expect(filtered).toContain('zone-1/timeline.main')
    expect(filtered).not.toContain('zone-1/endpoint.main')
    expect(await replay('--html', '/no/such/file')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--html: it cannot be written (ENOENT)'),
    })
  })

  test('says where a predicate does not parse', async () => {
    const { code, stderr } = await replay('--until', 'type = ')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: --until: column 8: something is missing at the end/)
  })

  test('shows what can be read of a log that breaks off, and then the error', async () => {
    const torn = join(directory, 'torn.loch')
    writeFileSync(torn, bytes.subarray(0, bytes.length - 3))
    const { code, stdout, stderr } = await loch('replay', torn)
    expect(stdout).toHaveLength(19)
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/breaks off. 18 events can be read/),
    })
  })

  test('shows what can be read around damage, and then where it is', async () => {
    const damaged = join(directory, 'damaged.loch')
    const copy = Buffer.from(bytes)
    const at = new RunLog(memorySource(bytes)).table.offset[10]!
    copy[at + 60] = copy[at + 60]! ^ 0x41
    writeFileSync(damaged, copy)
    const { code, stdout, stderr } = await loch('replay', damaged)
    const sequences = stdout.slice(1).map((line) => Number(line.trim().split(' ')[0]))
    expect(sequences).toEqual(Array.from({ length: 19 }, (_, at) => at + 1).filter((sequence) => sequence !== 11))
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(`bytes ${at} to `) })
  })

  test('refuses a newer version, and says what wrote it', async () => {
    const newer = join(directory, 'newer.loch')
    const body = Buffer.from(encode({ format: RUN_LOG_FORMAT, version: 9, kind: 'production', startedAt: 0 }))
    const record = Buffer.alloc(9 + body.length)
    record.writeUInt32LE(1 + body.length, 0)
    body.copy(record, 9)
    record.writeUInt32LE(crc32(record.subarray(8)), 4)
    writeFileSync(newer, record)
    expect(await loch('replay', newer)).toMatchObject({
      code: 1,
      stdout: [],
      stderr: expect.stringMatching(/version 9 \(a production of 1970.*Open it with the version of Loch that wrote it/),
    })
  })

  test('answers a missing file, and a file of something else', async () => {
    expect((await loch('replay')).code).toBe(2)
    expect((await loch('replay', join(directory, 'none'))).stderr).toContain('it cannot be read')
    const other = join(directory, 'other')
    writeFileSync(other, 'text')
    expect((await loch('replay', other)).stderr).toContain('this is not a run log')
  })
})

describe('loch log export', () => {
  const data = join(directory, 'data')
  const segment = (zone: string, process: string) => {
    const folder = join(data, 'zones', zone, 'recordings', process)
    mkdirSync(folder, { recursive: true })
    return join(folder, 'run-000001769860800000.loch')
  }

  test('says so if nothing is recorded, or the words are wrong', async () => {
    expect(await loch('log', 'export', '--data', data)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing is recorded'),
    })
    expect((await loch('log')).code).toBe(2)
    expect((await loch('log', 'export', '--since', 'yesterday', '--data', data)).stderr).toContain(
      'neither a time nor a duration',
    )
  })

  test('merges what all processes recorded by time, also of one that was killed while it wrote', async () => {
    writeFileSync(segment('zone-1', 'zone'), bytes)
    writeFileSync(segment('zone-2', 'zone'), bytes.subarray(0, bytes.length - 3))
    const { code, binary, stderr } = await loch('log', 'export', '--data', data)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const log = new RunLog(memorySource(binary))
    expect(log.problem).toBeUndefined()
    expect(log.length).toBe(19 + 18)
    expect(Array.from(log.table.at.subarray(0, log.length))).toEqual(
      [...log.table.at.subarray(0, log.length)].sort((a, b) => a - b),
    )
  })

  test('what is exported from some time on can be decided again', async () => {
    rmSync(join(data, 'zones', 'zone-2'), { recursive: true })
    const { binary } = await loch('log', 'export', '--data', data, '--since', '2026-01-31T12:00:00.055Z')
    const log = new RunLog(memorySource(binary))
    expect(log.event(0)).toMatchObject({ sequence: 1, type: 'StartTerm' })
    expect(reExecute(log)).toEqual({ executed: 6, skipped: 0, divergence: undefined })
    const { stdout } = await loch('log', 'export', '--data', data, '--json')
    expect(JSON.parse(stdout[0]!)).toMatchObject({ sequence: 1, kind: 'began' })
  })
})

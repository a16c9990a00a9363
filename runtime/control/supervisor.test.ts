import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EndpointId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { type DataDirectory, openDataDirectory } from '../data-directory.ts'
import { Supervisor } from './supervisor.ts'

/** Behaves as its configuration's project says; writes what happens to it, in order, to a file all zones share. */
const FAKE_ZONE = `
import { appendFileSync, readFileSync } from 'node:fs'
const { zone, data, project } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const note = (what) => appendFileSync(data + '/history', zone + ' ' + what + '\\n')
const slowly = (work) => zone === 'zone-1' ? setTimeout(work, 150) : work()
process.on('disconnect', () => process.exit(1))
process.on('message', ({ type }) => {
  if (type === 'stop') slowly(() => { note('stopped'); process.send({ type: 'stopped' }) })
  else { note('exit'); process.exit(0) }
})
const error = { tag: 'StoreRefused', component: 'object store', value: 'bucket', problem: 'no access', remedy: 'Grant it.' }
if (project === 'hopeless') process.send({ type: 'failed', error, fatal: true })
else if (project === 'crashing' && zone !== 'zone-1') process.exit(9)
else {
  process.send({ type: 'ready' })
  process.send({ type: 'progress', step: 'open', elapsedMs: 1 })
  if (zone === 'zone-2') process.send({ type: 'serving', compute: 'main-1', term: 1 })
}
`

let root: string
let directory: DataDirectory
let supervisor: Supervisor | undefined
let reports: string[]
let steps: string[]

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'loch-supervisor-'))
  writeFileSync(join(root, 'zone.mjs'), FAKE_ZONE)
  directory = openDataDirectory(join(root, 'data'), join(root, 'run'))
  reports = []
  steps = []
})
afterEach(async () => {
  for (const zone of supervisor?.zones ?? []) await zone.end(0)
  rmSync(root, { recursive: true, force: true })
})

function start(project: string): Supervisor {
  supervisor = new Supervisor({
    directory,
    zoneModule: join(root, 'zone.mjs'),
    config: {
      project: ProjectId.make(project),
      zones: ['zone-1', 'zone-2', 'zone-3'].map((zone) => ZoneId.make(zone)),
      timeline: TimelineId.make('main'),
      endpoint: EndpointId.make('main'),
      durability: 'archived',
      natsUrl: 'nats://127.0.0.1:1',
      objectStore: 'file:///nowhere',
      data: directory.path,
      logDirectory: directory.paths.logs,
      passwordFile: directory.paths.password,
      cacheBytes: 0,
      listen: { host: '127.0.0.1', port: 1 },
      instance: directory.instance,
    },
    report: (line) => reports.push(line),
    onProgress: (zone, step) => steps.push(`${zone} ${step}`),
  })
  supervisor.start()
  return supervisor
}

describe('the supervisor', () => {
  it('waits until a compute serves in any zone, and passes progress on', async () => {
    await start('main').serving
    expect(steps).toContain('zone-2 open')
  })

  it('lets no zone exit before the computes of all zones have stopped', async () => {
    const { serving } = start('main')
    await serving
    await supervisor!.stop()
    const history = readFileSync(join(directory.path, 'history'), 'utf8').trim().split('\n')
    expect(history).toHaveLength(6)
    // zone-1 takes its time, and its last checkpoint needs the others' safekeepers.
    expect(history.slice(0, 3).sort()).toEqual(['zone-1 stopped', 'zone-2 stopped', 'zone-3 stopped'])
    expect(supervisor!.zones.map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped'])
    expect(reports).toEqual([])
  })

  it('gives up with the very error that a zone calls fatal', async () => {
    await expect(start('hopeless').serving).rejects.toMatchObject({ _tag: 'StoreRefused', remedy: 'Grant it.' })
  })

  it('gives up when most zones end again and again', async () => {
    await expect(start('crashing').serving).rejects.toMatchObject({ problem: expect.stringContaining('exit code 9') })
    expect(supervisor!.zones[0]?.state).toBe('up')
  })
})

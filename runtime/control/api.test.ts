import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Fiber from 'effect/Fiber'
import * as Scope from 'effect/Scope'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { decode, encode } from '../../events/codec.ts'
import { decodeEnvelope, encodeEnvelope, isFault, wrap } from '../../events/envelope.ts'
import { connectBus, type NatsBus } from '../bus/nats.ts'
import { openBroker } from '../bus/spawn.ts'
import { dataPaths } from '../data-directory.ts'
import type { LochError } from '../errors.ts'
import { openObjectStore } from '../object-store/open.ts'
import { actorSubject } from '../system/ports.ts'
import { ensureProject } from '../zone/bootstrap.ts'
import { type ControlService, type Handlers, serveControl } from './api.ts'
import { connectLoch, type LochClient } from './client.ts'
import { encodeAs, encodingOf } from './encoding.ts'
import { controlHandlers } from './handlers.ts'
import { hearRival, refuseRival } from './rival.ts'
import { controlSubject, type EndpointName, endpoints, type ZoneReport, zoneStatusSubject } from './schemas.ts'

let scope: Scope.Closeable
let root: string
let bus: NatsBus
let client: LochClient
let stopRequests: number
let handlers: Handlers
let service: ControlService

const report: ZoneReport = {
  zone: 'zone-1',
  pid: process.pid,
  leader: true,
  memoryBytes: 1,
  safekeepers: [{ timeline: 'main', state: 'following', term: 2, flushed: 20, archived: 10 }],
  computes: [
    {
      id: 'main-1',
      endpoint: 'main',
      timeline: 'main',
      role: 'primary',
      state: 'serving.active',
      term: 2,
      durability: 'archived',
      pid: process.pid,
      listen: '127.0.0.1:1',
      positions: { end: 30, durable: 20, archived: 20 },
    },
  ],
}

function use<A>(effect: Effect.Effect<A, LochError, Scope.Scope>): Promise<A> {
  return Effect.runPromise(Effect.provideService(effect, Scope.Scope, scope))
}

beforeEach(async () => {
  scope = Effect.runSync(Scope.make())
  root = mkdtempSync(join(tmpdir(), 'loch-api-'))
  stopRequests = 0
  const paths = dataPaths(root)
  mkdirSync(paths.logs)
  const broker = await use(openBroker({ prefer: 'embedded' }))
  bus = await use(connectBus(broker.url, { name: 'test' }))
  const store = await use(openObjectStore(pathToFileURL(paths.objects).href))
  await use(ensureProject(store, { project: 'main', zones: 2, durability: undefined, listen: '127.0.0.1:1' }))
  const process_ = (zone: string) => ({ zone, pid: process.pid, state: 'up' as const, restarts: 0, problem: undefined })
  handlers = controlHandlers({
    bus,
    store,
    directory: { path: root, instance: '01234567', paths },
    project: 'main',
    endpoint: 'main',
    version: '1.2.3',
    listen: '127.0.0.1:1',
    broker: () => 'embedded' as const,
    zones: [process_('zone-1'), process_('zone-2')],
    requestStop: () => {
      stopRequests += 1
    },
  })
  service = await serveControl(bus, handlers, { project: 'main', version: '1.2.3', instance: '01234567', report: fail })
  // zone-1 answers as a zone does; zone-2 has a process, and says nothing.
  bus.subscribe(zoneStatusSubject('main', 'zone-1'), (message) =>
    message.respond(encodeAs(encodingOf(message.data), report)),
  )
  bus.subscribe(zoneStatusSubject('main', 'zone-2'), () => {})
  await use(bus.flush())
  client = await connectLoch({ nats: broker.url })
})
afterEach(async () => {
  await client.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  rmSync(root, { recursive: true, force: true })
})

function fail(line: string): never {
  throw new Error(`the service reported a defect: ${line}`)
}

async function ask(endpoint: EndpointName, data: Uint8Array): Promise<Uint8Array> {
  return (await use(bus.request(controlSubject('main', endpoint), data, { timeoutMs: 5_000 }))).data
}

const asJson = (data: Uint8Array): unknown => JSON.parse(Buffer.from(data).toString())

describe('the control API', () => {
  it('answers JSON to JSON and to nothing, and MessagePack to MessagePack', async () => {
    const expected = [{ journal: 'projects/main/journal', actor: 'project.main' }]
    expect(asJson(await ask('journals.list', Buffer.from(' {}')))).toEqual({ journals: expected })
    expect(asJson(await ask('journals.list', new Uint8Array()))).toEqual({ journals: expected })
    expect(decode(await ask('journals.list', encode({})))).toEqual({ journals: expected })
  })

  it('shows the zones, and one that does not answer as down', async () => {
    const status = await client.status()
    expect(status).toMatchObject({ project: 'main', instance: '01234567', pid: process.pid, version: '1.2.3' })
    expect(status.zones).toEqual([
      { state: 'up', restarts: 0, ...report },
      expect.objectContaining({ zone: 'zone-2', state: 'down', computes: [] }),
    ])
    expect(status.zones[1]?.problem).toContain('no answer')
  })

  it('lists the computes of an endpoint with their zones', async () => {
    expect((await client.computes.status({ endpoint: 'main' })).computes).toMatchObject([
      { id: 'main-1', zone: 'zone-1' },
    ])
    expect((await client.computes.status({ endpoint: 'other' })).computes).toEqual([])
  })

  it('reads a journal from any sequence on, page by page', async () => {
    const first = await client.journals.read({ journal: 'projects/main/journal', limit: 2 })
    expect(first.events.map(({ type }) => type)).toEqual(['ProjectCreated', 'BranchCreated'])
    expect(first.more).toBe(true)
    const rest = await client.journals.read({ journal: 'projects/main/journal', after: 2 })
    expect(rest).toMatchObject({ more: false, events: [{ sequence: 3, type: 'EndpointCreated' }] })
  })

  it('passes orders on to the endpoint’s actor, and its answers back', async () => {
    const heard: string[] = []
    const actor = 'endpoint.main'
    bus.subscribe(actorSubject('main', actor), (message) => {
      const envelope = decodeEnvelope(message.data)
      if (isFault(envelope)) throw new Error(envelope.problem)
      heard.push(envelope.type)
      const told = { component: actor, value: 'Suspend', problem: 'not now', remedy: 'Wait.' }
      const answer =
        envelope.type === 'Wake'
          ? { type: 'Done', at: 0, state: 'waking', sequence: 4, note: '' }
          : { type: 'Refusal', at: 0, tag: 'Refused', ...told }
      message.respond(encodeEnvelope(wrap(answer, { id: 'x', actor, sequence: 0, term: 0 }, envelope)))
    })
    expect(await client.computes.start()).toEqual({ endpoint: 'main', state: 'waking', note: '' })
    await expect(client.computes.stop()).rejects.toMatchObject({ _tag: 'Refused', problem: 'not now', remedy: 'Wait.' })
    expect(heard).toEqual(['Wake', 'Suspend'])
  })

  it('says at once that nobody hosts an endpoint', async () => {
    await expect(client.computes.start({ endpoint: 'ghost' })).rejects.toMatchObject({ _tag: 'NoAnswer' })
  })

  it('tails a log and goes on where the cursor stands', async () => {
    const log = join(root, 'logs', 'zone-1.log')
    writeFileSync(log, 'one\ntwo\nthree\n')
    const tail = await client.logs.tail({ log: 'zone-1', lines: 2 })
    expect(tail.lines).toEqual(['two', 'three'])
    writeFileSync(log, 'four\nfi', { flag: 'a' })
    expect((await client.logs.tail({ log: 'zone-1', cursor: tail.cursor })).lines).toEqual(['four'])
    await expect(client.logs.tail({ log: '../password' })).rejects.toMatchObject({ _tag: 'BadArgument' })
    await expect(client.logs.tail({ log: 'zone-9' })).rejects.toMatchObject({
      remedy: expect.stringContaining('zone-1'),
    })
  })

  it('answers before it stops', async () => {
    expect(await client.stop()).toEqual({ stopping: true, pid: process.pid })
    expect(stopRequests).toBe(1)
  })

  it.each([
    ['a misspelt field', Buffer.from('{"endpont":"main"}')],
    ['broken JSON', Buffer.from('{"endpoint":')],
    ['no map', encode([1])],
  ])('refuses %s with an error that names the endpoint’s schema or form', async (_, data) => {
    const answer = await ask('computes.start', data)
    const value = encodingOf(data) === 'json' ? asJson(answer) : decode(answer)
    expect(value).toMatchObject({ error: { tag: 'BadArgument', remedy: expect.stringMatching(/./) as string } })
  })

  it('is discovered with subjects and schemas', async () => {
    const { data } = await use(bus.request('$SRV.INFO.loch', new Uint8Array(), { timeoutMs: 5_000 }))
    const info = asJson(data) as { endpoints: { subject: string; metadata: Record<string, string> }[] }
    const subjects = Object.keys(endpoints).map((name) => controlSubject('main', name as EndpointName))
    expect(info.endpoints.map(({ subject }) => subject).sort()).toEqual(subjects.sort())
    const read = info.endpoints.find(({ subject }) => subject.endsWith('journals.read'))
    expect(JSON.parse(read!.metadata['request']!)).toMatchObject({ type: 'object', required: ['journal'] })
  })

  it('lets no second instance serve the same project on the same NATS, whatever it calls itself', async () => {
    await use(refuseRival(bus, 'another-project'))
    await expect(use(refuseRival(bus, 'main'))).rejects.toMatchObject({ component: '--nats' })
  })

  it('hears of an instance that came in the same moment, and not of itself or of other projects', async () => {
    const serve = (project: string) =>
      serveControl(bus, handlers, { project, version: '1.2.3', instance: '01234567', report: fail })
    const [other, own] = [await serve('other'), await serve('lonely')]
    const lonely = vi.fn()
    const fiber = Effect.runFork(Effect.catch(hearRival(bus, 'lonely', own.id), () => Effect.sync(lonely)))
    // One connection, so these answers come after those.
    expect(await servicesHeard()).toEqual(expect.arrayContaining([service.id, other.id, own.id]))
    expect(lonely).not.toHaveBeenCalled()
    await Effect.runPromise(Fiber.interrupt(fiber))
    const rival = await serve('main')
    for (const { id } of [service, rival]) {
      await expect(use(hearRival(bus, 'main', id))).rejects.toMatchObject({ component: '--nats' })
    }
  })
})

/** Ids of all who answer within a round trip of one who comes last. */
async function servicesHeard(): Promise<readonly string[]> {
  const ids: string[] = []
  const { unsubscribe } = bus.subscribe('heard', ({ data }) => ids.push((asJson(data) as { id: string }).id))
  bus.publish('$SRV.PING.loch', new Uint8Array(), { reply: 'heard' })
  await vi.waitFor(() => expect(ids.length).toBeGreaterThanOrEqual(3))
  unsubscribe()
  return ids
}

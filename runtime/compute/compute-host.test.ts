/**
 * What may change while a compute is being started: its lease, its term, its order. The election is real; the volume and Postgres are
 * what a test makes of them.
 */
import { beforeEach, describe, expect, test } from 'vitest'
import { encodeEnvelope, wrap } from '../../events/envelope.ts'
import { type Term, TimelineId } from '../../events/identifiers.ts'
import { Fenced } from '../errors.ts'
import { refusalOf } from '../system/messages.ts'
import { actorSubject } from '../system/ports.ts'
import type { PostgresBody, VolumeBody } from './compute-body.ts'
import { ComputeHost } from './compute-host.ts'
import { type Disk, ReignWorld, settle, TIMELINE } from './testing.ts'

const timeline = TimelineId.make(TIMELINE)
const TERM = 1 as Term
const NEXT_TERM = 2 as Term
const empty: Disk = { term: 0, history: [], bytes: Buffer.alloc(0) }

interface Gate {
  readonly passed: Promise<void>
  open(): void
}

function gate(): Gate {
  let open = () => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open: () => open() }
}

/** It listens as soon as it is launched, and ends when it is killed. */
class FakePostgres implements PostgresBody {
  readonly pid = 1
  readonly ready = Promise.resolve()
  readonly #exit = gate()
  readonly exited = this.#exit.passed.then(() => ({ code: 0, reason: undefined }))
  isClosed = false

  followPassword = async () => {}
  closeClients = () => {
    this.isClosed = true
  }
  openClients = () => {
    this.isClosed = false
  }
  stop = async () => this.#exit.open()
  kill = async () => this.#exit.open()
}

class FakeVolume implements VolumeBody {
  readonly positions = { end: 0, durable: 0, archived: 0 }
  readonly server = new FakePostgres()
  /** Passed when `launch` is called, and waited for before it resolves. */
  readonly launching = gate()
  readonly launched = gate()
  isLeased = true
  quiet = false
  launches = 0

  createCluster = async () => {}
  killPostgres = async () => {}
  launch = async () => {
    this.launches++
    this.launching.open()
    await this.launched.passed
    return this.server
  }
  flush = async () => {}
  guard = async () => {}
  fail = () => {}
  detach = async () => {}
}

let world: ReignWorld
let volume: FakeVolume
let attaches: number
let host: ComputeHost

beforeEach(() => {
  world = new ReignWorld()
  volume = new FakeVolume()
  attaches = 0
  const attach = async () => {
    attaches++
    return volume
  }
  host = new ComputeHost('main-1', { ...world.ports, body: { attach }, progress: () => {}, serving: () => {} })
})

const scope = { tell: () => {}, cause: undefined } as unknown as Parameters<ComputeHost['perform']>[1]
const fence = () => host.perform({ type: 'fence', timeline, term: TERM, grant: world.grant(TERM) } as never, scope)
const attach = () => host.perform({ type: 'attach', timeline, term: TERM, grant: world.grant(TERM) } as never, scope)
const start = () => host.perform({ type: 'startPostgres', timeline, term: TERM } as never, scope)
const shutDown = () => host.perform({ type: 'shutDown', term: TERM, mode: 'fast' }, scope)

/** As far as Postgres has been ordered and is not there yet. */
async function startUntilLaunched() {
  world.open(empty, empty, empty)
  expect(await fence()).toMatchObject({ type: 'FenceGranted' })
  expect(await attach()).toMatchObject({ type: 'Attached' })
  const started = start()
  await volume.launching.passed
  return started
}

/** Whether it has resolved, once everything that was set in motion rests. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  void promise.then(() => {
    over = true
  })
  await settle()
  return over
}

describe('a lease that lapses while Postgres is being launched', () => {
  test('closes it before anybody is answered', async () => {
    const started = startUntilLaunched()
    await volume.launching.passed
    volume.isLeased = false
    volume.launched.open()
    expect(await started).toMatchObject({ type: 'PostgresReady' })
    expect(volume.server.isClosed).toBe(true)
  })

  test('and not one that is held', async () => {
    const started = startUntilLaunched()
    volume.launched.open()
    await started
    expect(volume.server.isClosed).toBe(false)
  })
})

describe('a deposition', () => {
  test('that comes while Postgres is being launched waits for its end', async () => {
    const started = startUntilLaunched()
    await volume.launching.passed
    const deposed = host.depose(NEXT_TERM)
    expect(await isOver(deposed)).toBe(false)
    volume.launched.open()
    await started
    expect(await isOver(deposed)).toBe(false)
    await volume.server.kill()
    await deposed
  })

  test('that came before keeps Postgres from being launched', async () => {
    world.open(empty, empty, empty)
    await fence()
    await attach()
    await host.depose(NEXT_TERM)
    volume.launched.open()
    expect(await start()).toBe(undefined)
    expect(volume.launches).toBe(0)
  })
})

test('an election that comes after the shutdown leaves nothing to attach to', async () => {
  world.open(empty, empty, empty)
  const elected = fence()
  expect(await shutDown()).toMatchObject({ type: 'Stopped' })
  expect(await elected).toBe(undefined)
  expect(await attach()).toMatchObject({ type: 'AttachFailed' })
  expect(attaches).toBe(0)
})

test('a reign that hears from the timeline of a higher one is over, though nothing has fenced it yet', async () => {
  world.open(empty, empty, empty)
  const actor = `timeline.${TIMELINE}`
  const higher = new Fenced({ component: actor, value: 'RecordTermBegan', problem: 'a higher term', remedy: 'None.' })
  const refusal = encodeEnvelope(wrap(refusalOf(higher, 0), { id: 'r', actor, sequence: 0, term: 2 }))
  world.bus.subscribe(actorSubject(world.ports.project, actor), ({ data, respond }) => {
    const isBegin = Buffer.from(data).includes('RecordTermBegan')
    respond(isBegin ? refusal : encodeEnvelope(wrap({ type: 'Done', at: 0 }, { id: 'd', actor, sequence: 0, term: 2 })))
  })
  const told: unknown[] = []
  const telling = { ...scope, tell: (event: unknown) => void told.push(event) }
  await fence()
  await host.perform({ type: 'attach', timeline, term: TERM, grant: world.grant(TERM) } as never, telling)
  await settle()
  expect(told).toMatchObject([{ type: 'AppendRejected', term: TERM }])
})

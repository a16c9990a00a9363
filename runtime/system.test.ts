import * as Effect from 'effect/Effect'
import { describe, expect, test, vi } from 'vitest'
import { compute } from '../actors/compute/machine.ts'
import { endpoint } from '../actors/endpoint/machine.ts'
import { timeline } from '../actors/timeline/machine.ts'
import { type ActorEvent, decodeEnvelope, type Envelope, encodeEnvelope, isFault, wrap } from '../events/envelope.ts'
import type { ComputeId, EndpointId, Position, ProjectId, Term, TimelineId, ZoneId } from '../events/identifiers.ts'
import { TestWorld } from './system/testing.ts'
import { actorSubject, QUEUE_LENGTH_MAX, type System } from './system.ts'

const zones = ['zone-1', 'zone-2', 'zone-3'] as ZoneId[]
const create = {
  type: 'Create' as const,
  at: 0,
  timeline: 'main' as TimelineId,
  project: 'p' as ProjectId,
  zones,
  durability: 'archived' as const,
}
const startTerm = { type: 'StartTerm' as const, at: 0, compute: 'c1' as ComputeId, zone: zones[0]! }

const hostTimeline = (system: System) => Effect.runPromise(system.host(timeline, 'main', undefined, () => {}))

function envelopes(world: TestWorld, subject: string): Envelope[] {
  const found = world.published.filter((message) => message.subject === subject).map(({ data }) => decodeEnvelope(data))
  return found.filter((envelope) => !isFault(envelope)) as Envelope[]
}

describe('the loop', () => {
  test('answers only after the facts are in the journal', async () => {
    const world = new TestWorld()
    const actor = await hostTimeline(world.system())
    await actor.ask(create)
    const answer = await actor.ask(startTerm)
    expect(answer).toMatchObject({ type: 'TermGranted', payload: { term: 1 } })
    expect([...world.store.objects.keys()]).toEqual([
      'timelines/main/journal/000000000001',
      'timelines/main/journal/000000000002',
    ])
  })

  test('answers with the error and keeps its state while the store is down, and goes on afterwards', async () => {
    const world = new TestWorld()
    const actor = await hostTimeline(world.system())
    await actor.ask(create)
    world.store.down = true
    expect(await actor.ask(startTerm)).toMatchObject({ type: 'Refusal', payload: { tag: 'StoreUnavailable' } })
    expect(actor.inspect()).toMatchObject({ state: 'active', term: 0 })
    world.store.down = false
    expect(await actor.ask(startTerm)).toMatchObject({ type: 'TermGranted', payload: { term: 1 } })
  })

  test('lets two hosts at once grant every term once', async () => {
    const world = new TestWorld()
    const first = await hostTimeline(world.system('a'))
    await first.ask(create)
    const second = await hostTimeline(world.system('b'))
    const asked = Array.from({ length: 20 }, (_, at) => (at % 2 ? first : second).ask(startTerm))
    const terms = (await Promise.all(asked)).map((answer) => answer.payload['term'])
    expect([...terms].sort((left, right) => Number(left) - Number(right))).toEqual(terms.map((_, at) => at + 1))
  })

  test('turns nothing down by facts that another host has overtaken', async () => {
    const world = new TestWorld()
    const first = await hostTimeline(world.system('a'))
    await first.ask(create)
    const second = await hostTimeline(world.system('b'))
    await first.ask(startTerm)
    const began = { type: 'RecordTermBegan' as const, at: 0, term: 1 as Term, position: 0 as Position, chain: 0 }
    expect(await second.ask(began)).toMatchObject({ type: 'Done' })
    // The first has not read of it, and must not record it twice.
    expect(await first.ask(began)).toMatchObject({ type: 'Done', payload: { note: 'the begin of this term is known' } })
    expect(await first.ask({ ...began, term: 7 as Term })).toMatchObject({ type: 'Refusal' })
  })

  test('looks once for newer facts, whatever number of messages waits to be turned down', async () => {
    const world = new TestWorld()
    const actor = await hostTimeline(world.system())
    await actor.ask(create)
    const before = world.store.requests.list
    const early = { type: 'RecordTermBegan' as const, at: 0, term: 1 as Term, position: 0 as Position, chain: 0 }
    const answers = await Promise.all(Array.from({ length: 20 }, () => actor.ask(early)))
    expect(new Set(answers.map(({ type }) => type))).toEqual(new Set(['Refusal']))
    expect(world.store.requests.list - before).toBe(1)
    await actor.ask(early)
    expect(world.store.requests.list - before).toBe(2)
  })

  test('folds the journal when hosting begins, snapshot or not', async () => {
    const world = new TestWorld()
    const before = world.system('a')
    const actor = await hostTimeline(before)
    await actor.ask(create)
    for (let term = 1; term <= 150; term++) await actor.ask(startTerm)
    await before.stop()
    const reads = { ...world.store.requests }
    const again = await hostTimeline(world.system('b'))
    expect(again.snapshot).toEqual(actor.snapshot)
    expect(again.inspect().sequence).toBe(151)
    expect(world.store.requests.read - reads.read).toBe(2)
    expect(world.store.requests.list - reads.list).toBe(2)
  })

  test('refuses to host a journal that holds what it does not understand', async () => {
    const world = new TestWorld()
    const odd = wrap({ type: 'FromTheFuture', at: 1 }, { id: 'x', actor: 'timeline.main', sequence: 1, term: 0 })
    await Effect.runPromise(world.journal('timeline', 'main').append(1, [odd]))
    const error = await Effect.runPromise(Effect.flip(world.system().host(timeline, 'main', undefined, () => {})))
    expect(error).toMatchObject({ _tag: 'FormatTooNew', value: 'event 1' })
  })

  test('keeps correlation and causation from the request to the fact and the answer', async () => {
    const world = new TestWorld()
    const actor = await hostTimeline(world.system())
    await actor.ask(create)
    const answers: Envelope[] = []
    world.subscribe('inbox', ({ data }) => {
      answers.push(decodeEnvelope(data) as Envelope)
    })
    const request = wrap(
      startTerm,
      { id: 'r2', actor: 'timeline.main', sequence: 0, term: 0 },
      { id: 'r1', correlationId: 'r0' },
    )
    world.send(actorSubject('p', 'timeline.main'), encodeEnvelope(request), 'inbox')
    await vi.waitFor(() => expect(answers.length).toBe(1), { timeout: 20_000 })
    expect(answers[0]).toMatchObject({ type: 'TermGranted', correlationId: 'r0', causationId: 'r2' })
    const fact = envelopes(world, 'loch.p.events.timeline.main').find(({ type }) => type === 'TermStarted')
    expect(fact).toMatchObject({ correlationId: 'r0', causationId: 'r2', sequence: 2, term: 1 })
    const taken = envelopes(world, 'loch.p.events.timeline.main').find(({ id }) => id === 'r2')
    expect(taken).toMatchObject({ type: 'StartTerm', correlationId: 'r0', causationId: 'r1' })
  })

  test.each([
    ['bytes that are no envelope', Uint8Array.of(0xc1), 'BadArgument'],
    ['an event it does not know', message({ type: 'Nonsense', at: 1 }), 'BadArgument'],
    ['a value out of range', message({ ...startTerm, compute: 'Not A Name' } as ActorEvent), 'BadArgument'],
    ['a fact', message({ type: 'TermStarted', at: 1, term: 9, compute: 'c', zone: 'z' } as ActorEvent), 'BadArgument'],
    ['a command that its state refuses', message(startTerm), 'Refused'],
  ])('answers %s with an error and changes nothing', async (_, data, tag) => {
    const world = new TestWorld()
    const actor = await hostTimeline(world.system())
    const answers: Envelope[] = []
    world.subscribe('inbox', (answer) => {
      answers.push(decodeEnvelope(answer.data) as Envelope)
    })
    world.send(actorSubject('p', 'timeline.main'), data, 'inbox')
    await vi.waitFor(() => expect(answers.length).toBe(1), { timeout: 20_000 })
    expect(answers[0]).toMatchObject({ type: 'Refusal', payload: { tag } })
    expect(actor.inspect()).toMatchObject({ state: 'creating', sequence: 0 })
  })

  test('refuses what comes on top of a full queue', async () => {
    const world = new TestWorld()
    await hostTimeline(world.system())
    let refused = 0
    world.subscribe('inbox', ({ data }) => {
      const answer = decodeEnvelope(data) as Envelope
      if (String(answer.payload['problem']).includes('wait already')) refused++
    })
    const flood = QUEUE_LENGTH_MAX + 5
    for (let at = 0; at < flood; at++) world.send(actorSubject('p', 'timeline.main'), message(startTerm), 'inbox')
    expect(refused).toBe(5)
  })

  test('brings results of effects back as events, and fires deadlines that are data', async () => {
    const world = new TestWorld()
    const system = world.system()
    const performed: string[] = []
    const actor = await Effect.runPromise(
      system.host(compute, 'c1', 'c1' as ComputeId, async (effect) => {
        performed.push(effect.type)
        if (effect.type !== 'startTerm' || performed.length > 1) return
        return { type: 'TermRefused' as const, at: 0, problem: 'no answer', retryable: true }
      }),
    )
    actor.tell({
      type: 'Start',
      at: 0,
      endpoint: 'e' as EndpointId,
      timeline: 'main' as TimelineId,
      zone: zones[0]!,
      launch: 1,
    })
    await vi.waitFor(() => expect(actor.snapshot.context.problem).toBe('no answer'), { timeout: 20_000 })
    expect(performed).toEqual(['startTerm'])
    world.advance(100)
    await vi.waitFor(() => expect(performed).toEqual(['startTerm', 'startTerm']), { timeout: 20_000 })
    const reports = envelopes(world, 'loch.p.actor.endpoint.e')
    expect(reports.at(-1)).toMatchObject({
      type: 'ComputeReport',
      payload: { state: 'electing', problem: 'no answer' },
    })
  })

  test('tries a deadline again that came while the journal was out of reach', async () => {
    const world = new TestWorld()
    const actor = await Effect.runPromise(world.system().host(endpoint, 'e', undefined, () => {}))
    await actor.ask({
      type: 'Create',
      at: 0,
      endpoint: 'e' as EndpointId,
      project: 'p' as ProjectId,
      timeline: 'main' as TimelineId,
    })
    await actor.ask({ type: 'ZoneUp', at: 0, zone: zones[0]! })
    await actor.ask({ type: 'Wake', at: 0 })
    const lost = {
      type: 'ComputeReport' as const,
      at: 0,
      compute: 'e-zone-1' as ComputeId,
      zone: zones[0]!,
      term: 1 as Term,
    }
    await actor.ask({ ...lost, launch: 1, state: 'failed', problem: 'x' })
    await actor.ask({ ...lost, launch: 2, state: 'failed', problem: 'x' })
    expect(actor.snapshot.context.remembered.primary).toBeNull()
    world.store.down = true
    world.advance(10_000)
    await vi.waitFor(() => expect(world.reported.length).toBe(1), { timeout: 20_000 })
    world.store.down = false
    world.advance(1_000)
    await vi.waitFor(() => expect(actor.snapshot.context.remembered.primary).toMatchObject({ launch: 3 }), {
      timeout: 20_000,
    })
  })

  test('reports an effect that throws, and goes on', async () => {
    const world = new TestWorld()
    const actor = await Effect.runPromise(
      world.system().host(compute, 'c1', 'c1' as ComputeId, () => {
        throw new Error('performer broke')
      }),
    )
    actor.tell({
      type: 'Start',
      at: 0,
      endpoint: 'e' as EndpointId,
      timeline: 'main' as TimelineId,
      zone: zones[0]!,
      launch: 1,
    })
    await actor.settled()
    expect(world.reported).toHaveLength(1)
    expect(actor.inspect().running).toEqual([])
    expect(await actor.ask({ type: 'Stop', at: 0, launch: 1 })).toMatchObject({ type: 'Done' })
  })

  test.each(['ends', 'fails'])('names the event that it handles, and an effect until it %s', async (end) => {
    const world = new TestWorld()
    const system = world.system()
    let endIt = () => {}
    const actor = await Effect.runPromise(
      system.host(compute, 'c1', 'c1' as ComputeId, async () => {
        await new Promise<void>((resolve) => {
          endIt = resolve
        })
        if (end === 'fails') throw new Error('performer broke')
      }),
    )
    const start = { type: 'Start' as const, at: 0, endpoint: 'e' as EndpointId, timeline: 'main' as TimelineId }
    actor.tell({ ...start, zone: zones[0]!, launch: 1 })
    await Promise.resolve()
    expect(system.inspect()).toMatchObject([{ handling: 'Start' }])
    await actor.settled()
    expect(system.inspect()).toMatchObject([{ handling: undefined, running: ['startTerm'] }])
    endIt()
    await vi.waitFor(() => expect(system.inspect()).toMatchObject([{ running: [] }]), { timeout: 20_000 })
    expect(world.reported).toHaveLength(end === 'fails' ? 1 : 0)
  })

  test('lists what it hosts until it is stopped', async () => {
    const world = new TestWorld()
    const system = world.system()
    const actor = await hostTimeline(system)
    await actor.ask(create)
    expect(system.inspect()).toMatchObject([
      { actor: 'timeline.main', state: 'active', sequence: 1, summary: { durability: 'archived' } },
    ])
    await system.stop()
    expect(system.inspect()).toEqual([])
    expect(await actor.ask(startTerm)).toMatchObject({ type: 'Refusal' })
  })
})

function message(event: ActorEvent): Uint8Array {
  return encodeEnvelope(wrap(event, { id: 'm', actor: 'timeline.main', sequence: 0, term: 0 }))
}

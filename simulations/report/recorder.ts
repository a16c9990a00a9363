/**
 * Keeps of one run what a page can show of it: events, messages between zones, and the states of all actors whenever they
 * change. Everything is bounded, by leaving out evenly, so that a long run makes a page that can still be opened.
 */
import type { FaultBand, Line, Shown, ShownMessage } from '../../runtime/replay/page/shown.ts'
import { Thinned } from '../../runtime/replay/page/thinned.ts'
import type { Recorder as ActorRecorder } from '../../runtime/system/ports.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'
import type { Fault } from '../faults/fault.ts'
import { describeFault, describePlan } from '../plan/describe.ts'
import type { Plan } from '../plan/plan.ts'
import { EPOCH_MS, type RunEvent, type RunEventKind, type RunObserver } from '../run/observer.ts'
import type { Outcome } from '../run/run.ts'
import { StateWatch } from './state-watch.ts'

const EVENTS_A_KIND_MAX = 2_000
/** Of messages with alike subjects; rare ones are kept whole. */
const MESSAGES_A_SUBJECT_MAX = 1_000
const SHOWN: readonly RunEventKind[] = ['heal', 'report', 'serving', 'acknowledged', 'lost']
/** Reported beside events of their own. */
const REPORTS_OF_THE_WORLD = ['FAULT', 'WORLD']

export class Recorder implements RunObserver {
  readonly #plan: Plan
  readonly #events = new Map<RunEventKind, Thinned<RunEvent>>()
  readonly #messages = new Map<string, Thinned<ShownMessage>>()
  readonly #states = new StateWatch()
  #cluster: SimCluster | undefined
  readonly #struck: Fault[] = []
  #healedAtMs = Number.POSITIVE_INFINITY

  constructor(plan: Plan) {
    this.#plan = plan
  }

  begins(nowMs: () => number): void {
    this.#states.begins(() => nowMs() - EPOCH_MS)
  }

  recorderOf(zone: string): ActorRecorder {
    return this.#states.recorderOf(zone)
  }

  observe(event: RunEvent): void {
    if (event.kind === 'heal') this.#healedAtMs = event.atMs
    if (event.kind === 'fault') this.#struck.push({ ...(JSON.parse(event.text) as Fault), atMs: event.atMs })
    if (event.kind === 'forwarded') this.#message(event)
    else if (SHOWN.includes(event.kind) && !REPORTS_OF_THE_WORLD.includes(event.lane)) {
      listOf(this.#events, event.kind, EVENTS_A_KIND_MAX).add(event)
    }
  }

  stepped(cluster: SimCluster, atMs: number): void {
    this.#cluster = cluster
    this.#states.stepped(cluster, atMs)
  }

  /** Of a run that has ended. */
  shown({ violation, simulatedMs, commits, servings, steps }: Outcome, digest: string, command: string): Shown {
    if (this.#cluster !== undefined) this.#states.end(this.#cluster)
    const { changes } = this.#states
    const plan = this.#plan
    const messages = [...this.#messages.values()]
    const zones = Array.from({ length: plan.zones }, (_, at) => `zone-${at + 1}`)
    return {
      title: `Loch simulation, seed ${plan.seed}`,
      heading: `Seed ${plan.seed}: ${violation === undefined ? 'all held' : 'failed'}`,
      problem: violation ?? '',
      about: describePlan(plan),
      details: [command, `${commits} commits`, `${servings} servings`, `${steps} events`, `digest ${digest}`],
      endMs: Math.max(simulatedMs, changes.at(-1)?.atMs ?? 0),
      zones,
      faults: this.#bands(simulatedMs),
      events: byTime([...this.#events.values()].flatMap(({ kept }) => kept)),
      messages: byTime(messages.flatMap(({ kept }) => kept)),
      messagesSeen: messages.reduce((sum, { seen }) => sum + seen, 0),
      states: changes,
      dashed: 'archived',
      charts: chartsOf(zones),
    }
  }

  #message({ atMs, lane, to = '', text, bytes = 0 }: RunEvent): void {
    const [from, receiver] = [zoneOf(lane), zoneOf(to)]
    if (from === undefined || receiver === undefined || from === receiver) return
    const message = { atMs, from, to: receiver, subject: text, bytes }
    listOf(this.#messages, alike(text), MESSAGES_A_SUBJECT_MAX).add(message)
  }

  /** Of faults that have struck, be they of the plan or of its edits. All end when the world heals. */
  #bands(endMs: number): readonly FaultBand[] {
    const { zones } = this.#plan
    return this.#struck.map((fault) => {
      const untilMs = Math.min(this.#healedAtMs, endMs, fault.atMs + ('forMs' in fault ? fault.forMs : 0))
      const band = { fromMs: fault.atMs, untilMs, text: describeFault(fault, zones) }
      return 'zone' in fault ? { ...band, zone: `zone-${(fault.zone % zones) + 1}` } : band
    })
  }
}

function chartsOf(zones: readonly string[]): Shown['charts'] {
  const line = (zone: string, field: string): Line => ({
    key: `${zone}/safekeeper`,
    field,
    dashed: field === 'archived',
  })
  const positions = zones.flatMap((zone) => [line(zone, 'flushed'), line(zone, 'archived')])
  return [
    { title: 'term', lines: zones.map((zone) => line(zone, 'term')) },
    { title: 'durable position', lines: positions },
  ]
}

function listOf<K, A>(lists: Map<K, Thinned<A>>, key: K, max: number): Thinned<A> {
  const known = lists.get(key)
  if (known !== undefined) return known
  const list = new Thinned<A>(max)
  lists.set(key, list)
  return list
}

/** Connections of a zone are called by its name and what they are for. */
function zoneOf(client: string): string | undefined {
  const [zone] = client.split('.')
  return zone?.startsWith('zone-') ? zone : undefined
}

/** Subjects that differ in a number, or are of somebody who waits for an answer, are alike. */
function alike(subject: string): string {
  return subject.startsWith('_INBOX') ? '_INBOX' : subject.replace(/\d+/g, '#')
}

function byTime<A extends { readonly atMs: number }>(entries: readonly A[]): readonly A[] {
  return entries.toSorted((left, right) => left.atMs - right.atMs)
}

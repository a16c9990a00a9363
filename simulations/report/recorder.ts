/**
 * Keeps of one run what a page can show of it: events, messages between zones, and the states of all actors whenever they
 * change. Everything is bounded, by leaving out evenly, so that a long run makes a page that can still be opened.
 */
import { cutForDisplay } from '../../runtime/replay/page/fields.ts'
import type { FaultBand, Line, Shown, ShownMessage, StateChange } from '../../runtime/replay/page/shown.ts'
import { Thinned } from '../../runtime/replay/page/thinned.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'
import type { Fault } from '../faults/fault.ts'
import { describeFault, describePlan } from '../plan/describe.ts'
import type { Plan } from '../plan/plan.ts'
import type { RunEvent, RunEventKind, RunObserver } from '../run/observer.ts'
import type { Outcome } from '../run/run.ts'
import { changesBetween, type Snapshot, snapshotOf } from './snapshot.ts'

const SNAPSHOT_INTERVAL_MS = 50
/** Beyond this, the interval grows with the length of the plan. */
const SNAPSHOTS_MAX = 3_000
const EVENTS_A_KIND_MAX = 2_000
/** Of messages with alike subjects; rare ones are kept whole. */
const MESSAGES_A_SUBJECT_MAX = 300
const SHOWN: readonly RunEventKind[] = ['heal', 'report', 'serving', 'acknowledged', 'lost']
/** Reported beside events of their own. */
const REPORTS_OF_THE_WORLD = ['FAULT', 'WORLD']

export class Recorder implements RunObserver {
  readonly #plan: Plan
  readonly #intervalMs: number
  readonly #events = new Map<RunEventKind, Thinned<RunEvent>>()
  readonly #messages = new Map<string, Thinned<ShownMessage>>()
  readonly #states: StateChange[] = []
  #cluster: SimCluster | undefined
  #lastSnapshot: Snapshot = new Map()
  #lastLookMs = Number.NEGATIVE_INFINITY
  #nowMs = 0
  readonly #struck: Fault[] = []
  #healedAtMs = Number.POSITIVE_INFINITY

  constructor(plan: Plan) {
    this.#plan = plan
    this.#intervalMs = Math.max(SNAPSHOT_INTERVAL_MS, plan.durationMs / SNAPSHOTS_MAX)
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
    this.#nowMs = atMs
    if (atMs - this.#lastLookMs < this.#intervalMs) return
    this.#lastLookMs = atMs
    this.#look(cluster)
  }

  /** Of a run that has ended. */
  shown({ violation, simulatedMs, commits, servings, steps }: Outcome, digest: string, command: string): Shown {
    if (this.#cluster !== undefined) this.#look(this.#cluster)
    const plan = this.#plan
    const messages = [...this.#messages.values()]
    const zones = Array.from({ length: plan.zones }, (_, at) => `zone-${at + 1}`)
    return {
      title: `Loch simulation, seed ${plan.seed}`,
      heading: `Seed ${plan.seed}: ${violation === undefined ? 'all held' : 'failed'}`,
      problem: violation ?? '',
      about: describePlan(plan),
      details: [command, `${commits} commits`, `${servings} servings`, `${steps} events`, `digest ${digest}`],
      endMs: simulatedMs,
      zones,
      faults: this.#bands(simulatedMs),
      events: byTime([...this.#events.values()].flatMap(({ kept }) => kept)),
      messages: byTime(messages.flatMap(({ kept }) => kept)),
      messagesSeen: messages.reduce((sum, { seen }) => sum + seen, 0),
      states: this.#states,
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

  #look(cluster: SimCluster): void {
    const snapshot = snapshotOf(cluster)
    const changes = changesBetween(this.#lastSnapshot, snapshot)
    this.#lastSnapshot = snapshot
    if (changes === undefined) return
    const shown = Object.entries(changes).map(([actor, state]) => [actor, state && cutForDisplay(state)] as const)
    this.#states.push({ atMs: this.#nowMs, changes: Object.fromEntries(shown) })
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

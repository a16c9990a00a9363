/**
 * What a run that does not get on says: of each zone who is in which state there and what it waits for, as far as that can be
 * seen from outside, and who serves. Due times are by the clock of the zone's host, which may be wrong. It only looks.
 */
import type { ActorInspection } from '../../runtime/system/ports.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'
import type { SimZone } from '../cluster/sim-zone.ts'

export function whoWaits(cluster: SimCluster): string {
  const zones = cluster.zones.map((zone) => `${zone.name} ${zone.isUp ? `up, ${describeZone(zone)}` : 'down'}`)
  return [...zones, describeServer(cluster)].join('; ')
}

export function describeZone(zone: SimZone): string {
  const { actors, safekeeper } = zone.inspect()
  const nowMs = zone.clock.nowMs()
  const { state, term, flushed, archived } = safekeeper ?? NO_SAFEKEEPER
  const duty = state === 'archiving' ? ', has the archive duty' : ''
  const keeper = `safekeeper ${state} (term ${term}, flushed ${flushed}, archived ${archived}${duty})`
  return [keeper, ...actors.map((actor) => describeActor(actor, nowMs))].join(', ')
}

export function describeActor(inspection: ActorInspection, nowMs: number): string {
  const { actor, state, term, queued, handling, running, timers, summary } = inspection
  const due = Object.entries(timers).map(([name, atMs]) => `${name} ${whenDue(atMs - nowMs)}`)
  const about = [
    `term ${term}`,
    ...HOLDERS.flatMap((name) => (summary[name] ? [`${name} ${summary[name]}`] : [])),
    ...(handling === undefined ? [] : [`handles ${handling}`]),
    ...(running.length === 0 ? [] : [`performs ${running.join(', ')}`]),
    ...(queued === 0 ? [] : [`${queued} events wait`]),
    due.length === 0 ? 'waits for messages only' : `waits for ${due.join(', ')}`,
  ]
  return `${actor} ${state} (${about.join(', ')}${summary['problem'] ? `: ${summary['problem']}` : ''})`
}

function whenDue(inMs: number): string {
  const seconds = (Math.abs(inMs) / 1000).toFixed(1)
  return inMs < 0 ? `${seconds} s ago` : `in ${seconds} s`
}

/** Rows that are locked are what sessions wait for, if they wait for each other. */
function describeServer({ server }: SimCluster): string {
  if (server === undefined) return 'nobody has ever served'
  const { sessions, lockedRows } = server.inspect()
  const rows = lockedRows.map(([key, waiting]) => `row ${key}${waiting === 0 ? '' : ` (${waiting} wait for it)`}`)
  const locks = rows.length === 0 ? '' : `, locked ${rows.join(', ')}`
  return `the last server ${server.isServing ? 'serves' : 'is closed'}, ${sessions} sessions under way${locks}`
}

/** Of what an actor says of itself: whom it takes for the holder of what there is but one of. */
const HOLDERS = ['leader', 'compute', 'zone'] as const
const NO_SAFEKEEPER = { state: 'absent', term: 0, flushed: 0, archived: 0 }

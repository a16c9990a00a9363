/**
 * What a zone concludes from heartbeats: which peers are alive, whether it is itself part of the majority, and who leads.
 * Leadership here is only for liveness: two zones that both believe they lead do no harm, since journals have one winner
 * per slot and terms fence the data path. So these rules may be simple and wrong for a second.
 */
import type { ZoneId } from '../../events/identifiers.ts'
import type { Heartbeat, ZoneEvent, ZoneState } from '../../events/zone.ts'
import { type BaseContext, type Change, withTimer } from '../definition.ts'
import { majorityOf } from '../quorum.ts'

export const HEARTBEAT_INTERVAL_MS = 500
/** A garbage collection or a slow disk explains a few missed heartbeats. */
export const SUSPICION_MS = 2_000
/**
 * Then its computes are placed elsewhere. A loaded machine stalls a process for a second or two, and a needless failover
 * ends every session, so this is long. A zone whose process dies is not waited for: its next life has another incarnation.
 */
export const DOWN_MS = 5_000

export interface Peer {
  readonly heardAtMs: number
  readonly sees: ReadonlyArray<ZoneId>
  readonly state: ZoneState
  readonly incarnation: number
  /** False once it was reported down; true again from its next heartbeat. */
  readonly up: boolean
}

export interface ZoneContext extends BaseContext {
  readonly id: ZoneId
  /** All zones of the cluster, lowest number first; fixed by configuration. */
  readonly zones: ReadonlyArray<ZoneId>
  readonly incarnation: number
  readonly peers: Readonly<Record<string, Peer>>
  /** Last time at which a majority was seen; 0 before the first. */
  readonly majorityAtMs: number
  readonly tickedAtMs: number
  readonly leader: ZoneId | ''
}

export type ZoneEffect =
  | { readonly type: 'publishHeartbeat'; readonly heartbeat: Heartbeat }
  | { readonly type: 'becomeLeader' }
  | { readonly type: 'loseLeadership'; readonly leader: ZoneId | '' }
  | { readonly type: 'peerUp'; readonly zone: ZoneId }
  | { readonly type: 'peerDown'; readonly zone: ZoneId; readonly problem: string }

type Of<Type extends ZoneEvent['type']> = Extract<ZoneEvent, { readonly type: Type }>
type ZoneChange = Change<ZoneContext, ZoneEffect>

const isFresh = (peer: Peer | undefined, at: number) => peer !== undefined && at - peer.heardAtMs <= SUSPICION_MS

/** Zones heard within the suspicion time, the zone itself included, lowest number first. */
export function seenBy(context: ZoneContext, at: number): ReadonlyArray<ZoneId> {
  return context.zones.filter((zone) => zone === context.id || isFresh(context.peers[zone], at))
}

/** Zones on which a compute may be placed: seen, and not on their way out. */
export function placeableZones(context: ZoneContext, state: ZoneState, at: number): ReadonlyArray<ZoneId> {
  return seenBy(context, at).filter((zone) => (zone === context.id ? state : context.peers[zone]!.state) !== 'draining')
}

/** The lowest-numbered zone that sees a majority and is not draining, as far as this zone can tell. */
export function leaderOf(context: ZoneContext, state: ZoneState, at: number): ZoneId | '' {
  const enough = majorityOf(context.zones.length)
  const leads = (zone: ZoneId) => {
    if (zone === context.id) return state !== 'draining' && seenBy(context, at).length >= enough
    const peer = context.peers[zone]
    return peer !== undefined && isFresh(peer, at) && peer.state !== 'draining' && peer.sees.length >= enough
  }
  return context.zones.find(leads) ?? ''
}

const heartbeatOf = (context: ZoneContext, at: number, state: ZoneState): ZoneEffect => {
  const { id, incarnation } = context
  return {
    type: 'publishHeartbeat',
    heartbeat: { type: 'Heartbeat', at, from: id, sees: seenBy(context, at), state, incarnation },
  }
}

/** After the own clock was set back: what was heard in its future was heard now, at the latest, or it would stay fresh until then. */
function setBack(context: ZoneContext, at: number): ZoneContext {
  const heard = Object.entries(context.peers).map(([zone, peer]) => [
    zone,
    { ...peer, heardAtMs: Math.min(peer.heardAtMs, at) },
  ])
  const majorityAtMs = Math.min(context.majorityAtMs, at)
  return { ...context, peers: Object.fromEntries(heard), majorityAtMs, tickedAtMs: at }
}

export const guards = {
  isStranger: ({ id, zones }: ZoneContext, event: Of<'Heartbeat'>) => event.from === id || !zones.includes(event.from),
  /** While its next life is heard. After that it may be a new one, whose clock was set back: incarnations are times. */
  isOlderLife: ({ peers }: ZoneContext, event: Of<'Heartbeat'>) =>
    event.incarnation < (peers[event.from]?.incarnation ?? 0) && isFresh(peers[event.from], event.at),
  seesMajority: (context: ZoneContext, event: Of<'Tick'>) =>
    seenBy(context, event.at).length >= majorityOf(context.zones.length),
  isolatedLong: (context: ZoneContext, event: Of<'Tick'>) => event.at - context.majorityAtMs > DOWN_MS,
}

export const actions = {
  /** One that has come up is told at once that we are here, so that it need not wait for the next beat to see a majority. */
  hear: (context: ZoneContext, event: Of<'Heartbeat'>, own: ZoneState): ZoneChange => {
    const { from, sees, state, incarnation, at } = event
    const known = context.peers[from]
    const isNew = !known?.up || known.incarnation !== incarnation
    const peers = { ...context.peers, [from]: { heardAtMs: at, sees, state, incarnation, up: true } }
    const heard = { ...context, peers }
    const effects: ZoneEffect[] = []
    if (known?.up && known.incarnation !== incarnation) {
      effects.push({ type: 'peerDown', zone: from, problem: 'its process was started anew' })
    }
    if (isNew) effects.push({ type: 'peerUp', zone: from }, heartbeatOf(heard, at, own))
    return { context: heard, effects }
  },

  /** A zone that was itself away (paused, or out of processor time) has not listened, so it may not call others down. */
  findDown: (context: ZoneContext, event: ZoneEvent): ZoneChange => {
    const tickedAtMs = event.at
    if (tickedAtMs < context.tickedAtMs) return { context: setBack(context, tickedAtMs) }
    if (event.at - context.tickedAtMs > SUSPICION_MS) return { context: { ...context, tickedAtMs } }
    const effects: ZoneEffect[] = []
    const peers = { ...context.peers }
    for (const zone of context.zones) {
      const peer = peers[zone]
      if (!peer?.up || event.at - peer.heardAtMs <= DOWN_MS) continue
      peers[zone] = { ...peer, up: false }
      effects.push({ type: 'peerDown', zone, problem: `no heartbeat for ${DOWN_MS} ms` })
    }
    return { context: { ...context, peers, tickedAtMs }, effects }
  },

  noteMajority: (context: ZoneContext, event: ZoneEvent): ZoneChange => ({
    context: { ...context, majorityAtMs: event.at },
  }),

  /** Before `findDown`, so that a zone which lost the majority stops leading before it says who is down. */
  findLeader: (context: ZoneContext, event: ZoneEvent, state: ZoneState): ZoneChange => {
    const leader = leaderOf(context, state, event.at)
    const effects: ZoneEffect[] = []
    if (leader === context.id && context.leader !== context.id) effects.push({ type: 'becomeLeader' })
    if (leader !== context.id && context.leader === context.id) effects.push({ type: 'loseLeadership', leader })
    return { context: { ...context, leader }, effects }
  },

  beat: (context: ZoneContext, event: ZoneEvent, state: ZoneState): ZoneChange => {
    const timers = withTimer(context.timers, 'tick', event.at + HEARTBEAT_INTERVAL_MS)
    return { context: { ...context, timers }, effects: [heartbeatOf(context, event.at, state)] }
  },
}

/**
 * The proposer: what a compute concludes from its safekeepers' acknowledgements. A plain reducer, because it runs for
 * every acknowledgement of every commit; the lifecycle around it is the compute's machine. No I/O, clock or randomness:
 * times arrive with the inputs.
 *
 * The rules, after Raft and Neon's walproposer: only positions at or after the term's start count (entries of an older
 * term are never committed on their own, Raft figure 8); a position is durable when a majority of the safekeepers has
 * flushed it and, under `archived` durability, the object store holds everything up to it.
 */
import { majorityOf } from '../quorum.ts'

export type Durability = 'archived' | 'quorum'

export interface MemberProgress {
  readonly zone: string
  flushed: number
  /** When `flushed` last grew, had nothing to grow by, or a resend was started, ms. */
  movedAt: number
}

export interface Proposer {
  readonly term: number
  /** First position of the term: the tail that the election chose. */
  readonly termStart: number
  readonly durability: Durability
  readonly members: readonly MemberProgress[]
  archived: number
  /** When `archived` last grew, had nothing to grow by, or archive duty was moved, ms. */
  archivedAt: number
  /** When `archived` last grew or had nothing to grow by, ms. */
  grownAt: number
  /** How often archive duty was moved in vain, less one for each time that `archived` grew as fast as it should; 0 to DUTY_DOUBLINGS_MAX. */
  dutyMoves: number
  dutyZone: string
  durable: number
}

/**
 * A safekeeper that has not moved for so long, though there is log for it, is sent the log again. Frames get lost only with a
 * connection, and a gap is reported at once, so this is the last resort: on a busy disk the flush of megabytes takes a
 * good part of it, and whoever is sent everything again then only gets slower.
 */
export const RESEND_AFTER_MS = 1_000
/** Archive duty moves when the archive stands still for so long while a majority has more. */
export const DUTY_TIMEOUT_MS = 2_000
/**
 * It doubles with each move that did not help, so often at most, and halves each time that the archive grows within the plain one.
 * Where the store is what is slow, another holder only gets into the way of the former one's request for the same object: S3
 * refuses either with 409 while the other is under way, and who finds the object there must read it before it goes on.
 */
const DUTY_DOUBLINGS_MAX = 3

export function createProposer(
  term: number,
  termStart: number,
  durability: Durability,
  zones: readonly string[],
  archived: number,
  dutyZone: string,
  at: number,
): Proposer {
  const members = zones.map((zone) => ({ zone, flushed: 0, movedAt: at }))
  return {
    term,
    termStart,
    durability,
    members,
    archived,
    archivedAt: at,
    grownAt: at,
    dutyMoves: 0,
    dutyZone,
    durable: 0,
  }
}

/** Takes one acknowledgement in; returns true if `durable` grew. Acknowledgements may be late, doubled or out of order. */
export function acknowledge(state: Proposer, zone: string, flushed: number, archived: number, at: number): boolean {
  for (const member of state.members) {
    if (member.zone !== zone || flushed <= member.flushed) continue
    member.flushed = flushed
    member.movedAt = at
  }
  if (archived > state.archived) {
    if (at - state.grownAt < DUTY_TIMEOUT_MS) state.dutyMoves = Math.max(0, state.dutyMoves - 1)
    state.archived = archived
    state.archivedAt = at
    state.grownAt = at
  }
  const durable = durablePosition(state)
  if (durable <= state.durable) return false
  state.durable = durable
  return true
}

/** The highest position that a majority has flushed, 0 if that is before the term's start. */
export function majorityFlushed(state: Proposer): number {
  const rank = majorityOf(state.members.length)
  let best = 0
  for (const candidate of state.members) {
    if (candidate.flushed < state.termStart || candidate.flushed <= best) continue
    let holders = 0
    for (const member of state.members) if (member.flushed >= candidate.flushed) holders++
    if (holders >= rank) best = candidate.flushed
  }
  return best
}

/** True if the members other than `zone` that hold all that is durable are a majority by themselves. */
export function sufficesWithout(state: Proposer, zone: string): boolean {
  const others = state.members.filter((member) => member.zone !== zone && member.flushed >= state.durable)
  return state.durable > 0 && others.length >= majorityOf(state.members.length)
}

function durablePosition(state: Proposer): number {
  const flushed = majorityFlushed(state)
  if (state.durability === 'quorum') return flushed
  const durable = Math.min(flushed, state.archived)
  return durable < state.termStart ? 0 : durable
}

/**
 * Safekeepers to send the log again to, from their flushed position. Marks them, so that each waits its turn. To be called now and
 * then while nothing is written, too: one that has all the log does not stand still.
 */
export function stalledMembers(state: Proposer, end: number, at: number): readonly MemberProgress[] {
  for (const member of state.members) if (member.flushed >= end) member.movedAt = at
  const stalled = state.members.filter((member) => member.flushed < end && at - member.movedAt >= RESEND_AFTER_MS)
  for (const member of stalled) member.movedAt = at
  return stalled
}

/**
 * The zone that archive duty must move to because the present one does not archive, or undefined if all is well. To be called now
 * and then while there is nothing to archive, too: an archive that has all does not stand still.
 */
export function dutyToMove(state: Proposer, at: number): string | undefined {
  const flushed = majorityFlushed(state)
  if (state.archived >= flushed) {
    state.archivedAt = at
    state.grownAt = at
    return undefined
  }
  if (at - state.archivedAt < DUTY_TIMEOUT_MS * 2 ** state.dutyMoves) return undefined
  const candidates = state.members.filter((member) => member.flushed > state.archived)
  const present = candidates.findIndex((member) => member.zone === state.dutyZone)
  const next = candidates[(present + 1) % candidates.length]
  state.archivedAt = at
  state.dutyMoves = Math.min(state.dutyMoves + 1, DUTY_DOUBLINGS_MAX)
  if (next) state.dutyZone = next.zone
  return next?.zone
}

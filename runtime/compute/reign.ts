/**
 * A compute's way to the head of a timeline's log: collect votes, choose the tail, make a majority of the safekeepers hold
 * it. The rules (who may vote, which tail wins, where histories part) are pure and live in actors/; this file only asks,
 * waits and sends. Nothing here decides durability, and nothing is shown outside before a majority refuses older terms.
 */
import { type ArchiveTail, chooseTail, commonPoint, nextHistory, type Tail } from '../../actors/compute/election.ts'
import { majorityOf } from '../../actors/quorum.ts'
import { chainOver, chainSeed } from '../../events/frame.ts'
import type { TermHistory, VoteResponse } from '../../events/safekeeper-wire.ts'
import type { TermGrant } from '../../events/timeline.ts'
import { Damaged, Fenced, ObjectMissing, problemOf, QuorumLost } from '../errors.ts'
import { findArchiveTail, readArchived } from '../log/archive.ts'
import { run } from '../system/run.ts'
import { join } from './joining.ts'
import { collectLateVotes } from './late-votes.ts'
import { leasesEndAtMs } from './predecessors.ts'
import type { ReignPorts } from './reign-ports.ts'
import { type ElectionOrder, elect, fencedBy, requestVotes } from './safekeeper-requests.ts'
import { bringUpToTail } from './tail-repair.ts'

/** What an election leaves: all that attaching and writing need to know. */
export interface Reign {
  readonly term: number
  readonly grant: TermGrant
  /** By zone, the disk that the timeline's journal names: see joining.ts. */
  readonly disks: Map<string, string>
  readonly tail: Tail
  /** The term's own history, itself included. */
  readonly history: TermHistory
  /** Where the fold begins: the newest snapshot, or the log's start. */
  readonly base: { readonly term: number; readonly position: number; readonly chain: number }
  /** How far the tail's own log is in the object store. */
  readonly archived: { readonly position: number; readonly chain: number }
  readonly dutyZone: string
  /** Zones whose log is the tail's whole log: any of them can be read from. */
  readonly holders: readonly string[]
  /** Before the first vote was asked for, on the monotonic clock: the own lease counts from there. */
  readonly electedAtMs: number
  /** On the same clock: see predecessors.ts. */
  readonly predecessorsEndAtMs: number
}

/** A gap longer than this is not sent again but left to the archive: the safekeeper begins anew where that ends. */
const RESEND_BYTES_MAX = 4 * 1024 * 1024

/** Errors: Fenced if a higher term exists, QuorumLost if too few count, and the store's. */
export async function establishReign(ports: ReignPorts, grant: TermGrant): Promise<Reign> {
  const base = grant.snapshot ?? { term: 0, position: 0, chain: chainSeed(ports.timeline) }
  const findArchive = (isAlone = false) => run(findArchiveTail(ports.store, ports.timeline, base, isAlone))
  const electedAtMs = ports.monotonicMs()
  const voting = requestVotes(ports, grant.term).then((votes) => ({ votes, votedAtMs: ports.monotonicMs() }))
  const [{ votes: early, votedAtMs }, before] = await Promise.all([voting, findArchive()])
  const predecessorsEndAtMs = leasesEndAtMs(promisesIn(early, grant), grant.zones.length, votedAtMs)
  const votes = await votesUntil(ports, grant, early, predecessorsEndAtMs)
  const promises = promisesIn(votes, grant)
  // A disk that may have forgotten vouches only together with the archive as it was after the vote: until then the former
  // writer could still get the majority that the archive alone now stands for.
  const mustLookAgain = !areConfirmed(promises, grant) || votes.some(({ fresh }) => fresh)
  const archive = mustLookAgain ? await findArchive(!knowTheEnd(promises, grant)) : before
  const tail = choose(ports, grant, votes, archive)
  const times = { electedAtMs, predecessorsEndAtMs }
  const reign = { ...(await describeReign(ports, grant, base, tail, archive, votes)), ...times }
  await fence(ports, reign, votes)
  return reign
}

/** A disk that is full promises nothing: who holds it goes on answering the predecessor, and would not archive for this term. */
function promisesIn(votes: readonly VoteResponse[], { term }: TermGrant): readonly VoteResponse[] {
  return votes.filter((vote) => vote.term === term)
}

/** True if the disks alone say how far the log went, if they can be believed: of whatever was promised, one of them knows. */
function knowTheEnd(votes: readonly VoteResponse[], { zones }: TermGrant): boolean {
  return votes.filter(({ fresh }) => !fresh).length >= majorityOf(zones.length)
}

/** True if so many disks say so that need not be believed: a writer has seen what they hold since they were opened. */
function areConfirmed(votes: readonly VoteResponse[], { zones }: TermGrant): boolean {
  return votes.filter(({ confirmed }) => confirmed).length >= majorityOf(zones.length)
}

/**
 * True if a former writer may yet call something durable that no promise shows: it was told of a flush by a disk that is lost by now,
 * or has lied, and a zone that promised nothing archives what that disk held. It does so while it holds its lease (log-writer.ts), so
 * what it has told anybody of is in the archive when that ends.
 */
function mayCommitYet(votes: readonly VoteResponse[], grant: TermGrant): boolean {
  const { term, durability, zones } = grant
  if (term === 1 || durability !== 'archived') return false
  const isAnswered = votes.length >= majorityOf(zones.length)
  return isAnswered && votes.length < zones.length && !areConfirmed(votes, grant)
}

/** All votes. Where a former writer may yet commit, it is waited for until it cannot, or until zones have promised that it would need. */
async function votesUntil(
  ports: ReignPorts,
  grant: TermGrant,
  votes: readonly VoteResponse[],
  atMs: number,
): Promise<readonly VoteResponse[]> {
  const leasedMs = atMs - ports.monotonicMs()
  const promises = promisesIn(votes, grant)
  const mayCommit = (late: readonly VoteResponse[]) => mayCommitYet([...promises, ...promisesIn(late, grant)], grant)
  if (leasedMs <= 0 || !mayCommit([])) return votes
  const silent = grant.zones.filter((zone) => !promises.some((vote) => vote.zone === zone))
  const isEnough = (late: readonly VoteResponse[]) => late.some(({ term }) => term > grant.term) || !mayCommit(late)
  const late = await collectLateVotes(ports, grant.term, silent, leasedMs, isEnough)
  return [...votes.filter(({ zone }) => !late.some((vote) => vote.zone === zone)), ...late]
}

function choose(
  ports: ReignPorts,
  grant: TermGrant,
  votes: readonly VoteResponse[],
  archive: ArchiveTail | undefined,
): Tail {
  const choice = chooseTail(votes, archive, grant)
  if (choice.type === 'chosen') return choice.tail
  if (choice.type === 'fenced') throw fencedBy(ports, grant.term, choice.term)
  throw new QuorumLost({
    component: `timeline ${ports.timeline}`,
    value: `term ${grant.term}`,
    problem: choice.reason,
    remedy: 'Start the missing zones; the compute goes on asking.',
  })
}

async function describeReign(
  ports: ReignPorts,
  grant: TermGrant,
  base: Reign['base'],
  tail: Tail,
  archive: ArchiveTail | undefined,
  votes: readonly VoteResponse[],
): Promise<Omit<Reign, 'electedAtMs' | 'predecessorsEndAtMs'>> {
  const isLevel = (vote: VoteResponse) => vote.flushed === tail.position && vote.lastTerm === tail.lastTerm
  return {
    term: grant.term,
    grant,
    disks: new Map(Object.entries(grant.disks)),
    tail,
    history: nextHistory(tail, grant.term),
    base,
    archived: await archivedOnTail(ports, base, tail, archive),
    dutyZone: chooseDutyZone(ports, promisesIn(votes, grant)),
    holders: votes.filter(isLevel).map(({ zone }) => zone),
  }
}

/** The part of the archive that is on the chosen tail. */
async function archivedOnTail(
  ports: ReignPorts,
  base: Reign['base'],
  tail: Tail,
  archive: ArchiveTail | undefined,
): Promise<Reign['archived']> {
  if (!archive || archive.end < base.position) return base
  const common = commonPoint(tail.history, tail.position, archive.history, archive.end)
  if (common === archive.end) return { position: archive.end, chain: archive.chain }
  if (common === tail.position) return { position: tail.position, chain: tail.chain }
  return readAlongTail(ports, base, tail)
}

/** Where the archive ends in a log that came to nothing, the chain at which the two part is only found by reading. */
async function readAlongTail(ports: ReignPorts, base: Reign['base'], tail: Tail): Promise<Reign['archived']> {
  let reached: Reign['archived'] = base
  const read = readArchived(ports.store, ports.timeline, tail.history, base, tail.position, async (bytes, begin) => {
    reached = { position: begin + bytes.length, chain: chainOver(bytes, reached.chain) }
  })
  try {
    await run(read)
  } catch (error) {
    if (!(error instanceof ObjectMissing || error instanceof Damaged)) throw error
  }
  return reached
}

/** Another zone than the compute's own if there is one: this one has enough to do. The fullest log first. */
function chooseDutyZone(ports: ReignPorts, votes: readonly VoteResponse[]): string {
  const sorted = [...votes].sort((left, right) => right.flushed - left.flushed)
  return (sorted.find(({ zone }) => zone !== ports.zone) ?? sorted[0])?.zone ?? ports.zone
}

/**
 * Where a safekeeper's log is to be cut or begun so that it continues as the reign's. `written` is where the reign's log
 * ended after the vote came.
 */
export function orderFor(reign: Reign, vote: VoteResponse, dutyZone: string, written: number): ElectionOrder {
  const truncateTo = commonPoint(reign.history, Number.POSITIVE_INFINITY, vote.history, vote.flushed) ?? 0
  const { archived, base } = reign
  const { incarnation } = vote
  // Of the log before the snapshot the archive is not asked who wrote it, so it could not be read to be sent again.
  const beginsAnew = truncateTo < base.position || archived.position - truncateTo > RESEND_BYTES_MAX
  const place = beginsAnew ? { start: archived.position, startChain: archived.chain } : { start: truncateTo }
  const archivedFrom = archived.position
  return { incarnation, truncateTo, startChain: undefined, ...place, archivedFrom, dutyZone, written }
}

/** Every voter hears of the election and gets what it lacks of the tail; enough of them must then hold it. */
async function fence(ports: ReignPorts, reign: Reign, votes: readonly VoteResponse[]): Promise<void> {
  const needed = majorityOf(reign.grant.zones.length)
  const outcomes = votes.map(async (vote) => {
    await join(ports, reign, vote)
    const order = orderFor(reign, vote, reign.dutyZone, reign.tail.position)
    const answer = await elect(ports, reign, vote.zone, order)
    if (answer.flushed >= reign.tail.position) return
    await bringUpToTail(ports, reign, vote.zone, { position: answer.flushed, chain: answer.chain })
  })
  const settled = await firstSettled(outcomes, needed)
  if (settled.ok >= needed) return
  const higher = settled.problems.find((problem) => problem instanceof Fenced)
  if (higher) throw higher
  throw new QuorumLost({
    component: `timeline ${ports.timeline}`,
    value: `term ${reign.term}`,
    problem: `${settled.ok} of ${needed} safekeepers took the log up to ${reign.tail.position}: ${settled.problems.map(problemOf).join('; ')}`,
    remedy: 'See the logs of the zones; the compute tries again under a new term.',
    cause: settled.problems,
  })
}

interface Settled {
  readonly ok: number
  readonly problems: readonly unknown[]
}

/** Resolves as soon as `needed` have succeeded, or all have ended. The others go on in the background. */
function firstSettled(outcomes: ReadonlyArray<Promise<void>>, needed: number): Promise<Settled> {
  return new Promise((resolve) => {
    const problems: unknown[] = []
    let ok = 0
    const ended = () => {
      if (ok >= needed || ok + problems.length === outcomes.length) resolve({ ok, problems })
    }
    if (outcomes.length === 0) resolve({ ok, problems })
    for (const outcome of outcomes) {
      outcome.then(
        () => {
          ok++
          ended()
        },
        (problem: unknown) => {
          problems.push(problem)
          ended()
        },
      )
    }
  })
}

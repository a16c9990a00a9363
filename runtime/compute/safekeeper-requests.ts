/**
 * Questions to safekeepers and their answers: votes, elections, reads, duty, status. One function each, so that what is
 * sent, how long is waited and what a bad answer means stands in one place. No rule of consensus may enter here.
 */
import type * as Effect from 'effect/Effect'
import { majorityOf } from '../../actors/quorum.ts'
import {
  decodeDutyResponse,
  decodeElectedResponse,
  decodeReadResponse,
  decodeStatus,
  decodeVoteResponse,
  type ElectedResponse,
  encodeDuty,
  encodeElected,
  encodeRead,
  encodeVote,
  isWireFault,
  type SafekeeperStatus,
  subjects,
  type TermHistory,
  type VoteResponse,
  type WireFault,
} from '../../events/safekeeper-wire.ts'
import { Fenced, type LochError, NoAnswer, problemOf, QuorumLost } from '../errors.ts'
import { run } from '../system/run.ts'
import type { ReignPorts } from './reign-ports.ts'

/** A safekeeper flushes before it answers; one that needs longer than this is as good as down. */
const ANSWER_WITHIN_MS = 5_000
/** Once a majority has voted, the others get this long: their logs may be the fullest. */
const LATE_VOTES_WITHIN_MS = 100
const READ_BYTES_MAX = 640 * 1024

/** Whom an election is announced to, and how that log shall continue. See `Elected` in events/safekeeper-wire.ts. */
export interface ElectionOrder {
  readonly incarnation: string
  readonly truncateTo: number
  readonly start: number
  readonly startChain: number | undefined
  readonly archivedFrom: number
  readonly dutyZone: string
  readonly written: number
}

export async function requestVote(ports: ReignPorts, zone: string, term: number): Promise<VoteResponse> {
  const subject = subjects(ports.project, ports.timeline).vote(zone)
  const data = await request(ports, subject, encodeVote({ term, compute: ports.compute }))
  return understood(zone, decodeVoteResponse(data))
}

/** The votes of all zones that answer; waits for stragglers only briefly once a majority has. Never rejects. */
export function requestVotes(ports: ReignPorts, term: number): Promise<readonly VoteResponse[]> {
  return new Promise((resolve) => {
    const votes: VoteResponse[] = []
    let open = ports.zones.length
    let patience: (() => void) | undefined
    const finish = () => {
      patience?.()
      resolve([...votes])
    }
    for (const zone of ports.zones) {
      requestVote(ports, zone, term).then(
        (vote) => {
          votes.push(vote)
          if (--open === 0) finish()
          else if (votes.length >= majorityOf(ports.zones.length))
            patience ??= ports.timers.after(LATE_VOTES_WITHIN_MS, finish)
        },
        (error: unknown) => {
          ports.report(`no vote of ${zone}: ${problemOf(error)}`)
          if (--open === 0) finish()
        },
      )
    }
  })
}

/** Announces the election. Rejects with Fenced if the safekeeper knows a higher term, with QuorumLost if it refuses. */
export async function elect(
  ports: ReignPorts,
  reign: { readonly term: number; readonly history: TermHistory },
  zone: string,
  order: ElectionOrder,
): Promise<ElectedResponse> {
  const subject = subjects(ports.project, ports.timeline).elected(zone)
  const message = encodeElected({ term: reign.term, compute: ports.compute, history: reign.history, ...order })
  const answer = understood(zone, decodeElectedResponse(await request(ports, subject, message)))
  if (answer.ok) return answer
  const complaint = { component: `safekeeper ${zone}`, value: `term ${reign.term}` }
  if (answer.term > reign.term) {
    const problem = `it has promised itself to term ${answer.term}`
    throw new Fenced({ ...complaint, problem, remedy: 'Nothing is to be done: another compute has taken over.' })
  }
  const problem = answer.fault ?? 'it refused the election'
  throw new QuorumLost({ ...complaint, problem, remedy: `See the log of ${zone}.` })
}

/** Whole frames from position `from` on. Rejects if the safekeeper does not hold it. */
export async function requestFrames(ports: ReignPorts, zone: string, from: number): Promise<Buffer> {
  const subject = subjects(ports.project, ports.timeline).read(zone)
  const data = await request(ports, subject, encodeRead({ from, bytesMax: READ_BYTES_MAX }))
  const answer = understood(zone, decodeReadResponse(data))
  if ('frames' in answer) return answer.frames
  throw new QuorumLost({
    component: `safekeeper ${zone}`,
    value: `position ${from}`,
    problem: answer.problem,
    remedy: 'The log is read from another zone or from the object store instead.',
  })
}

/** Moves archive duty; every zone is told, so that the former holder stops. */
export async function moveDuty(ports: ReignPorts, term: number, zone: string, from: number): Promise<void> {
  const { duty } = subjects(ports.project, ports.timeline)
  const message = encodeDuty({ term, zone, from })
  await Promise.all(
    ports.zones.map(async (other) => {
      try {
        const answer = understood(other, decodeDutyResponse(await request(ports, duty(other), message)))
        if (other === zone && !answer.held) ports.report(`${zone} cannot archive from ${from} on`)
      } catch (error) {
        ports.report(`archive duty at ${other}: ${problemOf(error)}`)
      }
    }),
  )
}

export async function requestStatus(ports: ReignPorts, zone: string): Promise<SafekeeperStatus> {
  const subject = subjects(ports.project, ports.timeline).status(zone)
  return understood(zone, decodeStatus(await request(ports, subject, new Uint8Array(0))))
}

async function request(ports: ReignPorts, subject: string, data: Uint8Array): Promise<Uint8Array> {
  const asked = ports.bus.request(subject, data, { timeoutMs: ANSWER_WITHIN_MS })
  return (await run(asked as Effect.Effect<{ readonly data: Uint8Array }, LochError>)).data
}

function understood<T extends object>(zone: string, answer: T | WireFault): T {
  if (!isWireFault(answer)) return answer
  throw new NoAnswer({
    component: `safekeeper ${zone}`,
    value: answer.fault,
    problem: `its answer cannot be read: ${answer.problem}`,
    remedy: 'Run all zones with the same version of Loch.',
  })
}

/** Another reign exists, or is about to: this one has ended. */
export function fencedBy(ports: Pick<ReignPorts, 'timeline'>, term: number, higher: number): Fenced {
  return new Fenced({
    component: `timeline ${ports.timeline}`,
    value: `term ${term}`,
    problem: `term ${higher} has been promised`,
    remedy: 'Nothing is to be done: another compute has taken over.',
  })
}

/**
 * What a compute's log writer and the safekeepers of a timeline say to each other: votes, elections, reads, archive duty
 * and acknowledgements. Log bytes are not here: they travel as frames (frame.ts) and are never re-encoded.
 *
 * Every message but the acknowledgement (safekeeper-ack.ts) is one MessagePack array: the wire's version, then the fields in the order of
 * the type. Arrays, because names would be most of the bytes, and because a missing field then cannot be mistaken for an
 * old one. Decoders check every field and return a fault as a value: a malformed message is its sender's mistake.
 */
import { encode } from './codec.ts'
import { decoded, SAFEKEEPER_WIRE_VERSION, type TermHistory, type WireFault } from './safekeeper-fields.ts'

export { type AckStatus, type AppendAck, decodeAck, encodeAck } from './safekeeper-ack.ts'
export {
  isWireFault,
  SAFEKEEPER_WIRE_VERSION,
  type TermBegin,
  type TermHistory,
  type WireFault,
} from './safekeeper-fields.ts'

export interface VoteRequest {
  readonly term: number
  readonly compute: string
}

/** The state a vote was given from, whatever the verdict: flushed first, so `flushed` is all the log it has. */
export interface VoteResponse {
  readonly zone: string
  /** False also for a repeated request: this safekeeper refuses lower terms if `term` is the one asked for. */
  readonly granted: boolean
  /** The highest term this safekeeper knows. */
  readonly term: number
  /** Term of the last log it holds: the last entry of `history`, 0 if none. */
  readonly lastTerm: number
  readonly flushed: number
  /** Chain at `flushed`. */
  readonly chain: number
  /** Cut to `flushed`. */
  readonly history: TermHistory
  /** Changes when the disk is replaced or wiped. */
  readonly diskId: string
  /** Changes whenever the disk is opened. */
  readonly incarnation: string
  /** This disk may hold less than its zone has acknowledged: new, or found damaged, and not yet caught up. */
  readonly fresh: boolean
  /** It has been found since it was opened to hold all that. Neither this nor `fresh`: it believes so, as far as disks can be believed. */
  readonly confirmed: boolean
  /**
   * Since it last voted, followed an election, acknowledged or told its status: no writer of an older term has heard it since.
   * Since the disk was opened, if it has done none of it.
   */
  readonly silentMs: number
}

/** What is known of a vote without a clock. */
export type Vote = Omit<VoteResponse, 'silentMs'>

/** The election of a writer, as one safekeeper must hear of it: computed from a vote of that very incarnation. */
export interface Elected {
  readonly term: number
  readonly compute: string
  readonly incarnation: string
  /** The new term's history, itself included as the last entry. */
  readonly history: TermHistory
  /** Highest position at which the receiver's log and the new history agree, as the proposer computed it. */
  readonly truncateTo: number
  /**
   * Position of the first frame to come. Equal to `truncateTo`, except for a safekeeper that is to forget its log and
   * begin anew further on, within what is archived. In an election that is said again to who has followed it, anything beyond its
   * log tells it to fetch the log up to there.
   */
  readonly start: number
  /** Chain at `start`. Without it nobody begins anew there; so it is left out where the log is only to be fetched. */
  readonly startChain: number | undefined
  /** Everything below it is in the object store. */
  readonly archivedFrom: number
  /** Zone that is to archive from `archivedFrom` on; '' for none. */
  readonly dutyZone: string
  /** Where the writer's log ended after the vote: the zone cannot have acknowledged more before that. */
  readonly written: number
}

export interface ElectedResponse {
  readonly zone: string
  readonly ok: boolean
  readonly term: number
  readonly flushed: number
  /** Chain at `flushed`. */
  readonly chain: number
  /** Why not. */
  readonly fault: string | undefined
}

export interface ReadRequest {
  readonly from: number
  /** Payload bytes wanted at most; at least one frame's worth is answered. */
  readonly bytesMax: number
}

/** Answer to a read that has no bytes to give. Log bytes come as frames instead: see `decodeReadResponse`. */
export interface ReadRefused {
  readonly zone: string
  /** First position this safekeeper still holds. */
  readonly begin: number
  readonly flushed: number
  readonly problem: string
}

export interface DutyRequest {
  readonly term: number
  /** The zone that is to archive; every other one stops. */
  readonly zone: string
  readonly from: number
}

export interface DutyResponse {
  readonly zone: string
  readonly held: boolean
  readonly term: number
  readonly archived: number
}

export interface SafekeeperStatus {
  readonly zone: string
  readonly term: number
  readonly lastTerm: number
  /** First position still held locally. */
  readonly begin: number
  readonly flushed: number
  readonly archived: number
  readonly hasDuty: boolean
  readonly fresh: boolean
  /** See VoteResponse. */
  readonly confirmed: boolean
  readonly diskId: string
  /** '' if all is well. */
  readonly problem: string
}

/** The subjects of one timeline's log. `append` reaches every safekeeper, the others the one of a zone. */
export function subjects(project: string, timeline: string) {
  const root = `loch.${project}.timeline.${timeline}`
  const ofZone = (verb: string) => (zone: string) => `${root}.safekeeper.${zone}.${verb}`
  return {
    append: `${root}.append`,
    appendTo: ofZone('append'),
    vote: ofZone('vote'),
    elected: ofZone('elected'),
    read: ofZone('read'),
    duty: ofZone('duty'),
    status: ofZone('status'),
  }
}

const message = (...fields: readonly unknown[]): Uint8Array => encode([SAFEKEEPER_WIRE_VERSION, ...fields])
const packed = (history: TermHistory) => history.map(({ term, begin }) => [term, begin])

export const encodeVote = ({ term, compute }: VoteRequest) => message(term, compute)
export const decodeVote = (bytes: Uint8Array) =>
  decoded<VoteRequest>(bytes, (fields) => ({ term: fields.count(), compute: fields.text() }))

export const encodeVoteResponse = (r: VoteResponse) =>
  message(
    r.zone,
    r.granted,
    r.term,
    r.lastTerm,
    r.flushed,
    r.chain,
    packed(r.history),
    r.diskId,
    r.incarnation,
    r.fresh,
    r.confirmed,
    r.silentMs,
  )
export const decodeVoteResponse = (bytes: Uint8Array) =>
  decoded<VoteResponse>(bytes, (fields) => ({
    zone: fields.text(),
    granted: fields.flag(),
    term: fields.count(),
    lastTerm: fields.count(),
    flushed: fields.count(),
    chain: fields.count(),
    history: fields.history(),
    diskId: fields.text(),
    incarnation: fields.text(),
    fresh: fields.flag(),
    confirmed: fields.flag(),
    silentMs: fields.count(),
  }))

export const encodeElected = (e: Elected) => {
  const { term, compute, incarnation, truncateTo, start, startChain = null, archivedFrom, dutyZone, written } = e
  const history = packed(e.history)
  return message(term, compute, incarnation, history, truncateTo, start, startChain, archivedFrom, dutyZone, written)
}
export const decodeElected = (bytes: Uint8Array) =>
  decoded<Elected>(bytes, (fields) => ({
    term: fields.count(),
    compute: fields.text(),
    incarnation: fields.text(),
    history: fields.history(),
    truncateTo: fields.count(),
    start: fields.count(),
    startChain: fields.optional(() => fields.count()),
    archivedFrom: fields.count(),
    dutyZone: fields.text(),
    written: fields.count(),
  }))

export const encodeElectedResponse = (r: ElectedResponse) =>
  message(r.zone, r.ok, r.term, r.flushed, r.chain, r.fault ?? null)
export const decodeElectedResponse = (bytes: Uint8Array) =>
  decoded<ElectedResponse>(bytes, (fields) => ({
    zone: fields.text(),
    ok: fields.flag(),
    term: fields.count(),
    flushed: fields.count(),
    chain: fields.count(),
    fault: fields.optional(() => fields.text()),
  }))

export const encodeRead = ({ from, bytesMax }: ReadRequest) => message(from, bytesMax)
export const decodeRead = (bytes: Uint8Array) =>
  decoded<ReadRequest>(bytes, (fields) => ({ from: fields.count(), bytesMax: fields.count() }))

export const encodeReadRefused = (r: ReadRefused) => message(r.zone, r.begin, r.flushed, r.problem)
/** The frames, whole and in order, the first beginning at the position asked for; or why there are none. */
export function decodeReadResponse(bytes: Uint8Array): { readonly frames: Buffer } | ReadRefused | WireFault {
  // The first byte of a frame's magic ('L') is never that of a MessagePack array.
  if (bytes[0] === 0x4c) return { frames: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) }
  return decoded<ReadRefused>(bytes, (fields) => ({
    zone: fields.text(),
    begin: fields.count(),
    flushed: fields.count(),
    problem: fields.text(),
  }))
}

export const encodeDuty = ({ term, zone, from }: DutyRequest) => message(term, zone, from)
export const decodeDuty = (bytes: Uint8Array) =>
  decoded<DutyRequest>(bytes, (fields) => ({ term: fields.count(), zone: fields.text(), from: fields.count() }))

export const encodeDutyResponse = (r: DutyResponse) => message(r.zone, r.held, r.term, r.archived)
export const decodeDutyResponse = (bytes: Uint8Array) =>
  decoded<DutyResponse>(bytes, (fields) => ({
    zone: fields.text(),
    held: fields.flag(),
    term: fields.count(),
    archived: fields.count(),
  }))

export const encodeStatus = (s: SafekeeperStatus) => {
  const log = [s.lastTerm, s.begin, s.flushed, s.archived]
  return message(s.zone, s.term, ...log, s.hasDuty, s.fresh, s.confirmed, s.diskId, s.problem)
}
export const decodeStatus = (bytes: Uint8Array) =>
  decoded<SafekeeperStatus>(bytes, (fields) => ({
    zone: fields.text(),
    term: fields.count(),
    lastTerm: fields.count(),
    begin: fields.count(),
    flushed: fields.count(),
    archived: fields.count(),
    hasDuty: fields.flag(),
    fresh: fields.flag(),
    confirmed: fields.flag(),
    diskId: fields.text(),
    problem: fields.text(),
  }))

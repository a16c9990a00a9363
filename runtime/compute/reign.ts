/**
 * A compute's way to the head of a timeline's log: collect votes, choose the tail, make the safekeepers agree on it.
 * The rules (who may vote, which tail wins, where histories part) are pure and live in actors/; this file only asks,
 * waits and sends. Nothing here decides durability.
 */
import * as Effect from 'effect/Effect'
import { chooseTail, commonPoint, type Tail } from '../../actors/compute/election.ts'
import type { Durability } from '../../actors/compute/proposer.ts'
import { FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, readFrameHeader, writeFrameHeader } from '../../events/frame.ts'
import {
  decodeElectedResponse,
  decodeVoteResponse,
  encodeDuty,
  encodeElected,
  encodeRead,
  encodeVote,
  type TermBegin,
  subjects,
  type VoteResponse,
} from '../../events/safekeeper-wire.ts'
import type { BusShape } from '../bus/bus.ts'
import { Fenced, QuorumLost } from '../errors.ts'
import { archiveEnd, type ArchiveEnd, readArchive } from '../log/archive.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'

export interface ReignPorts {
  readonly bus: BusShape
  readonly store: ObjectStoreShape
  readonly project: string
  readonly timeline: string
  /** Zones that hold a safekeeper of the timeline. */
  readonly zones: readonly string[]
  /** Zone of the compute itself: another one is preferred for archive duty, this process has enough to do. */
  readonly zone: string
  readonly compute: string
  readonly durability: Durability
  readonly writer: Uint8Array
  readonly nowMs: () => number
  readonly report: (line: string) => void
}

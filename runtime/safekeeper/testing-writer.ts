/**
 * A log writer for tests of safekeepers: it holds an election by the rules of actors/compute/ and sends frames. The real
 * one (runtime/compute/) has a ring, threads and a socket; what it says to safekeepers is the same.
 */
import { chooseTail, commonPoint, nextHistory, type Tail } from '../../actors/compute/election.ts'
import { acknowledge, createProposer, type Durability, type Proposer } from '../../actors/compute/proposer.ts'
import { chainSeed } from '../../events/frame.ts'
import {
  type AppendAck,
  type DutyResponse,
  decodeAck,
  decodeDutyResponse,
  decodeElectedResponse,
  decodeReadResponse,
  decodeVoteResponse,
  type Elected,
  type ElectedResponse,
  encodeDuty,
  encodeElected,
  encodeRead,
  encodeVote,
  isWireFault,
  subjects,
  type VoteResponse,
  type WireFault,
} from '../../events/safekeeper-wire.ts'
import { findArchiveTail } from '../log/archive.ts'
import { run } from '../system/run.ts'
import { FrameWriter, PROJECT, type SafekeeperWorld, settle, TIMELINE } from './testing.ts'

const names = subjects(PROJECT, TIMELINE)
export const BASE = { term: 0, position: 0, chain: chainSeed(TIMELINE) }

export class TestWriter {
  readonly world: SafekeeperWorld
  readonly zones: readonly string[]
  readonly term: number
  readonly acks: AppendAck[] = []
  readonly reply: string
  proposer: Proposer | undefined
  tail: Tail | undefined
  frames = new FrameWriter(TIMELINE, 0)

  constructor(world: SafekeeperWorld, zones: readonly string[], term: number) {
    this.world = world
    this.zones = zones
    this.term = term
    this.reply = `acks.${term}`
    world.bus.subscribe(this.reply, ({ data }) => {
      const ack = decodeAck(data)
      if (!ack) return
      this.acks.push(ack)
      if (this.proposer && ack.term === term) acknowledge(this.proposer, ack.zone, ack.flushed, ack.archived, 0)
    })
  }

  get durable(): number {
    return this.proposer?.durable ?? 0
  }

  async vote(zone: string): Promise<VoteResponse> {
    return understood(
      decodeVoteResponse(await this.#ask(names.vote(zone), encodeVote({ term: this.term, compute: 'c' }))),
    )
  }

  async elected(zone: string, message: Elected): Promise<ElectedResponse> {
    return understood(decodeElectedResponse(await this.#ask(names.elected(zone), encodeElected(message))))
  }

  async moveDuty(zone: string, to: string, from: number): Promise<DutyResponse> {
    const message = encodeDuty({ term: this.term, zone: to, from })
    return understood(decodeDutyResponse(await this.#ask(names.duty(zone), message)))
  }

  async read(zone: string, from: number, bytesMax: number) {
    return understood(decodeReadResponse(await this.#ask(names.read(zone), encodeRead({ from, bytesMax }))))
  }

  /** Votes of `asked`, the choice, and its announcement to them; the tail itself is not repaired. */
  async reign(
    options: { readonly asked?: readonly string[]; readonly duty?: string; readonly durability?: Durability } = {},
  ): Promise<readonly ElectedResponse[]> {
    const { asked = this.zones, duty = '', durability = 'archived' } = options
    const votes: VoteResponse[] = []
    for (const zone of asked) votes.push(await this.vote(zone))
    const archive = await run(findArchiveTail(this.world.store, TIMELINE, BASE))
    const electorate = { term: this.term, zones: this.zones, durability }
    const choice = chooseTail(votes, archive, electorate)
    if (choice.type !== 'chosen') throw new Error(JSON.stringify(choice))
    this.tail = choice.tail
    this.frames = new FrameWriter(TIMELINE, this.term, choice.tail.position, choice.tail.chain)
    const archivedFrom = archive?.end ?? 0
    this.proposer = createProposer(this.term, choice.tail.position, durability, this.zones, archivedFrom, duty, 0)
    const responses: ElectedResponse[] = []
    for (const vote of votes) responses.push(await this.announce(vote, archivedFrom, duty))
    return responses
  }

  announce(vote: VoteResponse, archivedFrom: number, dutyZone: string): Promise<ElectedResponse> {
    const history = nextHistory(this.tail!, this.term)
    const common = commonPoint(history, Number.POSITIVE_INFINITY, vote.history, vote.flushed) ?? 0
    const { incarnation } = vote
    const base = { term: this.term, compute: 'c', incarnation, history, archivedFrom, dutyZone }
    const written = this.frames.position
    return this.elected(vote.zone, { ...base, truncateTo: common, start: common, startChain: undefined, written })
  }

  /** Sends a frame to all, or to one zone. */
  send(frame: Uint8Array, zone?: string): void {
    this.world.bus.publish(zone === undefined ? names.append : names.appendTo(zone), frame, { reply: this.reply })
  }

  /** Sends the next frame to all and waits until nothing moves any more. */
  async append(payload: string): Promise<number> {
    this.send(this.frames.frame(payload))
    await settle()
    return this.frames.position
  }

  lastAck(zone: string): AppendAck | undefined {
    return this.acks.findLast((ack) => ack.zone === zone)
  }

  async #ask(subject: string, data: Uint8Array): Promise<Uint8Array> {
    return (await run(this.world.bus.request(subject, data))).data
  }
}

function understood<T extends object>(answer: T | WireFault): T {
  if (isWireFault(answer)) throw new Error(answer.problem)
  return answer
}

/**
 * What becomes of messages on their way from the server to a client, beyond being late or lost: some come twice, and of log
 * some comes with a bit flipped. NATS over TCP does neither, or hardly ever; a writer that sends again after a silence does the
 * first, and a network whose 16 bits of checksum let an error pass does the second. Log alone is damaged: frames have checksums
 * of their own, and are what users have written. The rest is to be protected by TLS. Whom it strikes is said by faults.
 */
import { FRAME_HEADER_BYTES, readFrameHeader } from '../../events/frame.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Client, Publication } from './session.ts'

/** Of what comes while messages come twice, or damaged. */
const REPEATED_SHARE = 0.2
const REPEATED_LATE_MEAN_MS = 200
const CORRUPTED_SHARE = 0.1

export class Mangling {
  /** So far. */
  repeated = 0
  corrupted = 0
  readonly #kernel: Kernel
  /** Nobody is struck after this, which most messages of most runs are asked. */
  #untilMs = Number.NEGATIVE_INFINITY

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  begin(untilMs: number): void {
    this.#untilMs = Math.max(this.#untilMs, untilMs)
  }

  /** The publication as it gets there. */
  arriving({ name, conditions }: Client, publication: Publication): Publication {
    const { nowMs, draws } = this.#kernel
    if (this.#untilMs <= nowMs || !conditions.some(({ corruptedUntilMs }) => corruptedUntilMs > nowMs))
      return publication
    if (!isFrame(publication.data) || !draws.chance(`network.corrupts.${name}`, CORRUPTED_SHARE)) return publication
    this.corrupted++
    const data = Buffer.from(publication.data)
    const at = draws.between(`network.corrupt.byte.${name}`, 0, data.length - 1)
    data[at] = data[at]! ^ (1 << draws.between(`network.corrupt.bit.${name}`, 0, 7))
    return { ...publication, data }
  }

  /** How long after itself a message comes once more; undefined for most. */
  repeatAfterMs({ name, conditions }: Client): number | undefined {
    const { nowMs, draws } = this.#kernel
    if (this.#untilMs <= nowMs || !conditions.some(({ repeatedUntilMs }) => repeatedUntilMs > nowMs)) return undefined
    if (!draws.chance(`network.repeats.${name}`, REPEATED_SHARE)) return undefined
    this.repeated++
    return draws.exponential(`network.repeat.${name}`, REPEATED_LATE_MEAN_MS)
  }
}

/** Publications hold copies in buffers of their own. */
function isFrame(data: Uint8Array): boolean {
  return data.length > FRAME_HEADER_BYTES && typeof readFrameHeader(data as Buffer, 0) !== 'string'
}

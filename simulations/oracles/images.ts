/**
 * Every durable prefix of the log is a legal crash image. Some positions that became durable are kept, drawn by name, with what
 * clients had been told of by then. At the end of the run the archived log is folded up to exactly there, in a world of its
 * own (image-world.ts), and simulated Postgres recovers on it: without corruption, and with all that was acknowledged.
 */
import { cutHistory, lastTermOf } from '../../actors/compute/election.ts'
import type { IndexSnapshot } from '../../events/timeline.ts'
import type { Draws } from '../kernel/draws.ts'
import type { Register, TransactionResult } from '../postgres/transaction.ts'
import type { ChainNode } from './chains.ts'
import type { CommittedLog } from './committed-log.ts'
import type { Attempt, Ledger } from './ledger.ts'

export interface CrashImage {
  readonly position: number
  readonly chain: number
  /** What clients had been told of when the position became durable. */
  readonly told: Attempt
}

const IMAGES = 2

/** Draws as the run goes on: of all positions that were durable, each is as likely to be kept. */
export class ImagePicker {
  readonly #draws: Draws
  readonly #ledger: Ledger
  readonly #keys: readonly number[]
  readonly #kept: CrashImage[] = []
  #seen = 0

  constructor(draws: Draws, ledger: Ledger, keys: number) {
    this.#draws = draws
    this.#ledger = ledger
    this.#keys = Array.from({ length: keys }, (_, key) => key)
  }

  get kept(): readonly CrashImage[] {
    return this.#kept
  }

  offer(position: number, chain: number): void {
    const seen = this.#seen++
    const place = seen < IMAGES ? seen : this.#draws.between('image.place', 0, seen)
    if (place >= IMAGES) return
    const transaction = { id: 0, keys: this.#keys, isWrite: false }
    this.#kept[place] = { position, chain, told: this.#ledger.began('crash image', transaction) }
  }
}

/** From where to fold: the newest snapshot at or before the image, or, undefined, the first byte. */
export function snapshotFor(
  { position }: CrashImage,
  snapshots: readonly IndexSnapshot[],
  draws: Draws,
): IndexSnapshot | undefined {
  const usable = snapshots.findLast((snapshot) => snapshot.position <= position)
  return draws.chance('image.from-snapshot', 0.5) ? usable : undefined
}

/** The image as the tail that an election would choose if nothing after it existed. */
export function tailAt(log: CommittedLog, { position, chain }: CrashImage) {
  // The log of a term that begins exactly there is none of it yet.
  const history = cutHistory(log.history, position - 1)
  return { source: 'archive', lastTerm: lastTermOf(history), position, chain, history }
}

/** Compares what a recovered image holds with what clients had been told. */
export function checkImage({ position, told }: CrashImage, results: TransactionResult): string[] {
  const problems: string[] = []
  for (const { key, read } of results) {
    const floor = told.floors.get(key)
    if (!floor || isInTree(floor, read)) continue
    problems.push(
      `recovered from the log up to ${position}, key ${key} has ${words(read)}, but clients had been told of ${words(floor)} when that became durable`,
    )
  }
  return problems
}

/** True if `read` is `floor` or stands on it. */
function isInTree(floor: ChainNode, read: Register): boolean {
  const open: ChainNode[] = [floor]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.hash === read.hash && node.version === read.version) return true
    if (node.version < read.version) open.push(...node.children)
  }
  return false
}

function words({ version, transactionId }: Register): string {
  return version === 0 ? 'no value' : `version ${version} of transaction ${transactionId}`
}

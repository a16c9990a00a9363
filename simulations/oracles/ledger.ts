/**
 * The clients' oracle: what they were told must stay true. Per key it knows the newest value that somebody was told of; who
 * asks after that must see it or a successor. So a lost commit, a stale read, a fork, a transaction that happened by half,
 * and one that comes back after a read has shown that it did not happen, are all violations. A transaction whose
 * outcome its client does not know may have happened or not.
 *
 * It judges by what crosses the connection, and looks into servers only to know which writes exist. It never changes a run.
 */
import type { Corruption } from '../postgres/errors.ts'
import type {
  ExecutedWrite,
  ExecutionObserver,
  KeyResult,
  Register,
  Transaction,
  TransactionResult,
} from '../postgres/transaction.ts'
import { above, type ChainNode, Chains, standsOn } from './chains.ts'

export const VIOLATION_KINDS = [
  'corruption',
  'unknown-value',
  'wrong-write',
  'stale-read',
  'lost-commit',
  'fork',
  'phantom',
  'torn-transaction',
] as const
export type ViolationKind = (typeof VIOLATION_KINDS)[number]

export interface Violation {
  readonly kind: ViolationKind
  readonly atMs: number
  readonly words: string
}

/** A transaction that a client has sent. */
export interface Attempt {
  readonly client: string
  readonly transaction: Transaction
  readonly beganAtMs: number
  /** What it must see at least, by key. */
  readonly floors: ReadonlyMap<number, ChainNode>
}

export interface LedgerCounts {
  readonly acknowledgedReads: number
  readonly acknowledgedWrites: number
  readonly lost: number
}

export interface LedgerOptions {
  readonly nowMs: () => number
  readonly onViolation?: (violation: Violation) => void
}

/** Beyond this they all have the same cause. */
const VIOLATIONS_MAX = 100

export class Ledger implements ExecutionObserver {
  readonly violations: Violation[] = []
  readonly counts = { acknowledgedReads: 0, acknowledgedWrites: 0, lost: 0 }
  readonly #chains = new Chains()
  /** By key, the newest value that somebody was told of. */
  readonly #floors = new Map<number, ChainNode>()
  readonly #options: LedgerOptions
  readonly #epochMs: number

  constructor(options: LedgerOptions) {
    this.#options = options
    this.#epochMs = options.nowMs()
  }

  executed(transactionId: number, writes: readonly ExecutedWrite[]): void {
    const nodes: ChainNode[] = []
    for (const write of writes) {
      const node = this.#chains.add(write, this.#options.nowMs())
      if (node !== undefined) nodes.push(node)
      else
        this.#violate('unknown-value', `${words(write.key, write.parent)}, on which transaction ${transactionId} wrote`)
    }
    for (const node of nodes) if (node.partners.length === 0) node.partners.push(...nodes.filter((one) => one !== node))
  }

  corrupted(corruption: Corruption): void {
    this.#violate('corruption', corruption.message)
  }

  /** To be called when a client sends a transaction, before anybody can execute it. */
  began(client: string, transaction: Transaction): Attempt {
    const floors = new Map(transaction.keys.map((key) => [key, this.#floor(key)]))
    return { client, transaction, beganAtMs: this.#options.nowMs(), floors }
  }

  /** The outcome is unknown, now and for ever. */
  lost(_attempt: Attempt): void {
    this.counts.lost++
  }

  acknowledged(attempt: Attempt, results: TransactionResult): void {
    if (attempt.transaction.isWrite) this.counts.acknowledgedWrites++
    else this.counts.acknowledgedReads++
    const seen = new Map<number, ChainNode>()
    for (const { key, read } of results) {
      const node = this.#resolve(attempt, key, read)
      if (node !== undefined) seen.set(key, node)
    }
    for (const node of seen.values()) this.#checkSeen(attempt, node, seen)
    for (const result of results) this.#conclude(attempt, result, seen.get(result.key))
  }

  #resolve(attempt: Attempt, key: number, register: Register): ChainNode | undefined {
    const node = this.#chains.find(key, register)
    if (node === undefined) this.#violate('unknown-value', `${this.#whoSaw(attempt)} ${words(key, register)}`)
    return node
  }

  /** What is seen stands on what somebody was told before; nothing in it is refuted, or happened by half. */
  #checkSeen(attempt: Attempt, node: ChainNode, seen: ReadonlyMap<number, ChainNode>): void {
    const floor = attempt.floors.get(node.key)!
    if (!standsOn(node, floor)) {
      const kind = standsOn(floor, node) ? 'stale-read' : 'lost-commit'
      this.#violate(kind, `${this.#whoSaw(attempt)} ${words(node.key, node)}, but ${this.#history(floor)}`)
      return
    }
    for (const step of above(floor, node)) {
      if (step.refutedAtMs !== undefined)
        this.#violate(
          'phantom',
          `${this.#whoSaw(attempt)} ${this.#history(step)}, which a read had shown not to be there`,
        )
      for (const partner of step.partners) this.#checkPartner(attempt, step, partner, seen.get(partner.key))
    }
  }

  #checkPartner(attempt: Attempt, step: ChainNode, partner: ChainNode, other: ChainNode | undefined): void {
    if (other === undefined || standsOn(other, partner)) return
    this.#violate(
      'torn-transaction',
      `${this.#whoSaw(attempt)} ${words(step.key, step)} in one, but of its other half, ` +
        `${words(partner.key, partner)}, nothing: ${words(other.key, other)}`,
    )
  }

  #conclude(attempt: Attempt, { key, written }: KeyResult, read: ChainNode | undefined): void {
    if (read === undefined) return
    const own = written === undefined ? undefined : this.#resolve(attempt, key, written)
    if (own !== undefined) this.#acknowledge(attempt, own, read)
    for (const child of read.children) {
      const isMissed = child !== own && child.confirmedAtMs === undefined && child.executedAtMs < attempt.beganAtMs
      if (isMissed) child.refutedAtMs ??= this.#options.nowMs()
    }
    this.#confirm(own ?? read, `${attempt.client} was told of it by transaction ${attempt.transaction.id}`)
  }

  #acknowledge(attempt: Attempt, own: ChainNode, read: ChainNode): void {
    own.acknowledgedAtMs ??= this.#options.nowMs()
    if (own.parent === read && own.transactionId === attempt.transaction.id) return
    this.#violate('wrong-write', `${this.#whoSaw(attempt)} ${words(read.key, read)}, but wrote ${words(own.key, own)}`)
  }

  /** From now on it must be seen, with all that it stands on and the other halves of that. */
  #confirm(node: ChainNode, reason: string): void {
    const floor = this.#floor(node.key)
    if (standsOn(floor, node)) return
    if (!standsOn(node, floor)) {
      this.#violate(
        'fork',
        `${this.#history(node)}: ${reason}, but ${this.#history(floor)}, and neither stands on the other`,
      )
      return
    }
    this.#floors.set(node.key, node)
    for (const step of above(floor, node)) {
      step.confirmedAtMs = this.#options.nowMs()
      for (const partner of step.partners) this.#confirm(partner, `it is a half of transaction ${step.transactionId}`)
    }
  }

  #floor(key: number): ChainNode {
    return this.#floors.get(key) ?? this.#chains.root(key)
  }

  #violate(kind: ViolationKind, words: string): void {
    if (this.violations.length >= VIOLATIONS_MAX) return
    const atMs = this.#options.nowMs()
    const violation = { kind, atMs, words: `${this.#time(atMs)} ${kind}: ${words}` }
    this.violations.push(violation)
    this.#options.onViolation?.(violation)
  }

  #whoSaw({ client, transaction, beganAtMs }: Attempt): string {
    return `${client}, in transaction ${transaction.id} sent at ${this.#time(beganAtMs)}, saw`
  }

  /** The value, and who was told of it when. */
  #history(node: ChainNode): string {
    const { acknowledgedAtMs, confirmedAtMs, refutedAtMs, executedAtMs } = node
    const facts = [`executed at ${this.#time(executedAtMs)}`]
    if (acknowledgedAtMs !== undefined) facts.push(`acknowledged at ${this.#time(acknowledgedAtMs)}`)
    if (confirmedAtMs !== undefined) facts.push(`known to clients since ${this.#time(confirmedAtMs)}`)
    if (refutedAtMs !== undefined) facts.push(`missing in a read at ${this.#time(refutedAtMs)}`)
    return `${words(node.key, node)} (${facts.join(', ')})`
  }

  #time(atMs: number): string {
    return `${((atMs - this.#epochMs) / 1000).toFixed(4)} s`
  }
}

function words(key: number, { version, transactionId, hash }: Register): string {
  if (version === 0) return `key ${key} unwritten`
  return `version ${version} of key ${key} by transaction ${transactionId} (${hash.toString(16)})`
}

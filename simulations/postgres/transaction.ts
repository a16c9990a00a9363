/**
 * What clients ask and what they get: registers that are read, or read and replaced by their successor. A value names its
 * whole past through a chain of hashes, so that whoever sees one knows which writes it stands on. Nothing here knows how a
 * register is stored.
 */
import type { Corruption } from './errors.ts'

export interface Transaction {
  /** Unique in a run, from 1 on: a transaction that is tried again is another one. */
  readonly id: number
  readonly keys: readonly number[]
  /** Replaces every key's value by its successor; otherwise just reads. */
  readonly isWrite: boolean
}

export interface Register {
  /** How many writes made it; 0 for a key that was never written. */
  readonly version: number
  /** The write that made it; 0 if none. */
  readonly transactionId: number
  /** 48 bits over the key and all writes so far; 0 if none. */
  readonly hash: number
}

export const UNWRITTEN: Register = { version: 0, transactionId: 0, hash: 0 }

export interface KeyResult {
  readonly key: number
  readonly read: Register
  readonly written: Register | undefined
}

export type TransactionResult = readonly KeyResult[]

export interface ExecutedWrite {
  readonly key: number
  readonly parent: Register
  readonly written: Register
}

/** Who looks on. Nothing that it does may change the run. */
export interface ExecutionObserver {
  /** A transaction's writes stand in the WAL buffers: durable later, or never. */
  executed(transactionId: number, writes: readonly ExecutedWrite[]): void
  corrupted(corruption: Corruption): void
}

export function successorOf(parent: Register, key: number, transactionId: number): Register {
  return { version: parent.version + 1, transactionId, hash: chainHash(parent.hash, key, transactionId) }
}

const TWO_32 = 2 ** 32

function chainHash(previous: number, key: number, transactionId: number): number {
  let low = 0x811c_9dc5
  let high = 0x9e37_79b9
  for (const value of [previous, key, transactionId]) {
    for (const word of [value >>> 0, Math.floor(value / TWO_32)]) {
      low = mix(low ^ word)
      high = mix(high + Math.imul(low, 0x0100_0193) + word)
    }
  }
  return (high & 0xffff) * TWO_32 + low
}

/** The finalizer of MurmurHash3 (public domain, Austin Appleby). */
function mix(value: number): number {
  let h = value >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/**
 * What every register might have been: for each key a tree of values, one node per executed write, each on top of the value
 * it replaced. Lost writes are branches of it. Which values may still be seen is not decided here.
 */
import type { ExecutedWrite, Register } from '../postgres/transaction.ts'

export interface ChainNode extends Register {
  readonly key: number
  readonly parent: ChainNode | undefined
  readonly children: ChainNode[]
  readonly executedAtMs: number
  /** What the same transaction wrote to other keys. */
  readonly partners: ChainNode[]
  /** When its own client got to know that it is committed. */
  acknowledgedAtMs: number | undefined
  /** Since when it must be seen: it, a successor or a partner was acknowledged or read. */
  confirmedAtMs: number | undefined
  /** A read that began after it was executed did not see it: it must never be seen any more. */
  refutedAtMs: number | undefined
}

export class Chains {
  readonly #roots = new Map<number, ChainNode>()
  /** By key and hash. */
  readonly #nodes = new Map<number, Map<number, ChainNode>>()

  root(key: number): ChainNode {
    let root = this.#roots.get(key)
    if (root === undefined) {
      root = newNode(key, { version: 0, transactionId: 0, hash: 0 }, undefined, Number.NEGATIVE_INFINITY)
      this.#roots.set(key, root)
      this.#nodes.set(key, new Map([[root.hash, root]]))
    }
    return root
  }

  /** Undefined if nobody wrote this value. */
  find(key: number, { hash, version, transactionId }: Register): ChainNode | undefined {
    this.root(key)
    const node = this.#nodes.get(key)!.get(hash)
    return node?.version === version && node.transactionId === transactionId ? node : undefined
  }

  /** Undefined if the write stands on a value that nobody wrote. */
  add({ key, parent, written }: ExecutedWrite, atMs: number): ChainNode | undefined {
    const below = this.find(key, parent)
    if (below === undefined) return undefined
    const known = this.find(key, written)
    if (known !== undefined) return known
    const node = newNode(key, written, below, atMs)
    below.children.push(node)
    this.#nodes.get(key)!.set(written.hash, node)
    return node
  }
}

/** True if `node` is `ancestor` or stands on it. */
export function standsOn(node: ChainNode, ancestor: ChainNode): boolean {
  let at: ChainNode | undefined = node
  while (at !== undefined && at.version > ancestor.version) at = at.parent
  return at === ancestor
}

/** `node` and what it stands on, newest first, without `floor` and what that stands on. */
export function* above(floor: ChainNode, node: ChainNode): Generator<ChainNode> {
  for (let at: ChainNode | undefined = node; at !== undefined && at.version > floor.version; at = at.parent) yield at
}

function newNode(key: number, register: Register, parent: ChainNode | undefined, atMs: number): ChainNode {
  return {
    key,
    version: register.version,
    transactionId: register.transactionId,
    hash: register.hash,
    parent,
    children: [],
    executedAtMs: atMs,
    partners: [],
    acknowledgedAtMs: undefined,
    confirmedAtMs: undefined,
    refutedAtMs: undefined,
  }
}

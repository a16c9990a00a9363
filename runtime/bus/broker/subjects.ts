/**
 * The index that finds the subscriptions of a published subject: a trie of tokens, and a memory of recent answers. It
 * never looks at clients: a subscription is whatever the broker makes of it. Subjects must be well formed (../subject.ts).
 */

/** Answers that are remembered. Replies to requests have a new subject each, so this is cleared from time to time. */
const REMEMBERED_MAX = 4_096

/** Who gets a message: all of `plain`, and one of each array in `queues`. */
export interface Match<S> {
  readonly plain: readonly S[]
  readonly queues: ReadonlyArray<readonly S[]>
}

/** One token of subscribed subjects. Its arrays are replaced and never changed, since a delivery may be walking them. */
interface Node<S> {
  readonly literal: Map<string, Node<S>>
  /** Below `*`. */
  any: Node<S> | undefined
  /** Below `>`. */
  rest: Node<S> | undefined
  plain: readonly S[]
  readonly queues: Map<string, readonly S[]>
}

export class SubjectIndex<S> {
  #root = newNode<S>()
  readonly #remembered = new Map<string, Match<S>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** `subject` must be subscribable; `queue` is '' for a plain subscription. */
  add(subject: string, queue: string, subscription: S): void {
    let node = this.#root
    for (const token of subject.split('.')) node = descend(node, token)
    if (queue === '') node.plain = [...node.plain, subscription]
    else node.queues.set(queue, [...(node.queues.get(queue) ?? []), subscription])
    this.#size++
    this.#remembered.clear()
  }

  /** Arguments as given to `add`. */
  remove(subject: string, queue: string, subscription: S): void {
    if (!removeBelow(this.#root, subject.split('.'), 0, queue, subscription)) return
    this.#size--
    this.#remembered.clear()
  }

  /** Wildcards in `subject` are taken as ordinary tokens. */
  match(subject: string): Match<S> {
    const remembered = this.#remembered.get(subject)
    if (remembered !== undefined) return remembered
    const match = { plain: [] as S[], queues: [] as (readonly S[])[] }
    const tokens = subject.split('.')
    if (!tokens.includes('')) collect(this.#root, tokens, 0, match, new Map())
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear()
    this.#remembered.set(subject, match)
    return match
  }
}

function newNode<S>(): Node<S> {
  return { literal: new Map(), any: undefined, rest: undefined, plain: [], queues: new Map() }
}

function descend<S>(node: Node<S>, token: string): Node<S> {
  const found = child(node, token)
  if (found !== undefined) return found
  const made = newNode<S>()
  if (token === '*') node.any = made
  else if (token === '>') node.rest = made
  else node.literal.set(token, made)
  return made
}

function child<S>(node: Node<S>, token: string): Node<S> | undefined {
  if (token === '*') return node.any
  if (token === '>') return node.rest
  return node.literal.get(token)
}

/** Removes one subscription and the nodes that are empty without it; false if it was not there. */
function removeBelow<S>(
  node: Node<S>,
  tokens: readonly string[],
  depth: number,
  queue: string,
  subscription: S,
): boolean {
  if (depth === tokens.length) return removeHere(node, queue, subscription)
  const token = tokens[depth]!
  const next = child(node, token)
  if (next === undefined || !removeBelow(next, tokens, depth + 1, queue, subscription)) return false
  if (isEmpty(next)) {
    if (token === '*') node.any = undefined
    else if (token === '>') node.rest = undefined
    else node.literal.delete(token)
  }
  return true
}

function removeHere<S>(node: Node<S>, queue: string, subscription: S): boolean {
  const before = queue === '' ? node.plain : (node.queues.get(queue) ?? [])
  const after = before.filter((other) => other !== subscription)
  if (after.length === before.length) return false
  if (queue === '') node.plain = after
  else if (after.length === 0) node.queues.delete(queue)
  else node.queues.set(queue, after)
  return true
}

function isEmpty<S>(node: Node<S>): boolean {
  const hasChildren = node.literal.size > 0 || node.any !== undefined || node.rest !== undefined
  return !hasChildren && node.plain.length === 0 && node.queues.size === 0
}

type Found<S> = { plain: S[]; queues: (readonly S[])[] }

/** `groups` says where in `queues` a queue's members are gathered: one queue may stand under several subjects. */
function collect<S>(
  node: Node<S>,
  tokens: readonly string[],
  depth: number,
  found: Found<S>,
  groups: Map<string, number>,
): void {
  if (depth === tokens.length) {
    take(node, found, groups)
    return
  }
  if (node.rest !== undefined) take(node.rest, found, groups)
  if (node.any !== undefined) collect(node.any, tokens, depth + 1, found, groups)
  const literal = node.literal.get(tokens[depth]!)
  if (literal !== undefined) collect(literal, tokens, depth + 1, found, groups)
}

function take<S>(node: Node<S>, found: Found<S>, groups: Map<string, number>): void {
  found.plain.push(...node.plain)
  for (const [queue, members] of node.queues) {
    const index = groups.get(queue)
    if (index === undefined) groups.set(queue, found.queues.push(members) - 1)
    else found.queues[index] = [...found.queues[index]!, ...members]
  }
}

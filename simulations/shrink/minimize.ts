/**
 * Delta debugging (ddmin; Zeller and Hildebrandt, IEEE TSE 2002): of a list that makes something fail, a part that still does and
 * of which no single item can be left out, as long as the asker has patience. It knows nothing of what the items are.
 */

/** `fails` is asked of lists without one already known; what it says of the whole list is taken for granted. */
export async function minimize<A>(
  items: readonly A[],
  fails: (items: readonly A[]) => Promise<boolean>,
): Promise<readonly A[]> {
  if (items.length === 0 || (await fails([]))) return []
  let rest = items
  for (let count = 2; rest.length >= 2; ) {
    const smaller = await firstThatFails(rest, count, fails)
    if (smaller !== undefined) {
      rest = smaller.items
      count = smaller.isPart ? 2 : Math.max(2, count - 1)
    } else if (count < rest.length) count = Math.min(rest.length, 2 * count)
    else break
  }
  return rest
}

/** One of `count` parts alone, or all but one of them. */
async function firstThatFails<A>(
  items: readonly A[],
  count: number,
  fails: (items: readonly A[]) => Promise<boolean>,
): Promise<{ readonly items: readonly A[]; readonly isPart: boolean } | undefined> {
  const parts = split(items, count)
  for (const part of parts) if (await fails(part)) return { items: part, isPart: true }
  // Of two parts each is all but the other.
  if (parts.length === 2) return undefined
  for (const part of parts) {
    const others = items.filter((item) => !part.includes(item))
    if (await fails(others)) return { items: others, isPart: false }
  }
  return undefined
}

function split<A>(items: readonly A[], count: number): ReadonlyArray<readonly A[]> {
  const parts: Array<readonly A[]> = []
  for (let at = 0; at < count; at++) {
    const part = items.slice(Math.floor((at * items.length) / count), Math.floor(((at + 1) * items.length) / count))
    if (part.length > 0) parts.push(part)
  }
  return parts
}

/**
 * Rounds of contestants in turn (A B C, B C A, C A B, …): the speed of a shared machine drifts, and who comes first finds
 * other caches than who comes last, so everyone is measured in every round, and no one always at the same place.
 */

/** `items`, beginning with another one each round. */
export function rotated<T>(items: readonly T[], round: number): readonly T[] {
  const first = round % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

/** Measures each of `names` once a round; each one's figures, in the order of rounds. */
export async function inTurn<N extends string>(
  names: readonly N[],
  rounds: number,
  measure: (name: N) => Promise<number>,
  ended: (figures: Readonly<Record<N, number>>) => void = () => {},
): Promise<Record<N, number[]>> {
  const all = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<N, number[]>
  for (let round = 0; round < rounds; round++) {
    for (const name of rotated(names, round)) all[name].push(await measure(name))
    ended(Object.fromEntries(names.map((name) => [name, all[name][round]!])) as Record<N, number>)
  }
  return all
}

/** Round by round. */
export function quotients(dividends: readonly number[], divisors: readonly number[]): readonly number[] {
  return dividends.map((value, round) => value / divisors[round]!)
}

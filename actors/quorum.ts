/**
 * How many are enough. One function, because everything Loch promises rests on two majorities of one set having a member
 * in common, and a second spelling of it would be a place to get that wrong.
 */

/** The smallest number of `members` of which any two sets intersect. */
export function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1
}

/** Faults have no names: one is told from another by all that it says. */
import type { Fault } from '../faults/fault.ts'

export function isSameFault({ kind, ...left }: Fault, { kind: other, ...right }: Fault): boolean {
  // A log puts the kind elsewhere, and leaves the order of all else as it was.
  return kind === other && JSON.stringify(left) === JSON.stringify(right)
}

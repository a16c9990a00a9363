/**
 * A deliberate error in production code, as data: a piece of text in a file is replaced by another. It is applied to the
 * compiled code, never to sources, so the repository stays right. Whoever cannot find such errors would not find real
 * ones either. A mutation keeps the program running in calm weather; what hides it is only that nothing goes wrong. Where a
 * rule is kept in two places, so that neither alone lets an error through, it is broken in both.
 */
import type { FaultKind } from '../faults/fault.ts'
import type { Plan } from '../plan/plan.ts'

/** What a plan must have if it is to show an error at all; others need not be run. */
export interface Needs {
  readonly durability?: Plan['durability']
  /** At least one of them. */
  readonly faults?: readonly FaultKind[]
}

export interface Edit {
  /** Source file, from the root of the repository. */
  readonly file: string
  /** Occurs exactly once in what the compiler makes of the file. */
  readonly find: string
  readonly replace: string
}

export interface Mutation extends Edit {
  readonly name: string
  /** Where the same rule is kept as well. */
  readonly also?: readonly Edit[]
  /** Which rule is broken. */
  readonly about: string
  /** Without, any plan may show it. */
  readonly needs?: Needs
  /** A plan that shows it, run before any seed, because few seeds do: a file in simulations/, without its .json. */
  readonly plan?: string
}

/** Where the compiler puts it, from its output folder. */
export function compiledFile({ file }: Edit): string {
  return file.replace(/\.ts$/, '.js')
}

export function editsOf(mutation: Mutation): readonly Edit[] {
  return [mutation, ...(mutation.also ?? [])]
}

/** Throws if the text is not there, or not once: the mutation would be void, or another than is meant. */
export function edit(compiled: string, { file, find, replace }: Edit): string {
  const parts = compiled.split(find)
  if (parts.length !== 2) throw new Error(`a mutation's text occurs ${parts.length - 1} times in ${file}: ${find}`)
  return parts.join(replace)
}

export function canShow(plan: Plan, { durability, faults }: Needs): boolean {
  if (durability !== undefined && plan.durability !== durability) return false
  return faults === undefined || plan.faults.some(({ kind }) => faults.includes(kind))
}

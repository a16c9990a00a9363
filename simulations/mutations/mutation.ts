/**
 * A deliberate error in production code, as data: one piece of text in one file is replaced by another. It is applied to the
 * compiled code, never to sources, so the repository stays right. Whoever cannot find such errors would not find real
 * ones either. A mutation keeps the program running in calm weather; what hides it is only that nothing goes wrong.
 */
import type { FaultKind } from '../faults/fault.ts'
import type { Plan } from '../plan/plan.ts'

/** What a plan must have if it is to show an error at all; others need not be run. */
export interface Needs {
  readonly durability?: Plan['durability']
  /** At least one of them. */
  readonly faults?: readonly FaultKind[]
}

export interface Mutation {
  readonly name: string
  /** Source file, from the root of the repository. */
  readonly file: string
  /** Occurs exactly once in what the compiler makes of the file. */
  readonly find: string
  readonly replace: string
  /** Which rule is broken. */
  readonly about: string
  /** Without, any plan may show it. */
  readonly needs?: Needs
}

/** Where the compiler puts it, from its output folder. */
export function compiledFile({ file }: Mutation): string {
  return file.replace(/\.ts$/, '.js')
}

/** Throws if the text is not there, or not once: the mutation would be void, or another than is meant. */
export function mutate(compiled: string, { name, file, find, replace }: Mutation): string {
  const parts = compiled.split(find)
  if (parts.length !== 2) throw new Error(`mutation ${name}: its text occurs ${parts.length - 1} times in ${file}`)
  return parts.join(replace)
}

export function canShow(plan: Plan, { durability, faults }: Needs): boolean {
  if (durability !== undefined && plan.durability !== durability) return false
  return faults === undefined || plan.faults.some(({ kind }) => faults.includes(kind))
}

/** Results of mutations as text: a line for each, and those at the end that nothing has caught. No run is started here. */
import { violationKind } from '../shrink/violation-kind.ts'
import { oracleOf } from './oracle-of.ts'
import type { MutationResult } from './run-mutations.ts'

const NAME_WIDTH = 40
const SEEDS_WIDTH = 6
const ORACLE_WIDTH = 15

export const HEADING = `${'mutation'.padEnd(NAME_WIDTH)} ${'seeds'.padStart(SEEDS_WIDTH)}  caught by`

export function resultLine({ name, caught, seeds }: MutationResult): string {
  const what = caught
    ? `${oracleOf(caught.violation).padEnd(ORACLE_WIDTH)}  ${violationKind(caught.violation)}`
    : 'NOT CAUGHT'
  const howMany = caught && seeds === 0 ? 'plan' : String(seeds)
  return `${name.padEnd(NAME_WIDTH)} ${howMany.padStart(SEEDS_WIDTH)}  ${what}`
}

/** `count`: of all that were to be caught. */
export function summaryLines(results: readonly MutationResult[], count = results.length): readonly string[] {
  const missed = results.filter(({ caught }) => caught === undefined)
  const lines = [`${results.length - missed.length} of ${count} mutations were caught`]
  if (missed.length > 0) lines.push(`not caught: ${missed.map(({ name }) => name).join(', ')}`)
  if (results.length < count) lines.push(`${count - results.length} were given up`)
  return lines
}

/** Results of mutations as text: a line for each, and those at the end that nothing has caught. No run is started here. */
import { violationKind } from '../shrink/violation-kind.ts'
import type { MutationResult } from './run-mutations.ts'

const NAME_WIDTH = 40
const SEEDS_WIDTH = 6

export function resultLine({ name, caught, seeds }: MutationResult): string {
  const what = caught ? violationKind(caught.violation) : 'NOT CAUGHT'
  return `${name.padEnd(NAME_WIDTH)} ${String(seeds).padStart(SEEDS_WIDTH)}  ${what}`
}

export function summaryLines(results: readonly MutationResult[]): readonly string[] {
  const missed = results.filter(({ caught }) => caught === undefined)
  const lines = [`${results.length - missed.length} of ${results.length} mutations were caught`]
  if (missed.length > 0) lines.push(`not caught: ${missed.map(({ name }) => name).join(', ')}`)
  return lines
}

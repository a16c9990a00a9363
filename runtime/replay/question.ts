/**
 * What can be asked of a run log on the command line, and which flags go together. A flag that a question would not heed is
 * refused: an answer to something else than was asked is worse than none. No question is answered here.
 */
import { BadArgument } from '../errors.ts'
import type { FilterOptions } from './filter.ts'

export interface Question extends FilterOptions {
  readonly at?: string | undefined
  readonly back: boolean
  readonly limit?: number | undefined
  readonly until?: string | undefined
  readonly watch?: string | undefined
  readonly print?: string | undefined
  readonly state?: string | undefined
  readonly diff?: string | undefined
  readonly why?: string | undefined
  readonly effects?: string | undefined
  readonly query?: string | undefined
  readonly diagram?: 'text' | 'mermaid' | undefined
  readonly html?: string | undefined
  readonly microsteps: boolean
  readonly 're-execute': boolean
}

type Flag = keyof Question

export const FILTERS = ['actor', 'type', 'term', 'correlation', 'from', 'to', 'grep', 'where'] as const satisfies Flag[]
const WHERE_TO = ['at', 'back', 'until'] as const

/** Each is a question of its own, with the flags that it has no use for. Without any of them events are listed. */
const UNHEEDED = {
  watch: [],
  print: [],
  state: ['limit'],
  diff: [...WHERE_TO, 'limit', ...FILTERS.filter((filter) => filter !== 'actor')],
  why: [...WHERE_TO, 'limit', ...FILTERS],
  effects: [...WHERE_TO, ...FILTERS],
  query: WHERE_TO,
  diagram: [],
  html: [...WHERE_TO, 'limit'],
  microsteps: ['limit'],
  're-execute': [...WHERE_TO, 'limit', ...FILTERS],
} as const satisfies Partial<Record<Flag, readonly Flag[]>>

/** @throws BadArgument if two questions are asked at once, or one with a flag that it does not heed. */
export function checkQuestion(question: Question): void {
  const isGiven = (flag: Flag) => question[flag] !== undefined && question[flag] !== false
  const asked = (Object.keys(UNHEEDED) as Array<keyof typeof UNHEEDED>).filter(isGiven)
  const [first, second] = asked
  if (first === undefined) return
  if (second !== undefined)
    throw refuse([first, second], 'each of these is a question of its own', 'Ask one at a time.')
  const unheeded = UNHEEDED[first].find(isGiven)
  if (unheeded !== undefined)
    throw refuse([first, unheeded], `--${first} has no use for --${unheeded}`, 'Leave one out.')
}

function refuse(flags: readonly Flag[], problem: string, remedy: string): BadArgument {
  const value = flags.map((flag) => `--${flag}`).join(' ')
  return new BadArgument({ component: 'loch replay', value, problem, remedy })
}

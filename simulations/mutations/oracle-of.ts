/**
 * Which oracle a violation is of, for people who want to know what each of them is good for. It goes by their words, and
 * decides nothing.
 */
import { VIOLATION_KINDS } from '../oracles/ledger.ts'

/** By the name of its file in oracles/, how the words of an oracle look. */
const WORDS: ReadonlyArray<readonly [string, RegExp]> = [
  ['ledger', new RegExp(`^[\\d.]+ s (?:${VIOLATION_KINDS.join('|')}): `)],
  ['committed-log', /^committed log: /],
  ['promises', /^the safekeeper of \S+ (?:opened|votes|tells|calls|holds|does not call) /],
  ['commit-copies', /^copies: /],
  ['fresh-votes', /^fresh votes: /],
  ['serving', /^serving: /],
  ['sealed-pages', /^sealed: /],
  ['redundancy', /^redundancy: /],
  ['snapshots', /^snapshots: /],
  ['object-names', /^names: /],
  ['deletions', /^deletions: /],
  ['images', /^recovered from the log up to \d|is no crash image: /],
  ['liveness', /^no service within \d|^the last look at all registers was not answered/],
  [
    'terms',
    /^term \d+ was granted to |^event \d+ grants term |^event \d+, \w+, is of term |began a log of term | carries term /,
  ],
  [
    'log-copies',
    /^the archive |^the log of |^\S+ sent a bad frame|is not a whole frame of that name| holds other bytes up to |^\d+ was durable \(/,
  ],
  [
    'journals',
    /^the journal of |: \S+ reach event \d|, after event \d+: |: event \d+ cannot stand there|has reached event \d+, but its journal ends/,
  ],
]
const PROCESS_ENDED = /^the process of the run ended|^the run does not end/
export const ORACLES = WORDS.map(([name]) => name)
/** A check in production code, or an error of the language, that reached the kernel. */
const CODE_ITSELF = 'the code itself'

export function oracleOf(violation: string): string {
  const line = violation.split('\n')[0]!.replace(/^Error: /, '')
  if (PROCESS_ENDED.test(line)) return 'process'
  return WORDS.find(([, words]) => words.test(line))?.[0] ?? CODE_ITSELF
}

/**
 * The flags of `loch simulate`, declared once for parsing, help and errors, as those of all commands are
 * (runtime/control/command-table.ts), and which of them go together. What they do stands elsewhere.
 */
import { resolve } from 'node:path'
import { parseArguments } from '../../runtime/control/arguments.ts'
import { SIMULATE } from '../../runtime/control/command-table.ts'
import { bad, count, type Flag, text, toggle, type ValuesOf } from '../../runtime/control/flags.ts'

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const DURATION_MS_MAX = 7 * 24 * 3_600_000
const PROCESSES_MAX = 256
/** Of mutations. */
const NAMES_MAX = 1_000

/** `30s`, `10m`, `2h`; in milliseconds. */
function duration(help: string): Flag<number | undefined> {
  return {
    placeholder: 'TIME',
    help,
    initial: undefined,
    parse: (value, flag) => {
      const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(value)
      const ms = match === null ? Number.NaN : Number(match[1]) * UNITS_MS[match[2]!]!
      if (ms > 0 && ms <= DURATION_MS_MAX) return ms
      throw bad(
        flag,
        value,
        'this is not a duration that can be used',
        'Write for example 30s, 10m or 2h, at most 168h.',
      )
    },
  }
}

const flags = {
  seed: count(undefined, 0, Number.MAX_SAFE_INTEGER, 'Begin with this seed; alone, run just this one and tell of it'),
  seeds: count(undefined, 1, Number.MAX_SAFE_INTEGER, 'Stop after so many seeds (default: never)'),
  for: duration('Stop after this time: 30s, 10m, 2h'),
  'keep-going': toggle('Go on after a failure'),
  'check-determinism': toggle('Run each seed in two processes, and compare all that happened'),
  plan: text('FILE', undefined, 'Run the plan in this file instead of a seed'),
  fork: text('FILE', undefined, 'Run what this log holds once more, with one thing altered ...'),
  at: text('EVENT', undefined, '... at this event of it: a sequence, a time, an id'),
  drop: toggle('... which does not happen: a message is not taken, or lost, or a fault does not strike'),
  change: text('JSON', undefined, '... of which these fields are others'),
  insert: text('JSON', undefined, '... before which this happens: a message with its type, or a fault with its kind'),
  'save-plan': text('FILE', undefined, 'Write the plan of the one seed to this file'),
  log: text('FILE', undefined, 'Write all that happens in the one run to this file, for `loch replay`'),
  report: text('FILE.html', undefined, 'Write a page that shows the one run, moment by moment'),
  'no-shrink': toggle('Do not look for the shortest plan that fails alike'),
  processes: count(undefined, 1, PROCESSES_MAX, 'At most so many at once (default: one for each core)'),
  mutations: toggle(
    'Put deliberate errors into the code, all or those named, and show how many seeds each takes to be caught',
  ),
  json: toggle('Print nothing but one JSON object at the end'),
  help: toggle('Show this page'),
}

export const declaration = { ...SIMULATE, operands: '[--mutations [NAME ...]]', operandsMax: NAMES_MAX, flags }

export type SimulateFlags = ValuesOf<typeof flags>

export interface SimulateArguments {
  readonly flags: SimulateFlags
  /** Of mutations. */
  readonly names: readonly string[]
}

/** @throws BadArgument */
export function parseFlags(words: readonly string[]): SimulateArguments {
  const { values, operands } = parseArguments('simulate', declaration, words)
  if (values.mutations) refuseBesideMutations(values)
  else if (operands.length > 0) {
    throw bad('loch simulate', operands[0]!, 'this word is one too many', 'Write names after --mutations only.')
  }
  refuseTwoPlans(values, 'plan', ['seed', 'seeds', 'for'])
  refuseTwoPlans(values, 'fork', ['seed', 'seeds', 'for', 'plan', 'check-determinism'])
  checkFork(values)
  refuseOneFileTwice(values)
  for (const name of ['report', 'log', 'save-plan'] as const) {
    if (!isGiven(values, name) || isOfOneRun(values)) continue
    throw bad(`--${name}`, values[name]!, 'it is of one run, and many were asked for', 'Write --seed N with it, alone.')
  }
  return { flags: values, names: operands }
}

function refuseTwoPlans(
  values: SimulateFlags,
  said: 'plan' | 'fork',
  others: ReadonlyArray<keyof SimulateFlags>,
): void {
  for (const name of others) {
    if (!isGiven(values, said) || !isGiven(values, name)) continue
    throw bad(`--${said}`, values[said]!, `it says what is run, and --${name} does too`, 'Leave one of them out.')
  }
}

function checkFork(values: SimulateFlags): void {
  const alterations = (['drop', 'change', 'insert'] as const).filter((name) => isGiven(values, name))
  const isFork = isGiven(values, 'fork')
  for (const name of ['at', ...alterations] as const) {
    if (isGiven(values, name) && !isFork) throw bad(`--${name}`, '', 'it needs a log', 'Add --fork FILE.')
  }
  if (!isFork) return
  if (!isGiven(values, 'at')) throw bad('--fork', '', 'it is not said where', 'Add --at EVENT.')
  if (alterations.length === 1) return
  throw bad('--fork', alterations.join(' '), 'one thing is altered', 'Write one of --drop, --change and --insert.')
}

/** What one of them reads another would overwrite, and so would two that write. */
function refuseOneFileTwice(values: SimulateFlags): void {
  const named = new Map<string, string>()
  for (const name of ['plan', 'fork', 'save-plan', 'log', 'report'] as const) {
    const file = values[name]
    if (file === undefined) continue
    const other = named.get(resolve(file))
    if (other !== undefined) throw bad(`--${name}`, file, `--${other} names this file too`, 'Name another one.')
    named.set(resolve(file), name)
  }
}

const NOT_OF_MUTATIONS = [
  'for',
  'keep-going',
  'check-determinism',
  'plan',
  'fork',
  'save-plan',
  'log',
  'report',
  'no-shrink',
] as const

function refuseBesideMutations(values: SimulateFlags): void {
  for (const name of NOT_OF_MUTATIONS) {
    if (!isGiven(values, name)) continue
    throw bad('--mutations', `--${name}`, 'this does not go with it', 'Write --seed, --seeds, --processes, --json.')
  }
}

function isGiven(values: SimulateFlags, name: keyof SimulateFlags): boolean {
  return values[name] !== undefined && values[name] !== false
}

/** Whether just one run was asked for, which is then told of in full. */
export function isOfOneRun(values: SimulateFlags): boolean {
  if (values.mutations || values['check-determinism'] || values.seeds !== undefined || values.for !== undefined)
    return false
  return values.plan !== undefined || values.fork !== undefined || values.seed !== undefined
}

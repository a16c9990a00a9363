/**
 * From the words of a command line to a command and its checked values, and from the declared table to help. One table
 * serves both, so a flag cannot be parsed without being explained. Nothing here runs a command or knows one by name.
 */
import { parseArgs } from 'node:util'
import type { BadArgument } from '../errors.ts'
import { bad, type Flags, type ValuesOf } from './flags.ts'

export interface CommandDeclaration<F extends Flags = Flags> {
  readonly summary: string
  /** How the words after the flags are shown, '' if there are none. */
  readonly operands: string
  readonly operandsMax: number
  readonly flags: F
}

export interface ParsedArguments<F extends Flags> {
  readonly values: ValuesOf<F>
  readonly operands: readonly string[]
}

/**
 * Checks `words` (without the command's name) against the declaration; a flag given twice has its last value.
 * @throws BadArgument, which names the flag and suggests the nearest one for a name that does not exist.
 */
export function parseArguments<F extends Flags>(
  command: string,
  declaration: CommandDeclaration<F>,
  words: readonly string[],
): ParsedArguments<F> {
  const { flags, operandsMax } = declaration
  const values: Record<string, unknown> = {}
  for (const [name, flag] of Object.entries(flags)) values[name] = flag.initial
  const { tokens, positionals } = parseArgs({
    args: [...words],
    options: Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, { type: typeOf(flag) }])),
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined
    if (flag === undefined) throw unknownFlag(command, token.rawName, Object.keys(flags))
    if (flag.placeholder === undefined && token.value !== undefined) {
      throw bad(token.rawName, token.value, 'this flag takes no value', `Write ${token.rawName} alone.`)
    }
    if (flag.placeholder !== undefined && isMissing(token.value, token.inlineValue)) {
      throw bad(token.rawName, token.value ?? '', 'the value is missing', `Write ${token.rawName} ${flag.placeholder}.`)
    }
    values[token.name] = flag.parse(token.value ?? '', token.rawName)
  }
  if (positionals.length > operandsMax) throw tooMany(command, positionals[operandsMax]!, declaration)
  return { values: values as ValuesOf<F>, operands: positionals }
}

function typeOf(flag: Flags[string]): 'string' | 'boolean' {
  return flag.placeholder === undefined ? 'boolean' : 'string'
}

/** parseArgs takes the next word for the value even if it is a flag: `--data --json`. */
function isMissing(value: string | undefined, isInline: boolean | undefined): boolean {
  return value === undefined || (isInline !== true && /^--?[A-Za-z]/.test(value))
}

function unknownFlag(command: string, flag: string, known: readonly string[]): BadArgument {
  const near = nearest(flag.replace(/^-+/, ''), known)
  const see = `See \`loch ${command} --help\`.`
  return bad(
    `loch ${command}`,
    flag,
    'there is no such flag',
    near === undefined ? see : `Did you mean --${near}? ${see}`,
  )
}

function tooMany(command: string, word: string, declaration: CommandDeclaration): BadArgument {
  const usage = `loch ${command} ${declaration.operands}`.trimEnd()
  return bad(`loch ${command}`, word, 'this word is one too many', `Write \`${usage}\`; quote what has spaces.`)
}

/** The known word with the fewest edits from `word`, if it is near enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, edits: candidate.startsWith(word) ? 1 : editDistance(word, candidate) }))
    .sort((left, right) => left.edits - right.edits)
  const best = ranked[0]
  return best !== undefined && word !== '' && best.edits <= Math.max(1, Math.floor(best.candidate.length / 2))
    ? best.candidate
    : undefined
}

/** Levenshtein's distance, one row at a time. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let at = 1; at <= left.length; at++) {
    const next = [at]
    for (let column = 1; column <= right.length; column++) {
      const replaced = row[column - 1]! + (left[at - 1] === right[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1))
    }
    row = next
  }
  return row[right.length]!
}

/** The page of `loch COMMAND --help`. */
export function commandHelp(command: string, declaration: CommandDeclaration): string {
  const lines = Object.entries(declaration.flags).map(([name, flag]) => ({
    left: `--${name}${flag.placeholder === undefined ? '' : ` ${flag.placeholder}`}`,
    right: flag.help,
  }))
  const usage = `Usage: loch ${command} [flags] ${declaration.operands}`.trimEnd()
  return `${declaration.summary}\n\n${usage}\n\n${columns(lines)}\n`
}

/** The page of `loch --help`. */
export function overview(commands: Readonly<Record<string, CommandDeclaration>>, preface: string): string {
  const lines = Object.entries(commands).map(([name, { operands, summary }]) => ({
    left: `loch ${name} ${operands}`.trimEnd(),
    right: summary,
  }))
  return `${preface}\n\n${columns(lines)}\n\nEvery command explains its flags: loch COMMAND --help\n`
}

function columns(lines: ReadonlyArray<{ readonly left: string; readonly right: string }>): string {
  const width = Math.max(...lines.map(({ left }) => left.length))
  return lines.map(({ left, right }) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}

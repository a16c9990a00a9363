/**
 * The command line `loch`: finds the command, checks its words, runs it, and turns what comes of it into output and an
 * exit code (0 done, 1 failed, 2 not understood). Errors go to stderr for people and, as one line of JSON, to stdout
 * under --json. Commands are loaded when they run, so `loch --help` loads none.
 */
import { BadArgument, isLochError, type LochError } from '../errors.ts'
import { commandHelp, nearest, overview, type ParsedArguments, parseArguments } from './arguments.ts'
import { type CommandName, commands, type FlagsOf, isCommand, SIMULATE } from './command-table.ts'
import { describeReport, reportOf } from './error-report.ts'
import { type Output, standardOutput } from './output.ts'
import { lochVersion } from './version.ts'

export type Command<N extends CommandName> = (arguments_: ParsedArguments<FlagsOf<N>>, output: Output) => Promise<void>

const LOADERS: { readonly [N in CommandName]: () => Promise<Command<N>> } = {
  up: async () => (await import('./commands/up.ts')).upCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  sql: async () => (await import('./commands/sql.ts')).sqlCommand,
  stop: async () => (await import('./commands/stop.ts')).stopCommand,
  logs: async () => (await import('./commands/logs.ts')).logsCommand,
  compute: async () => (await import('./commands/compute.ts')).computeCommand,
  journals: async () => (await import('./commands/journals.ts')).journalsCommand,
  log: async () => (await import('./commands/log.ts')).logCommand,
  replay: async () => (await import('./commands/replay.ts')).replayCommand,
}

const PREFACE = 'Loch: serverless PostgreSQL over one ordered log in object storage'

const EVERYTHING = { ...commands, simulate: SIMULATE }

const EXIT_FAILED = 1
const EXIT_USAGE = 2

/** Runs one command line (without node and the script) and returns the exit code. Never rejects. */
export async function main(
  words: readonly string[],
  makeOutput: (json: boolean) => Output = standardOutput,
): Promise<number> {
  // Also for words that cannot be parsed: who asked for JSON shall get the error as JSON.
  const output = makeOutput(words.includes('--json'))
  try {
    await dispatch(words, output)
    return 0
  } catch (error) {
    return explainError(error, output)
  }
}

/** Says what went wrong, for whoever reads it, and returns the exit code. */
export function explainError(error: unknown, output: Output): number {
  const report = reportOf(error)
  const line = `error: ${describeReport(report)}`
  if (!output.json) output.complain(line)
  else {
    try {
      output.line(JSON.stringify({ error: report }))
    } catch {
      // It may be stdout itself that cannot be written.
      output.complain(line)
    }
  }
  if (!isLochError(error))
    output.complain(error instanceof Error && error.stack !== undefined ? error.stack : String(error))
  return isLochError(error) && isUsage(error as LochError) ? EXIT_USAGE : EXIT_FAILED
}

async function dispatch(words: readonly string[], output: Output): Promise<void> {
  const [word, ...rest] = words
  if (word === undefined || word === '--help' || word === '-h' || word === 'help') {
    output.text(overview(EVERYTHING, PREFACE))
  } else if (word === '--version' || word === '-v') {
    output.line(output.json ? JSON.stringify({ version: lochVersion() }) : lochVersion())
  } else if (isCommand(word)) {
    await runCommand(word, rest, output)
  } else {
    throw unknownCommand(word)
  }
}

async function runCommand<N extends CommandName>(name: N, words: readonly string[], output: Output): Promise<void> {
  if (words.includes('--help') || words.includes('-h')) {
    output.text(commandHelp(name, commands[name]))
    return
  }
  const parsed = parseArguments<FlagsOf<N>>(name, commands[name] as never, words)
  const command = await LOADERS[name]()
  await command(parsed, output)
}

function isUsage(error: LochError): boolean {
  return error._tag === 'BadArgument'
}

function unknownCommand(word: string): BadArgument {
  const near = nearest(word, Object.keys(EVERYTHING))
  const help = 'See `loch --help`.'
  return new BadArgument({
    component: 'loch',
    value: word,
    problem: 'there is no such command',
    remedy: near === undefined ? help : `Did you mean \`loch ${near}\`? ${help}`,
  })
}

/** Called by the launcher (bin/loch.mjs). Exits explicitly: after the command's end nothing of it is worth waiting for. */
export async function runAndExit(words: readonly string[]): Promise<never> {
  process.exit(await main(words))
}

/**
 * `loch replay FILE`: opens a run log, of production or of a simulation. On a terminal it is a view to move about in; with a
 * question, elsewhere, or with --json the answer is printed. What of a damaged log can be read is shown before its error.
 */
import { statSync, writeFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../../events/checksum.ts'
import { BadArgument, describe, Refused } from '../../errors.ts'
import { answer } from '../../replay/answers.ts'
import { fileSource } from '../../replay/byte-source.ts'
import { Cursor } from '../../replay/cursor.ts'
import type { FilterOptions } from '../../replay/filter.ts'
import { RunLog } from '../../replay/open-log.ts'
import { shownOf } from '../../replay/page/from-log.ts'
import { pageOf } from '../../replay/page/page.ts'
import { checkQuestion, FILTERS } from '../../replay/question.ts'
import { runView } from '../../replay/terminal.ts'
import type { ParsedArguments } from '../arguments.ts'
import type { Command } from '../cli.ts'
import type { FlagsOf } from '../command-table.ts'

export const replayCommand: Command<'replay'> = async (words, output) => {
  const file = words.operands[0]
  if (file === undefined) {
    throw new BadArgument({
      component: 'loch replay',
      value: '',
      problem: 'the file is missing',
      remedy: 'Write `loch replay FILE`; `loch log export > run.loch` makes one.',
    })
  }
  checkQuestion(words.values)
  useChecksum((bytes, before) => crc32(bytes, before))
  const log = new RunLog(fileSource(file))
  try {
    const cursor = new Cursor(log)
    if (words.values.html !== undefined) writePage(cursor, words.values, file, words.values.html)
    else if (log.length > 0 && isInteractive(words, output.json)) {
      cursor.show(words.values)
      cursor.seek(words.values.at ?? 'first', '--at')
      await runView(cursor)
    } else answer(cursor, words.values, output)
    if (log.problem) throw log.problem
  } catch (error) {
    // What was not found may be among what is lost.
    if (log.problem && error instanceof Refused) output.complain(describe(log.problem))
    throw error
  } finally {
    log.close()
  }
}

/** Flags that say where to begin or what to hide make sense in the view, too; all others are questions. */
const VIEW_FLAGS: readonly string[] = ['data', 'at', ...FILTERS]

function isInteractive({ values }: ParsedArguments<FlagsOf<'replay'>>, json: boolean): boolean {
  if (json || process.stdin.isTTY !== true || process.stdout.isTTY !== true) return false
  return Object.entries(values).every(([name, value]) => !value || VIEW_FLAGS.includes(name))
}

/** @throws BadArgument */
function writePage(cursor: Cursor, filter: FilterOptions, log: string, file: string): void {
  cursor.show(filter)
  if (isSameFile(log, file)) {
    const problem = 'this is the log itself'
    throw new BadArgument({ component: '--html', value: file, problem, remedy: 'Name another file.' })
  }
  try {
    writeFileSync(file, pageOf(shownOf(cursor.log, (place) => cursor.isShown(place))))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    const problem = `it cannot be written (${error.code})`
    throw new BadArgument({
      component: '--html',
      value: file,
      problem,
      remedy: 'Name a file in a directory that exists.',
    })
  }
}

function isSameFile(left: string, right: string): boolean {
  const [one, other] = [left, right].map((path) => statSync(path, { throwIfNoEntry: false }))
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev
}

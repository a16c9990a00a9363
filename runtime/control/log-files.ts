/**
 * Reads the end of a log file, or what was added since: for `logs.tail`. A cursor names a file by its inode and a place in
 * it, so that a log that was rotated meanwhile is read on from the new file's start. Only names of logs come in from
 * outside, never paths.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { BadArgument, Refused } from '../errors.ts'
import { ANSWER_BYTES_MAX } from './schemas.ts'

export interface LogTail {
  readonly lines: readonly string[]
  readonly cursor: string
}

/**
 * The last `lines` lines, or with a cursor at most so many after it. Only whole lines, and at most ANSWER_BYTES_MAX.
 * @throws Refused if there is no such log; BadArgument for a malformed name or cursor.
 */
export function tailLog(directory: string, log: string, lines: number, cursor?: string): LogTail {
  const file = openLog(directory, log)
  try {
    const { ino, size } = fstatSync(file)
    const place = cursor === undefined ? undefined : parseCursor(cursor)
    const from = place === undefined ? Math.max(0, size - ANSWER_BYTES_MAX) : place.inode === ino ? place.offset : 0
    const text = readWhole(file, from, Math.min(size - from, ANSWER_BYTES_MAX))
    // A tail that starts in the midst of the file starts in the midst of a line.
    const start = place === undefined && from > 0 ? text.indexOf(0x0a) + 1 : 0
    const end = text.lastIndexOf(0x0a) + 1
    const all =
      end > start
        ? text
            .subarray(start, end - 1)
            .toString('utf8')
            .split('\n')
        : []
    const wanted = place === undefined ? all.slice(-lines) : all.slice(0, lines)
    const read = place === undefined ? end : Buffer.byteLength(wanted.map((line) => `${line}\n`).join(''))
    return { lines: wanted, cursor: `${ino}:${from + read}` }
  } finally {
    closeSync(file)
  }
}

function readWhole(file: number, from: number, length: number): Buffer {
  const buffer = Buffer.alloc(Math.max(0, length))
  let read = 0
  while (read < buffer.length) {
    const bytes = readSync(file, buffer, read, buffer.length - read, from + read)
    if (bytes === 0) break
    read += bytes
  }
  return buffer.subarray(0, read)
}

function openLog(directory: string, log: string): number {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(log)) {
    throw new BadArgument({
      component: 'logs',
      value: log,
      problem: 'this is not the name of a log',
      remedy: 'Write loch, postgres, or the name of a zone, like zone-1.',
    })
  }
  try {
    return openSync(join(directory, `${log}.log`), 'r')
  } catch (cause) {
    throw new Refused({
      component: 'logs',
      value: log,
      problem: 'there is no such log',
      remedy: `There are: ${namesOf(directory).join(', ') || 'none yet'}.`,
      cause,
    })
  }
}

function namesOf(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .map((name) => name.slice(0, -'.log'.length))
    .sort()
}

function parseCursor(cursor: string): { readonly inode: number; readonly offset: number } {
  const match = /^(\d{1,20}):(\d{1,15})$/.exec(cursor)
  if (match !== null) return { inode: Number(match[1]), offset: Number(match[2]) }
  throw new BadArgument({
    component: 'logs',
    value: cursor,
    problem: 'this is not a cursor',
    remedy: 'Send the cursor of the answer before, unchanged, or none.',
  })
}

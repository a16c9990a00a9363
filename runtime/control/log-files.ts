/**
 * Reads the end of a log file, or what was added since: for `logs.tail`. A cursor names a file by its inode and a place in
 * it, so that a log that was rotated meanwhile is read to the old file's end and then from the new one's start. Only names
 * of logs come in from outside, never paths.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { BadArgument, Refused } from '../errors.ts'
import { rotated } from './rotating-log.ts'
import { ANSWER_BYTES_MAX } from './schemas.ts'

interface Place {
  readonly inode: number
  readonly offset: number
}

const LF = 0x0a

export interface LogTail {
  readonly lines: readonly string[]
  readonly cursor: string
}

/**
 * The last `lines` lines, or with a cursor at most so many after it. Only whole lines, and at most ANSWER_BYTES_MAX.
 * @throws Refused if there is no such log; BadArgument for a malformed name or cursor.
 */
export function tailLog(directory: string, log: string, lines: number, cursor?: string): LogTail {
  checkName(log)
  const place = cursor === undefined ? undefined : parseCursor(cursor)
  const path = join(directory, `${log}.log`)
  const file = open(path) ?? open(rotated(path))
  if (file === undefined) throw noSuchLog(directory, log)
  try {
    if (place === undefined) return lastLines(file, lines)
    const { ino, size } = fstatSync(file)
    if (place.inode === ino && place.offset <= size) return linesFrom(file, place.offset, lines)
    return restOfRotated(rotated(path), place, lines, `${ino}:0`) ?? linesFrom(file, 0, lines)
  } finally {
    closeSync(file)
  }
}

function lastLines(file: number, lines: number): LogTail {
  const { ino, size } = fstatSync(file)
  const from = Math.max(0, size - ANSWER_BYTES_MAX)
  const text = readWhole(file, from, size - from)
  // A tail that starts in the midst of the file starts in the midst of a line.
  const start = from > 0 ? text.indexOf(LF) + 1 : 0
  const end = text.lastIndexOf(LF) + 1
  return { lines: split(text.subarray(start, end)).slice(-lines), cursor: `${ino}:${from + end}` }
}

function linesFrom(file: number, from: number, lines: number): LogTail {
  const { ino, size } = fstatSync(file)
  const text = readWhole(file, from, Math.min(size - from, ANSWER_BYTES_MAX))
  let end = 0
  for (let count = 0; count < lines; count++) end = text.indexOf(LF, end) + 1 || end
  return { lines: split(text.subarray(0, end)), cursor: `${ino}:${from + end}` }
}

/** What a follower has not read of the file that was rotated away under it; undefined if there is nothing, or no such file. */
function restOfRotated(path: string, place: Place, lines: number, next: string): LogTail | undefined {
  const file = open(path)
  if (file === undefined) return undefined
  try {
    const { ino, size } = fstatSync(file)
    if (ino !== place.inode || place.offset >= size) return undefined
    const tail = linesFrom(file, place.offset, lines)
    const { offset } = parseCursor(tail.cursor)
    if (offset === size) return { ...tail, cursor: next }
    if (tail.lines.length > 0) return tail
    // Nobody will ever end this line.
    const unfinished = readWhole(file, offset, Math.min(size - offset, ANSWER_BYTES_MAX))
    return { lines: [unfinished.toString('utf8')], cursor: next }
  } finally {
    closeSync(file)
  }
}

function split(text: Buffer): readonly string[] {
  return text.length === 0 ? [] : text.toString('utf8', 0, text.length - 1).split('\n')
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

/** Undefined if there is no such file. */
function open(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch {
    return undefined
  }
}

function checkName(log: string): void {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(log)) return
  throw new BadArgument({
    component: 'logs',
    value: log,
    problem: 'this is not the name of a log',
    remedy: 'Write loch, postgres, or the name of a zone, like zone-1.',
  })
}

function noSuchLog(directory: string, log: string): Refused {
  return new Refused({
    component: 'logs',
    value: log,
    problem: 'there is no such log',
    remedy: `There are: ${namesOf(directory).join(', ') || 'none yet'}.`,
  })
}

function namesOf(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .map((name) => name.slice(0, -'.log'.length))
    .sort()
}

function parseCursor(cursor: string): Place {
  const match = /^(\d{1,20}):(\d{1,15})$/.exec(cursor)
  if (match !== null) return { inode: Number(match[1]), offset: Number(match[2]) }
  throw new BadArgument({
    component: 'logs',
    value: cursor,
    problem: 'this is not a cursor',
    remedy: 'Send the cursor of the answer before, unchanged, or none.',
  })
}

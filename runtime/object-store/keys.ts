/**
 * Which keys and ranges are legal, the same for every store, so that data can move from one to another. The alphabet is
 * what a file name, a URL and an S3 key all take without escapes. '~' is kept out of it on purpose: the file store's own
 * files carry it and can therefore never be taken for objects.
 */
import { BadArgument } from '../errors.ts'
import type { ByteRange } from './object-store.ts'

/** S3 takes 1,024 bytes including the store's own prefix. */
export const KEY_BYTES_MAX = 512
/** Longest file name of every Linux filesystem in use. */
export const SEGMENT_BYTES_MAX = 255

const SEGMENT = /^[A-Za-z0-9._-]+$/
const PREFIX = /^[A-Za-z0-9._/-]*$/

export function isKey(key: string): boolean {
  return keyProblem(key) === undefined
}

/** Throws BadArgument. */
export function checkKey(key: string): void {
  const problem = keyProblem(key)
  if (problem !== undefined) throw refusal(key, problem)
}

/** Throws BadArgument. A prefix may be empty or end anywhere, also within a segment. */
export function checkPrefix(prefix: string): void {
  if (!PREFIX.test(prefix)) throw refusal(prefix, 'the prefix has characters that no key can have')
  if (prefix.startsWith('/') || prefix.split('/').slice(0, -1).some(isNoSegment)) {
    throw refusal(prefix, 'the prefix has an empty segment, "." or ".."')
  }
}

/** Throws BadArgument. */
export function checkRange(key: string, range: ByteRange | undefined): void {
  if (range === undefined) return
  if (isCount(range.offset) && isCount(range.length)) return
  throw new BadArgument({
    component: 'object store',
    value: `${key} ${range.offset}+${range.length}`,
    problem: 'offset and length of a range must be whole numbers, and not negative',
    remedy: 'This is a fault of Loch: please report it.',
  })
}

/** True for a name that may stand between two slashes of a key. */
export function isSegment(name: string): boolean {
  return SEGMENT.test(name) && !isNoSegment(name)
}

function isNoSegment(name: string): boolean {
  return name === '' || name === '.' || name === '..'
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function keyProblem(key: string): string | undefined {
  if (key.length > KEY_BYTES_MAX) return `the key is longer than ${KEY_BYTES_MAX} bytes`
  for (const segment of key.split('/')) {
    if (isNoSegment(segment)) return 'the key has an empty segment, "." or ".."'
    if (!SEGMENT.test(segment)) return 'the key has characters other than A-Z a-z 0-9 . _ - /'
    if (segment.length > SEGMENT_BYTES_MAX) return `the key has a segment longer than ${SEGMENT_BYTES_MAX} bytes`
  }
  return undefined
}

function refusal(value: string, problem: string): BadArgument {
  return new BadArgument({
    component: 'object store',
    value: JSON.stringify(value.slice(0, KEY_BYTES_MAX)),
    problem,
    remedy: 'Use names of letters, digits, dots, underscores and hyphens.',
  })
}

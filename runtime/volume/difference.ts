/**
 * Where two stretches of bytes begin and end to differ. The tail of Postgres's log is rewritten at every commit and few of
 * its 8192 bytes are new, so this runs for every commit: it compares words where the two lie alike in their buffers, and
 * allocates nothing but a view when the buffer is another than last time.
 */
const WORD = 4

/** The words of one buffer. Each side of the comparison nearly always uses the same buffer as last time. */
class Words {
  private buffer: ArrayBufferLike | undefined
  private words: Int32Array = new Int32Array(0)

  of(bytes: Uint8Array): Int32Array {
    if (bytes.buffer !== this.buffer) {
      this.buffer = bytes.buffer
      this.words = new Int32Array(bytes.buffer, 0, Math.floor(bytes.buffer.byteLength / WORD))
    }
    return this.words
  }
}

const left = new Words()
const right = new Words()

/** Bytes from the start of a[aFrom..] and b[bFrom..] that are the same, at most `length`. */
export function commonPrefix(a: Uint8Array, aFrom: number, b: Uint8Array, bFrom: number, length: number): number {
  let at = 0
  const aStart = a.byteOffset + aFrom
  const bStart = b.byteOffset + bFrom
  if (aStart % WORD === bStart % WORD) {
    while (at < length && (aStart + at) % WORD !== 0 && a[aFrom + at] === b[bFrom + at]) at++
    if ((aStart + at) % WORD === 0) at = equalWordsForward(a, aStart, b, bStart, at, length)
  }
  while (at < length && a[aFrom + at] === b[bFrom + at]) at++
  return at
}

/** Bytes from the end of a[aFrom, aFrom + length) and b[bFrom, bFrom + length) that are the same. */
export function commonSuffix(a: Uint8Array, aFrom: number, b: Uint8Array, bFrom: number, length: number): number {
  let rest = length
  const aStart = a.byteOffset + aFrom
  const bStart = b.byteOffset + bFrom
  if (aStart % WORD === bStart % WORD) {
    while (rest > 0 && (aStart + rest) % WORD !== 0 && a[aFrom + rest - 1] === b[bFrom + rest - 1]) rest--
    if ((aStart + rest) % WORD === 0) rest = equalWordsBackward(a, aStart, b, bStart, rest)
  }
  while (rest > 0 && a[aFrom + rest - 1] === b[bFrom + rest - 1]) rest--
  return length - rest
}

function equalWordsForward(
  a: Uint8Array,
  aStart: number,
  b: Uint8Array,
  bStart: number,
  at: number,
  length: number,
): number {
  const aWords = left.of(a)
  const bWords = right.of(b)
  let aWord = (aStart + at) / WORD
  let bWord = (bStart + at) / WORD
  const end = aWord + Math.floor((length - at) / WORD)
  while (aWord < end && aWords[aWord] === bWords[bWord]) {
    aWord++
    bWord++
  }
  return aWord * WORD - aStart
}

function equalWordsBackward(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, rest: number): number {
  const aWords = left.of(a)
  const bWords = right.of(b)
  let aWord = (aStart + rest) / WORD
  let bWord = (bStart + rest) / WORD
  const end = Math.ceil(aStart / WORD)
  while (aWord > end && aWords[aWord - 1] === bWords[bWord - 1]) {
    aWord--
    bWord--
  }
  return aWord * WORD - aStart
}

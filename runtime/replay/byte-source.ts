/**
 * Bytes that can be read at any place: a file, or what a test holds in memory. A file is read through one window, because a
 * log is mostly read in order, and never as a whole, because it may be larger than memory. Read-only.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { BadArgument } from '../errors.ts'

export interface ByteSource {
  /** For errors. */
  readonly name: string
  readonly size: number
  /** At most `length` bytes, fewer at the end. Valid until the next call. */
  readonly read: (offset: number, length: number) => Buffer
  readonly close: () => void
}

const WINDOW_BYTES = 256 * 1024

/** @throws BadArgument if the file cannot be read. */
export function fileSource(path: string): ByteSource {
  const { file, size } = open(path)
  let window: Buffer = Buffer.alloc(0)
  let begin = 0
  let large = Buffer.alloc(0)
  const load = (offset: number, into: Buffer): Buffer => {
    const bytes = into.subarray(0, size - offset)
    let read = 0
    while (read < bytes.length) {
      const got = readSync(file, bytes, read, bytes.length - read, offset + read)
      if (got === 0) break
      read += got
    }
    return bytes.subarray(0, read)
  }
  const read = (offset: number, length: number): Buffer => {
    const wanted = Math.max(0, Math.min(length, size - offset))
    if (wanted > WINDOW_BYTES) {
      if (large.length < wanted) large = Buffer.allocUnsafeSlow(wanted)
      return load(offset, large.subarray(0, wanted))
    }
    if (offset < begin || offset + wanted > begin + window.length) {
      // Whoever goes back goes on going back.
      begin = offset < begin ? Math.max(0, offset + wanted - WINDOW_BYTES) : offset
      window = load(begin, Buffer.allocUnsafeSlow(WINDOW_BYTES))
    }
    return window.subarray(offset - begin, offset - begin + wanted)
  }
  return { name: path, size, read, close: () => closeSync(file) }
}

export function memorySource(bytes: Uint8Array, name = 'run log in memory'): ByteSource {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return { name, size: bytes.length, read: (offset, length) => buffer.subarray(offset, offset + length), close() {} }
}

function open(path: string): { readonly file: number; readonly size: number } {
  try {
    const file = openSync(path, 'r')
    const status = fstatSync(file)
    if (status.isFile()) return { file, size: status.size }
    closeSync(file)
    throw new Error('it is not a file')
  } catch (cause) {
    throw new BadArgument({
      component: 'run log',
      value: path,
      problem: `it cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      remedy: 'Name a file made by `loch log export > FILE`, or one that a failed simulation left.',
      cause,
    })
  }
}

/**
 * A log file with a bound: when it is full it becomes `<name>.1`, and the one before that is forgotten. Written
 * synchronously, because the last lines before a crash are those that matter. A log that cannot be written (a full disk)
 * is given up rather than its writer.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

/** Of one file; with its predecessor a log takes twice as much. */
export const LOG_FILE_BYTES_MAX = 8 * 1024 * 1024

/** Where the file at `path` goes when it is full. */
export function rotated(path: string): string {
  return `${path}.1`
}

export class RotatingLog {
  readonly path: string
  readonly #bytesMax: number
  #file: number | undefined
  #bytes = 0

  constructor(path: string, bytesMax: number = LOG_FILE_BYTES_MAX) {
    this.path = path
    this.#bytesMax = bytesMax
  }

  /** As it comes: for the output of a child. */
  write(chunk: string | Uint8Array): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    try {
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#bytesMax) this.#rotate()
      writeSync(this.#open(), bytes)
      this.#bytes += bytes.length
    } catch {
      // The disk is full or gone: whoever depends on it says so; the log cannot.
    }
  }

  /** One line of our own, with the time. */
  line(text: string): void {
    this.write(`${new Date().toISOString()} ${text.replaceAll('\n', '\n  ')}\n`)
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #open(): number {
    if (this.#file === undefined) {
      this.#file = openSync(this.path, 'a', 0o600)
      this.#bytes = fstatSync(this.#file).size
    }
    return this.#file
  }

  #rotate(): void {
    this.close()
    renameSync(this.path, rotated(this.path))
    this.#bytes = 0
  }
}

/** The files that the command line reads and writes. Who named one that cannot be used is told which and why. */
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { BadArgument, isLochError } from '../../runtime/errors.ts'
import type { Plan } from '../plan/plan.ts'
import { ofFile, readPlan } from '../plan/read.ts'

/** A plan of the most faults that are allowed is smaller. */
const PLAN_BYTES_MAX = 16 * 2 ** 20

/** @throws BadArgument, FormatTooNew */
export function loadPlan(file: string): Plan {
  return ofFile(file, () => readPlan(readText(file)))
}

function readText(file: string): string {
  try {
    const { size } = statSync(file)
    if (size > PLAN_BYTES_MAX) {
      throw unusable('--plan', file, `it has ${size} bytes, more than any plan`, 'Name a file that --save-plan wrote.')
    }
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (isLochError(error)) throw error
    throw unusable('--plan', file, `it cannot be read (${codeOf(error)})`, 'Name a file that --save-plan wrote.')
  }
}

/** @throws BadArgument */
export function save(flag: string, file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw unusable(flag, file, `it cannot be written (${codeOf(error)})`, 'Name a file in a directory that exists.')
  }
}

/** Undefined if it can be; leaves nothing behind. */
export function whyNotToBeWritten(file: string): string | undefined {
  const isThere = existsSync(file)
  try {
    closeSync(openSync(file, 'a'))
    if (!isThere) rmSync(file)
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

/** A log is written while the run goes on, in pieces of this size: whoever kills the process takes no more of it. */
const LOG_PIECE_BYTES = 16 * 1024

/**
 * A file that grows while a run goes on. What it was given is written even if the process ends before it is closed. The run does
 * not notice that it cannot be written: whoever asks for the log is told, by `check` and `close`.
 */
export class LogFile {
  readonly #flag: string
  readonly #path: string
  readonly #file: number
  #failure: unknown
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  /** @throws BadArgument */
  constructor(flag: string, path: string) {
    this.#flag = flag
    this.#path = path
    try {
      this.#file = openSync(path, 'w')
    } catch (error) {
      throw unusable(flag, path, `it cannot be written (${codeOf(error)})`, 'Name a file in a directory that exists.')
    }
    process.on('exit', this.#flush)
  }

  readonly write = (bytes: Uint8Array): void => {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes >= LOG_PIECE_BYTES) this.#flush()
  }

  /** @throws BadArgument if not all so far could be written */
  check(): void {
    this.#flush()
    if (this.#failure === undefined) return
    const problem = `it cannot be written (${codeOf(this.#failure)})`
    throw unusable(this.#flag, this.#path, problem, 'Make room there, or name another file.')
  }

  /** @throws BadArgument if not all could be written */
  close(): void {
    process.off('exit', this.#flush)
    try {
      this.check()
    } finally {
      closeSync(this.#file)
    }
  }

  readonly #flush = (): void => {
    const bytes = Buffer.concat(this.#pending)
    this.#pending = []
    this.#pendingBytes = 0
    if (this.#failure !== undefined) return
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done)
    } catch (error) {
      this.#failure = error
    }
  }
}

function unusable(component: string, value: string, problem: string, remedy: string): BadArgument {
  return new BadArgument({ component, value, problem, remedy })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

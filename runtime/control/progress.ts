/**
 * Tells on stderr how far a long piece of work has got, while stdout is kept for results. On a terminal the step under
 * way is shown and then replaced by its time; elsewhere each finished step is a line; with --json a JSON value.
 */
import { writeSync } from 'node:fs'
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'

export interface Progress {
  /** Runs `work` as a step with this name. One that fails is shown as such; explaining the error is the caller's. */
  readonly step: <A, E, R>(name: string, work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** A step that another process took. */
  readonly done: (name: string, elapsedMs: number) => void
  /** Something to know that is not a step. */
  readonly note: (text: string) => void
}

export interface ProgressOptions {
  readonly json: boolean
  readonly terminal: boolean
  readonly write: (text: string) => void
}

const CLEAR_LINE = '\r\u001b[2K'
/** Wide enough for the names of our steps; longer ones push their time to the right. */
const NAME_COLUMNS = 44

/** On this process's stderr. Synchronous, so that nothing is lost when the process ends. */
export function standardProgress(json: boolean): Progress {
  return createProgress({ json, terminal: process.stderr.isTTY === true, write: writeError })
}

export function createProgress({ json, terminal, write }: ProgressOptions): Progress {
  const live = terminal && !json
  let underWay = ''
  /** A line of its own, above the step under way. */
  const print = (line: string) => {
    if (live) write(`${CLEAR_LINE}${line}\n${underWay === '' ? '' : `… ${underWay}`}`)
    else write(`${line}\n`)
  }
  const finished = (name: string, ok: boolean, elapsedMs: number) => {
    const shown = Math.round(elapsedMs)
    if (json) print(JSON.stringify({ step: name, ok, elapsedMs: shown }))
    else print(`${ok ? '✓' : '✗'} ${name.padEnd(NAME_COLUMNS)} ${String(shown).padStart(6)} ms`)
  }
  return {
    step: (name, work) =>
      Effect.suspend(() => {
        const begin = performance.now()
        underWay = name
        if (live) write(`${CLEAR_LINE}… ${name}`)
        return Effect.onExit(work, (exit) =>
          Effect.sync(() => {
            underWay = ''
            finished(name, Exit.isSuccess(exit), performance.now() - begin)
          }),
        )
      }),
    done: (name, elapsedMs) => finished(name, true, elapsedMs),
    note: (text) => print(json ? JSON.stringify({ note: text }) : text),
  }
}

function writeError(text: string): void {
  try {
    writeSync(process.stderr.fd, text)
  } catch {
    // Nobody reads it: a closed pipe is no reason to end a database.
  }
}

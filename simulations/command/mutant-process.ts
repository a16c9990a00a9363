/**
 * One process that runs seeds, or a kept plan, on mutated code, until one fails. A process that says nothing for long hangs,
 * and is ended; that and a crash count as failures of the seed that was its turn. Code that cannot even be loaded is no
 * mutation, and an error.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Needs } from '../mutations/mutation.ts'
import type { Failure } from '../mutations/run-mutations.ts'
import { GivenUp } from '../shrink/attempts.ts'

export interface Seeds {
  readonly from: number
  readonly to: number
  readonly needs: Needs
}

/** A kept plan with one seed, or with its own and the next ones. */
interface KeptPlan {
  readonly file: string
  readonly seed?: number | undefined
}

export type Job = Seeds | KeptPlan

interface Line {
  readonly seed: number
  readonly violation?: string
}

/** The longest runs take a few seconds. */
const SILENCE_MS_MAX = 120_000
const COMPLAINT_CHARACTERS_MAX = 1_000
/** The first line of a worker. */
export const READY = 'ready'

export class MutantProcess {
  readonly #child: ChildProcess
  readonly #complaint: () => string
  readonly #exited: Promise<number | null>
  #turn: number
  #isReady = false
  #isSilent = false
  #isStopped = false

  constructor(worker: string, job: Job) {
    this.#turn = 'from' in job ? job.from : 0
    this.#child = spawn(process.execPath, [worker, JSON.stringify(job)], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#complaint = lastLinesOf(this.#child)
    this.#exited = new Promise((resolve) => this.#child.once('exit', (code) => resolve(code)))
  }

  /** Of the seeds the first that fails. Rejects with `GivenUp` after `stop`. */
  async firstFailure(): Promise<Failure | undefined> {
    const failure = await this.#firstReported()
    this.#child.kill('SIGKILL')
    const code = await this.#exited
    if (this.#isStopped) throw new GivenUp()
    if (failure) return failure
    if (this.#isSilent) return { seed: this.#turn, violation: 'the run does not end' }
    if (!this.#isReady) throw new Error(`the mutated code cannot be loaded: ${this.#complaint()}`)
    if (code === 0) return undefined
    return { seed: this.#turn, violation: `the process of the run ended: ${this.#complaint()}` }
  }

  stop(): void {
    this.#isStopped = true
    this.#child.kill('SIGKILL')
  }

  async #firstReported(): Promise<Failure | undefined> {
    let silence = this.#limit()
    try {
      for await (const text of createInterface({ input: this.#child.stdout! })) {
        clearTimeout(silence)
        silence = this.#limit()
        if (text === READY) this.#isReady = true
        const line = parse(text)
        if (line?.violation !== undefined) return { seed: line.seed, violation: line.violation }
        if (line) this.#turn = line.seed + 1
      }
    } finally {
      clearTimeout(silence)
    }
    await this.#exited
    return undefined
  }

  #limit(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#isSilent = true
      this.#child.kill('SIGKILL')
    }, SILENCE_MS_MAX)
  }
}

/** Whatever else is printed is not for us. */
function parse(text: string): Line | undefined {
  return text.startsWith('{"seed":') ? (JSON.parse(text) as Line) : undefined
}

function lastLinesOf(child: ChildProcess): () => string {
  let text = ''
  child.stderr!.on('data', (data: Buffer) => {
    text = (text + data.toString()).slice(-COMPLAINT_CHARACTERS_MAX)
  })
  return () => text.trim()
}

/**
 * The command line's side of one process that simulates. It is started when there is something to do, and again after it has
 * crashed; one that does not answer is killed. Whatever ends it belongs to the seed that it was running.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Job, Reply, Result } from './worker-messages.ts'

export type Answer =
  | { readonly kind: 'result'; readonly result: Result }
  /** The process is gone, or of no use any more. */
  | { readonly kind: 'crash'; readonly words: string }
  /** We have killed it ourselves, because nobody waits any more. */
  | { readonly kind: 'stopped' }

export interface WorkerOptions {
  readonly module?: string
  readonly answerMsMax?: number
}

/** Runs take a second or so. One that takes this long hangs in an endless loop. */
const ANSWER_MS_MAX = 300_000
/** Of what it has last written to stderr. */
const LAST_WORDS_MAX = 4_000
/**
 * Nearly all that a step makes is garbage before the next: a young generation this large is copied less often. It is
 * collected on the thread that simulates, since the other cores simulate as well, and helpers would only take turns with them.
 *
 * Nor may V8 inline as much as it likes: in the first 25 runs of a process 40 % of the processor's time went to its optimizing
 * compiler. Half as much inlining saves a good part of that and costs nothing later that could be measured.
 */
const V8_FLAGS = [
  '--single-threaded-gc',
  '--min-semi-space-size=32',
  '--max-semi-space-size=64',
  '--max-inlined-bytecode-size-cumulative=460',
]
const MODULE = fileURLToPath(new URL('./worker.js', import.meta.url))

export class WorkerProcess {
  readonly #module: string
  readonly #answerMsMax: number
  #child: ChildProcess | undefined
  #lastWords = ''
  #settle: ((answer: Answer) => void) | undefined

  constructor({ module = MODULE, answerMsMax = ANSWER_MS_MAX }: WorkerOptions = {}) {
    this.#module = module
    this.#answerMsMax = answerMsMax
  }

  /** Never rejects. One job at a time. */
  run(job: Job): Promise<Answer> {
    return new Promise((resolve) => {
      this.#child ??= this.#start()
      const limit = setTimeout(() => this.#giveUp(), this.#answerMsMax)
      this.#settle = (answer) => {
        clearTimeout(limit)
        this.#settle = undefined
        resolve(answer)
      }
      // An error means that it is gone, and then its end is told as well.
      this.#child.send(job, () => {})
    })
  }

  /** Kills it; the next job gets a fresh one. */
  stop(): void {
    this.#end({ kind: 'stopped' })
  }

  #take(reply: Reply): void {
    if ('crash' in reply) this.#end({ kind: 'crash', words: reply.crash })
    else this.#settle?.({ kind: 'result', result: reply })
  }

  #giveUp(): void {
    this.#end({ kind: 'crash', words: `it did not end within ${this.#answerMsMax / 1000} s, and was killed` })
  }

  #end(answer: Answer): void {
    const child = this.#child
    this.#child = undefined
    child?.kill('SIGKILL')
    this.#settle?.(answer)
  }

  #start(): ChildProcess {
    this.#lastWords = ''
    const child = fork(this.#module, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: V8_FLAGS,
    })
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.#lastWords = (this.#lastWords + chunk).slice(-LAST_WORDS_MAX)
    })
    child.on('message', (message) => {
      if (child === this.#child) this.#take(message as Reply)
    })
    const gone = (how: string) => {
      if (child !== this.#child) return
      this.#child = undefined
      this.#settle?.({ kind: 'crash', words: `its process ${how}\n${this.#lastWords}`.trimEnd() })
    }
    child.on('error', (error) => gone(`could not be started: ${error.message}`))
    // Not at its exit: what it wrote last may not have been read by then.
    child.on('close', (code, signal) => gone(signal === null ? `ended with code ${code}` : `was ended by ${signal}`))
    return child
  }
}

/**
 * A zone's safekeepers as the zone sees them: started, asked how they are, stopped. They run in a thread of their own
 * (worker.ts); no log byte comes to this side.
 */
import { Worker } from 'node:worker_threads'
import { errorFrom } from '../control/error-report.ts'
import type { SafekeeperStatus } from '../control/schemas.ts'
import type { LochError } from '../errors.ts'
import type { FromSafekeepers, SafekeepersConfig, ToSafekeepers } from './worker-messages.ts'

export interface SafekeepersOptions extends Omit<SafekeepersConfig, 'peers'> {
  /** All zones of the project; other ones are asked for log that is missing here. */
  readonly zones?: readonly string[]
  /** Hears what nobody can be answered: findings on disk, an archive that cannot be reached. */
  readonly report: (line: string) => void
}

export interface Safekeepers {
  /** Opens one more timeline's safekeeper; nothing happens if it is there already. Rejects like `startSafekeepers`. */
  readonly add: (timeline: string) => Promise<void>
  readonly statuses: () => Promise<readonly SafekeeperStatus[]>
  /** Flushes and ends the thread; also if it has ended by itself. */
  readonly stop: () => Promise<void>
  /** Resolves with what ended the thread, if that was not `stop`. Never rejects. */
  readonly failed: Promise<LochError | Error>
}

/**
 * Opens the disks, checks them, and serves. Rejects with FormatTooNew, DiskFailed, BusUnavailable, BadArgument and the
 * store's errors.
 */
export async function startSafekeepers(options: SafekeepersOptions): Promise<Safekeepers> {
  const { zones = [], report, ...rest } = options
  const thread = new Thread({ ...rest, peers: zones.filter((zone) => zone !== rest.zone) }, report)
  await thread.ready
  return {
    add: async (timeline) => {
      await thread.ask({ kind: 'add', timeline })
    },
    statuses: () => thread.ask({ kind: 'statuses' }),
    stop: () => thread.stop(),
    failed: thread.failed,
  }
}

interface Waiting {
  readonly resolve: (statuses: readonly SafekeeperStatus[]) => void
  readonly reject: (error: Error) => void
}

type Question = ToSafekeepers extends infer Message ? (Message extends unknown ? Omit<Message, 'id'> : never) : never

class Thread {
  readonly ready: Promise<void>
  readonly failed: Promise<LochError | Error>
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #waiting = new Map<number, Waiting>()
  /** Set once the thread answers nothing any more, and why. */
  #ended: LochError | Error | undefined
  #asked = 0
  #stopping = false
  #fail: (error: LochError | Error) => void = () => {}
  #isReady: () => void = () => {}

  constructor(config: SafekeepersConfig, report: (line: string) => void) {
    this.failed = new Promise((resolve) => {
      this.#fail = resolve
    })
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve
      void this.failed.then(reject)
    })
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    this.#worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), { workerData: config })
    this.#worker.on('message', (message: FromSafekeepers) => this.#hear(message, report))
    this.#worker.on('error', (error) => this.#end(error))
    // Listened for from the beginning: a thread may have ended long before anybody stops it.
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#end(new Error('the thread of the safekeepers has ended'))
        resolve()
      })
    })
  }

  ask(question: Question): Promise<readonly SafekeeperStatus[]> {
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      const id = ++this.#asked
      this.#waiting.set(id, { resolve, reject })
      this.#worker.postMessage({ ...question, id })
    })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.ask({ kind: 'stop' }).catch(() => {})
    await this.#worker.terminate()
    await this.#exited
  }

  #hear(message: FromSafekeepers, report: (line: string) => void): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady()
        break
      case 'report':
        report(message.line)
        break
      case 'failed':
        this.#end(errorFrom(message.error))
        void this.#worker.terminate()
        break
      case 'answer':
        this.#take(message.id)?.resolve(message.statuses)
        break
      case 'refusal':
        this.#take(message.id)?.reject(errorFrom(message.error))
        break
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  #end(error: LochError | Error): void {
    this.#ended ??= error
    if (!this.#stopping) this.#fail(error)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

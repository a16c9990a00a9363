/**
 * One zone's process, kept alive: started, listened to, started again when it dies, stopped in the end. How often it died
 * decides how long the next start waits; a zone that dies again and again is reported, and tried on at the slowest rate,
 * because what ails it (a full disk, a store that is down) may pass. It knows nothing of what a zone does.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { backoffMs } from '../../actors/backoff.ts'
import type { ErrorReport } from './schemas.ts'
import { asZoneMessage, type ZoneMessage, type ZoneOrder } from './zone-config.ts'

export interface ZoneProcessOptions {
  readonly zone: string
  /** Arguments of node: the module, then its own. */
  readonly command: readonly string[]
  /** What the process prints. */
  readonly output: (chunk: Uint8Array) => void
  /** Our own lines about it. */
  readonly report: (line: string) => void
  readonly onMessage: (message: ZoneMessage) => void
  /** Removes what a dead process leaves behind (mounts, postmasters). Called after each end and before each new start. */
  readonly cleanUp: () => Promise<void>
  /** A life of this length makes earlier deaths forgotten. */
  readonly calmAfterMs?: number
}

export type ZoneProcessState = 'starting' | 'up' | 'down' | 'failing' | 'stopping' | 'stopped'

/** After so many deaths in a row it is no accident. */
export const DEATHS_IN_A_ROW_MAX = 5
const CALM_AFTER_MS = 30_000

export class ZoneProcess {
  readonly zone: string
  readonly #options: ZoneProcessOptions
  #child: ChildProcess | undefined
  #ready = false
  #deathsInARow = 0
  #restarts = 0
  #failure: ErrorReport | undefined
  #lastEnd = ''
  #stopping = false
  #timer: NodeJS.Timeout | undefined
  /** Resolves when the child of the moment is gone and cleaned up after. */
  #gone: Promise<void> = Promise.resolve()
  #onStopped: () => void = () => {}

  constructor(options: ZoneProcessOptions) {
    this.zone = options.zone
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get restarts(): number {
    return this.#restarts
  }

  get state(): ZoneProcessState {
    if (this.#stopping) return this.#child === undefined ? 'stopped' : 'stopping'
    if (this.#ready) return 'up'
    if (this.#deathsInARow >= DEATHS_IN_A_ROW_MAX) return 'failing'
    return this.#child === undefined ? 'down' : 'starting'
  }

  /** Why it is not up; undefined if nothing is known to be wrong. */
  get problem(): string | undefined {
    if (this.#ready || (this.#failure === undefined && this.#lastEnd === '')) return undefined
    return this.#failure === undefined ? this.#lastEnd : `${this.#failure.component}: ${this.#failure.problem}`
  }

  start(): void {
    if (this.#stopping || this.#child !== undefined) return
    const startedMs = performance.now()
    this.#ready = false
    const child = spawn(process.execPath, this.#options.command, {
      // Not below any mount of ours, which it would keep busy.
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    child.stdout!.on('data', this.#options.output)
    child.stderr!.on('data', this.#options.output)
    child.on('message', (value) => this.#hear(value))
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
    })
    this.#gone = ended.then((how) => this.#afterEnd(how, performance.now() - startedMs))
  }

  /**
   * Asks the process to stop its computes, and resolves when it has, is gone, or `withinMs` have passed. From now on it is
   * not started again.
   */
  async quiesce(withinMs: number): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    const patience = timeout(withinMs)
    const stopped = new Promise<void>((resolve) => {
      this.#onStopped = resolve
    })
    this.#order('stop')
    const isLate = await Promise.race([stopped, this.#gone, patience.passed])
    patience.cancel()
    if (isLate === true) this.#options.report(`${this.zone} did not stop its computes within ${withinMs} ms`)
  }

  /** Ends the process, by force if it has not ended within `withinMs`; resolves when it is gone and cleaned up after. */
  async end(withinMs: number): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    const child = this.#child
    this.#order('exit')
    const impatience = setTimeout(() => {
      if (child?.kill('SIGKILL')) this.#options.report(`${this.zone} did not exit within ${withinMs} ms and was killed`)
    }, withinMs)
    await this.#gone
    clearTimeout(impatience)
  }

  #order(type: ZoneOrder['type']): void {
    if (this.#child?.connected) this.#child.send({ type } satisfies ZoneOrder, () => {})
  }

  #hear(value: unknown): void {
    const message = asZoneMessage(value)
    if (message === undefined) {
      this.#options.report(`${this.zone} sent what is no message: ${JSON.stringify(value)}`)
      return
    }
    switch (message.type) {
      case 'ready':
        this.#ready = true
        this.#failure = undefined
        break
      case 'failed':
        this.#failure = message.error
        break
      case 'stopped':
        this.#onStopped()
        break
      case 'progress':
      case 'serving':
        break
    }
    this.#options.onMessage(message)
  }

  async #afterEnd(how: string, livedMs: number): Promise<void> {
    this.#child = undefined
    this.#ready = false
    this.#lastEnd = `its process ended (${how})`
    await this.#options.cleanUp()
    if (this.#stopping) return
    this.#deathsInARow = livedMs >= (this.#options.calmAfterMs ?? CALM_AFTER_MS) ? 1 : this.#deathsInARow + 1
    const waitMs = backoffMs(this.#deathsInARow)
    const pattern = this.#deathsInARow >= DEATHS_IN_A_ROW_MAX ? `, ${this.#deathsInARow} times in a row` : ''
    const why = this.#failure === undefined ? '' : `: ${this.#failure.problem}. ${this.#failure.remedy}`
    this.#options.report(`${this.zone} ended (${how})${pattern}${why}; starting it again in ${waitMs} ms`)
    this.#timer = setTimeout(() => {
      this.#restarts += 1
      this.start()
    }, waitMs)
  }
}

function timeout(afterMs: number): { readonly passed: Promise<true>; readonly cancel: () => void } {
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), afterMs)
  })
  return { passed, cancel: () => clearTimeout(timer) }
}

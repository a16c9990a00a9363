/**
 * Runs plans one after the other in processes of its own, and judges each: once, or twice to see that both runs are the
 * same. The second of two is always a fresh process, as is that of whoever repeats a failure, while the first has run other
 * seeds before; so whatever one run leaves behind for the next shows as a difference.
 */
import type { Plan } from '../plan/plan.ts'
import { partedBetween } from '../run/digest.ts'
import type { Result } from './worker-messages.ts'
import { type Answer, WorkerProcess } from './worker-process.ts'

export interface Verdict {
  /** Absent if the process crashed. */
  readonly outcome?: Result['outcome']
  /** Processor time that it took; absent if the process crashed. */
  readonly cpuMs?: number
  /** In words; absent if all held. */
  readonly violation?: string
}

export interface Runner {
  /** Undefined if it was stopped meanwhile. */
  run(plan: Plan): Promise<Verdict | undefined>
  stop(): void
}

export class OnceRunner implements Runner {
  readonly #worker: WorkerProcess

  constructor(worker = new WorkerProcess()) {
    this.#worker = worker
  }

  async run(plan: Plan): Promise<Verdict | undefined> {
    return verdictOf(await this.#worker.run({ plan, withDigest: false }))
  }

  stop(): void {
    this.#worker.stop()
  }
}

export class TwiceRunner implements Runner {
  readonly #first: WorkerProcess
  readonly #second: WorkerProcess

  constructor(first = new WorkerProcess(), second = new WorkerProcess()) {
    this.#first = first
    this.#second = second
  }

  async run(plan: Plan): Promise<Verdict | undefined> {
    const job = { plan, withDigest: true }
    const [first, second] = await Promise.all([this.#first.run(job), this.#second.run(job)])
    this.#second.stop()
    const verdict = verdictOf(first)
    if (verdict === undefined || second.kind === 'stopped') return undefined
    if (first.kind === 'crash') return verdict
    if (second.kind === 'crash') return { ...verdict, violation: second.words }
    const difference = differenceOf((first as { result: Result }).result, second.result)
    return difference === undefined ? verdict : { ...verdict, violation: difference }
  }

  stop(): void {
    this.#first.stop()
    this.#second.stop()
  }
}

function verdictOf(answer: Answer): Verdict | undefined {
  if (answer.kind === 'stopped') return undefined
  if (answer.kind === 'crash') return { violation: answer.words }
  const { outcome, cpuMs } = answer.result
  const { violation } = outcome
  return violation === undefined ? { outcome, cpuMs } : { outcome, cpuMs, violation }
}

/** In words; undefined if both are the same. */
export function differenceOf(left: Result, right: Result): string | undefined {
  const differences: string[] = []
  const compare = (name: string, one: unknown, other: unknown) => {
    if (one !== other) differences.push(`${name} ${one} and ${other}`)
  }
  compare('last draw', left.outcome.lastDraw, right.outcome.lastDraw)
  compare('steps', left.outcome.steps, right.outcome.steps)
  compare('commits', left.outcome.commits, right.outcome.commits)
  compare('servings', left.outcome.servings, right.outcome.servings)
  compare('terms', left.outcome.terms, right.outcome.terms)
  compare('simulated time', left.outcome.simulatedMs, right.outcome.simulatedMs)
  compare('violation', firstLine(left.outcome.violation), firstLine(right.outcome.violation))
  compare('probes', namesOf(left.outcome.probes), namesOf(right.outcome.probes))
  compare('digest', left.digest, right.digest)
  if (differences.length === 0) return undefined
  const parted = partedBetween(left.marks ?? [], right.marks ?? [])
  const where = parted && `; they parted between ${parted.fromMs / 1000} s and ${parted.untilMs / 1000} s`
  return `two runs of one plan differ: ${differences.join(', ')}${where ?? ''}`
}

/** Of a defect the rest is a stack, which may be another in a process that was not there from the beginning. */
function firstLine(violation: string | undefined): string {
  return violation?.split('\n', 1)[0] ?? NONE
}

function namesOf(probes: readonly string[]): string {
  return probes.length === 0 ? NONE : probes.join(' + ')
}

const NONE = 'none'

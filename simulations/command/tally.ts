/**
 * What a number of runs came to. That many seeds passed says little if few of them did anything, so what they did is counted
 * along: commits, failovers, and how many runs had any. Nothing here knows how they were run.
 */
import type { Fault } from '../faults/fault.ts'
import { neverReached, type Probe } from '../oracles/sometimes.ts'
import type { Plan } from '../plan/plan.ts'
import type { Explanation } from './explain.ts'
import type { Verdict } from './runner.ts'

export interface Failure {
  readonly seed: number
  readonly violation: string
  readonly faults: readonly Fault[]
  /** Words for a shell that show it again. */
  readonly commands: readonly string[]
  /** Absent if nobody has looked for one. */
  readonly explanation?: Explanation & { readonly file?: string }
}

export interface Summary {
  readonly seeds: number
  readonly elapsedSeconds: number
  readonly simulatedSeconds: number
  readonly simulatedSecondsPerSecond: number
  /** Of processor time: what one core does, whatever else the machine does. */
  readonly simulatedSecondsPerCpuSecond: number
  readonly events: number
  readonly eventsPerSecond: number
  readonly commits: number
  /** Elections after the first of a run. */
  readonly failovers: number
  /** Of the seeds. */
  readonly committedShare: number
  readonly changedTermShare: number
  /** Places that some run should get to, and none has: what is proved about them is nothing. */
  readonly probesNeverReached: readonly Probe[]
  readonly failures: readonly Failure[]
}

export class Tally {
  readonly failures: Failure[] = []
  #seeds = 0
  #simulatedMs = 0
  #cpuMs = 0
  #events = 0
  #commits = 0
  #failovers = 0
  #committed = 0
  #changedTerm = 0
  readonly #reached = new Set<Probe>()

  /** `commands` show a failure of this plan again. */
  add(plan: Plan, { outcome, cpuMs = 0, violation }: Verdict, commands: readonly string[]): Failure | undefined {
    this.#seeds++
    this.#cpuMs += cpuMs
    if (outcome !== undefined) {
      this.#simulatedMs += outcome.simulatedMs
      this.#events += outcome.steps
      this.#commits += outcome.commits
      this.#failovers += Math.max(0, outcome.terms - 1)
      if (outcome.commits > 0) this.#committed++
      if (outcome.terms > 1) this.#changedTerm++
      for (const probe of outcome.probes) this.#reached.add(probe)
    }
    if (violation === undefined) return undefined
    const failure = { seed: plan.seed, violation, faults: plan.faults, commands }
    this.failures.push(failure)
    return failure
  }

  /** `explained` takes the place of `failure`, with what is known of it now. */
  replace(failure: Failure, explained: Failure): void {
    this.failures[this.failures.indexOf(failure)] = explained
  }

  summary(elapsedMs: number): Summary {
    const elapsedSeconds = elapsedMs / 1000
    const simulatedSeconds = this.#simulatedMs / 1000
    const rate = (amount: number) => (elapsedSeconds > 0 ? round(amount / elapsedSeconds, 1) : 0)
    const share = (part: number) => (this.#seeds > 0 ? round(part / this.#seeds, 4) : 0)
    return {
      seeds: this.#seeds,
      elapsedSeconds: round(elapsedSeconds, 1),
      simulatedSeconds: round(simulatedSeconds, 1),
      simulatedSecondsPerSecond: rate(simulatedSeconds),
      simulatedSecondsPerCpuSecond: this.#cpuMs > 0 ? round(this.#simulatedMs / this.#cpuMs, 1) : 0,
      events: this.#events,
      eventsPerSecond: rate(this.#events),
      commits: this.#commits,
      failovers: this.#failovers,
      committedShare: share(this.#committed),
      changedTermShare: share(this.#changedTerm),
      probesNeverReached: neverReached(this.#reached),
      failures: this.failures,
    }
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

/** A line that names what `describeSummary` counts; empty if there is nothing to name, or nothing was run. */
export function describeUnreached({ seeds, probesNeverReached }: Summary): string {
  return seeds === 0 || probesNeverReached.length === 0 ? '' : `never reached: ${probesNeverReached.join(' · ')}\n`
}

/** The line for people, or where there is no room for it what matters most of it, first that which must not be cut off. */
export function summaryWithin(room: number, summary: Summary): string {
  const whole = describeSummary(summary)
  if (whole.length <= room) return whole
  const { seeds, elapsedSeconds, simulatedSecondsPerSecond, probesNeverReached, failures } = summary
  return [
    `${failures.length} failed`,
    `${seeds} seeds`,
    `${Math.round(elapsedSeconds)} s`,
    `${Math.round(simulatedSecondsPerSecond)} s/s`,
    `commits ${percent(summary.committedShare)}`,
    `terms ${percent(summary.changedTermShare)}`,
    `probes ${probesNeverReached.length}`,
  ].join(' · ')
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** One line for people. */
export function describeSummary(summary: Summary): string {
  const { seeds, elapsedSeconds, simulatedSecondsPerSecond, eventsPerSecond, commits, failovers } = summary
  const { probesNeverReached, failures } = summary
  return [
    `${seeds} ${seeds === 1 ? 'seed' : 'seeds'} in ${Math.round(elapsedSeconds)} s`,
    `${Math.round(simulatedSecondsPerSecond)} simulated s/s`,
    `${Math.round(eventsPerSecond)} events/s`,
    `${commits} commits`,
    `${failovers} failovers`,
    `${percent(summary.committedShare)} committed`,
    `${percent(summary.changedTermShare)} changed term`,
    `${probesNeverReached.length} ${probesNeverReached.length === 1 ? 'probe' : 'probes'} never reached`,
    `${failures.length} ${failures.length === 1 ? 'failure' : 'failures'}`,
  ].join(' · ')
}

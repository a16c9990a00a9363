/** What passes between the command line and the processes that simulate. Data only, since it travels as JSON. */
import type { Plan } from '../plan/plan.ts'
import type { DigestMark } from '../run/digest.ts'
import type { Outcome } from '../run/run.ts'

export interface Job {
  readonly plan: Plan
  /** Also hash all that happens. */
  readonly withDigest: boolean
  /** Write all that happens to this file. */
  readonly log?: string
}

export type Reply = Result | Crash

/** The process is of no use any more. */
export interface Crash {
  /** The error that has ended it, in words. */
  readonly crash: string
}

export interface Result {
  /** Without its reports, which whoever repeats the run gets anew. */
  readonly outcome: Omit<Outcome, 'reports'>
  /** Processor time that the run took, of all threads. */
  readonly cpuMs: number
  readonly digest?: string
  readonly marks?: readonly DigestMark[]
}

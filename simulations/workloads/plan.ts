/** What clients do in a run, as plain data: it is drawn before the run, printed with it, and shrunk after it. */
export interface WorkloadPlan {
  readonly clients: number
  /** Of them, how many only read, and so stay with a server that can commit nothing any more. */
  readonly readers?: number
  /** Registers in use, numbered from 0. */
  readonly keys: number
  /** Mean time between two transactions of a client. */
  readonly thinkMeanMs: number
  /** From when on, since the beginning of the run, clients do not think for a while. */
  readonly burst?: { readonly atMs: number; readonly forMs: number }
  /** Mean time until a client that lost its connection tries again. */
  readonly backoffMeanMs: number
  /** Share of the transactions that write. */
  readonly writeShare: number
  /** Share of the transactions that use two keys. */
  readonly twoKeyShare: number
  /** A client gives up its connection if it hears nothing for so long. */
  readonly timeoutMs: number
}

export const DEFAULT_WORKLOAD: WorkloadPlan = {
  clients: 4,
  keys: 32,
  thinkMeanMs: 200,
  backoffMeanMs: 500,
  writeShare: 0.5,
  twoKeyShare: 0.3,
  timeoutMs: 20_000,
}

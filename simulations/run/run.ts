/**
 * One run: a plan is carried out, then the world heals, and what must hold in the end is looked at. While faults strike only
 * safety is asked for; once they have ended for good, service must come back within a bound, or the run says who
 * waits for what. A run reads nothing but its plan.
 */
import { useScheduler } from '../../runtime/system/run.ts'
import { SimCluster } from '../cluster/sim-cluster.ts'
import type { Fault } from '../faults/fault.ts'
import { heal, strike } from '../faults/strike.ts'
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel, WORLD } from '../kernel/kernel.ts'
import { KernelScheduler } from '../kernel/scheduler.ts'
import { audit, auditMsMax, awaitService, RECOVERY_MS_MAX } from '../oracles/liveness.ts'
import { Oracles } from '../oracles/oracles.ts'
import type { Probe } from '../oracles/sometimes.ts'
import { Violated } from '../oracles/violated.ts'
import { neverStrikes, type Plan } from '../plan/plan.ts'
import { EPOCH_MS, type Happening, type RunObserver } from './observer.ts'

export interface Outcome {
  readonly seed: number
  /** In words; undefined if all held. */
  readonly violation: string | undefined
  readonly simulatedMs: number
  readonly steps: number
  readonly commits: number
  /** How often somebody began to serve, the first time included. */
  readonly servings: number
  /** How many terms somebody was elected for. */
  readonly terms: number
  /** The last number drawn, which two runs of one plan must agree in. */
  readonly lastDraw: number
  readonly reports: readonly string[]
  /** What it has reached, of PROBES. */
  readonly probes: readonly Probe[]
}

/** Of the reports of zones, the last are kept. */
const REPORTS_MAX = 400
/** Long enough for elections and clients that try again. */
const UNHEALED_MS = 15_000

/** `observer` is told of all that happens, and changes nothing of it. */
export async function runPlan(plan: Plan, observer?: RunObserver): Promise<Outcome> {
  const draws = new SeededDraws(plan.seed)
  const kernel = new Kernel(draws, EPOCH_MS)
  const oracles = new Oracles(plan)
  const reports: string[] = []
  const tell = observer && ((happening: Happening) => observer.observe({ atMs: kernel.nowMs - EPOCH_MS, ...happening }))
  const report = (process: string, line: string) => {
    reports.push(`${((kernel.nowMs - EPOCH_MS) / 1000).toFixed(3)} ${process} ${line}`)
    if (reports.length > REPORTS_MAX) reports.shift()
    oracles.reported(line)
    tell?.({ kind: 'report', lane: process, text: line })
  }
  observer?.begins?.(() => kernel.nowMs)
  const recorderOf = observer?.recorderOf && ((host: string) => observer.recorderOf!(host))
  const cluster = new SimCluster(kernel, plan, { report, tell, recorderOf })
  if (observer?.durable) {
    const durable = (term: number, position: number) => observer.durable?.(term, position)
    cluster.reignObservers.push({ opened: () => {}, durable })
  }
  if (observer?.stepped) kernel.watch = () => observer.stepped?.(cluster, kernel.nowMs - EPOCH_MS)
  useScheduler(new KernelScheduler(kernel))
  let violation: string | undefined
  try {
    await carryOut({ kernel, cluster, plan, oracles, report, tell })
  } catch (error) {
    violation = inWords(error)
  } finally {
    useScheduler(undefined)
  }
  return {
    seed: plan.seed,
    violation,
    simulatedMs: kernel.nowMs - EPOCH_MS,
    steps: kernel.steps,
    commits: cluster.ledger.counts.acknowledgedWrites,
    servings: cluster.servings,
    terms: cluster.terms.size,
    lastDraw: draws.last,
    reports,
    probes: oracles.probes,
  }
}

interface Run {
  readonly kernel: Kernel
  readonly cluster: SimCluster
  readonly plan: Plan
  readonly oracles: Oracles
  readonly report: (process: string, line: string) => void
  readonly tell: ((happening: Happening) => void) | undefined
}

function strikeNow({ cluster, report, tell }: Run, fault: Fault): void {
  report('FAULT', JSON.stringify(fault))
  tell?.({ kind: 'fault', lane: 'world', text: JSON.stringify(fault) })
  strike(cluster, fault)
}

async function carryOut(run: Run): Promise<void> {
  const { kernel, cluster, plan, oracles, report, tell } = run
  oracles.begin(cluster)
  cluster.edits.strike = (fault) => {
    if (kernel.nowMs >= EPOCH_MS + plan.durationMs) return false
    // In a step of its own: a process must not die while it is at work.
    kernel.after(WORLD, 0, () => strikeNow(run, fault))
    return true
  }
  cluster.start()
  for (const fault of plan.faults) {
    if (neverStrikes(plan, fault)) continue
    kernel.after(WORLD, fault.atMs, () => cluster.edits.spares(fault) || strikeNow(run, fault))
  }
  for (const fault of cluster.edits.added) {
    if (neverStrikes(plan, fault)) continue
    kernel.first(WORLD, fault.atMs, () => {
      cluster.edits.struck(fault)
      strikeNow(run, fault)
    })
  }
  await kernel.run(EPOCH_MS + plan.durationMs)
  if (plan.isBeyondPromise) return endUnhealed(run)
  report('WORLD', 'heals')
  tell?.({ kind: 'heal', lane: 'world', text: 'all faults end' })
  heal(cluster)
  oracles.healed(cluster)
  const deadline = await awaitService(cluster, plan.workload.clients)
  cluster.workload.stop()
  await kernel.run(deadline, () => cluster.workload.isQuiet)
  // The bound is one of service, which has come. What clients gave up while it was slow is carried out before the last look.
  await audit(cluster, kernel.nowMs + auditMsMax(plan.workload.keys))
  await oracles.audited(cluster)
  await oracles.atEnd(cluster, kernel.nowMs + RECOVERY_MS_MAX)
  checkEdits(run)
}

/** Nobody heals what nobody promises to survive: the world goes on as it is for a while, and what it has shown is judged. */
async function endUnhealed(run: Run): Promise<void> {
  const { kernel, cluster, oracles } = run
  await kernel.run(kernel.nowMs + UNHEALED_MS)
  cluster.workload.stop()
  await kernel.run(kernel.nowMs + UNHEALED_MS, () => cluster.workload.isQuiet)
  await oracles.atUnhealedEnd(cluster)
  checkEdits(run)
}

/** A run that never comes to its edit answers another question than the one that was asked. */
function checkEdits({ cluster }: Run): void {
  const [missed] = cluster.edits.missed
  if (missed !== undefined) throw new Violated(`the run has not come to an edit of its plan: ${missed}`)
}

/** An error that has ended a run, as its violation. */
export function inWords(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'words' in error) return String(error.words)
  if (error instanceof Error) return error.stack ?? error.message
  return String(error)
}

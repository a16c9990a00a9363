/** A run whose log goes to a file while it goes on, so that of one which crashes the file holds what came before. */
import type { Plan } from '../plan/plan.ts'
import { SimulationLog } from '../report/simulation-log.ts'
import type { Outcome } from '../run/run.ts'
import { LogFile } from './files.ts'
import { runGuarded } from './guarded-run.ts'

/** @throws BadArgument if the file cannot be written */
export async function runLogged(plan: Plan, path: string): Promise<Outcome> {
  const file = new LogFile('--log', path)
  const log = new SimulationLog(plan, file.write)
  const outcome = await runGuarded(plan, [log])
  log.end(outcome)
  file.close()
  return outcome
}

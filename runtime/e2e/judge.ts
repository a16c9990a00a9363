/** What every end-to-end test asks in the end: is each acknowledged commit there, does the money add up, is Postgres content. */
import { expect } from 'vitest'
import { checkIntegrity, type Ledger } from './ledger.ts'
import type { LochProcess } from './loch-process.ts'

/** Stops the sessions first. */
export async function expectNothingLost(ledger: Ledger, loch: LochProcess): Promise<void> {
  await ledger.stop()
  const report = await ledger.compare()
  expect(report.acknowledged).toBeGreaterThan(0)
  expect(report).toMatchObject({ missing: [], invented: 0, sum: report.expectedSum })
  expect(await checkIntegrity(loch.url)).toBeGreaterThan(50)
}

/** The compute that serves, and the zone that runs it. */
export function servingCompute(loch: LochProcess) {
  const found = loch.status().zones.flatMap(({ zone, computes }) => computes.map((compute) => ({ ...compute, zone })))
  const serving = found.find(({ state }) => state.startsWith('serving'))
  if (!serving) throw new Error(`no compute serves: ${JSON.stringify(found)}`)
  return serving
}

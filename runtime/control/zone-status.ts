/**
 * The state of all zones as one answer: what the supervisor knows of their processes, and what they say about themselves.
 * A zone that does not answer in time is listed as down, and holds nobody up.
 */
import * as Effect from 'effect/Effect'
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import type { BusShape } from '../bus/bus.ts'
import { decodeAs, encodeAs, encodingOf } from './encoding.ts'
import { type ZoneCondition, ZoneReport, type ZoneStatus, zoneStatusSubject } from './schemas.ts'
import type { ZoneProcess, ZoneProcessState } from './zone-process.ts'

/** A zone answers within a millisecond; one that needs longer is in no state to be relied on. */
export const ZONE_ANSWER_MS_MAX = 1_000

/** What a status needs to know of a zone's process. */
export type ZoneProcessView = Pick<ZoneProcess, 'zone' | 'pid' | 'state' | 'restarts' | 'problem'>

/** Asks all zones at once. Never rejects. */
export function zoneStatuses(
  bus: BusShape,
  project: string,
  processes: readonly ZoneProcessView[],
): Promise<readonly ZoneStatus[]> {
  return Promise.all(processes.map((process) => zoneStatus(bus, project, process)))
}

async function zoneStatus(bus: BusShape, project: string, process: ZoneProcessView): Promise<ZoneStatus> {
  const report = process.pid === undefined ? 'its process does not run' : await askZone(bus, project, process.zone)
  const known = {
    zone: process.zone,
    restarts: process.restarts,
    ...(process.pid === undefined ? {} : { pid: process.pid }),
  }
  if (typeof report === 'string') {
    const state = condition(process.state, false)
    const problem = process.problem ?? (state === 'down' ? report : undefined)
    const why = problem === undefined ? {} : { problem }
    return { ...known, ...why, state, leader: false, safekeepers: [], computes: [] }
  }
  const { leader, memoryBytes, safekeepers, computes } = report
  return { ...known, state: condition(process.state, true), leader, memoryBytes, safekeepers, computes }
}

function condition(state: ZoneProcessState, answers: boolean): ZoneCondition {
  switch (state) {
    case 'up':
      return answers ? 'up' : 'down'
    case 'stopped':
      return 'down'
    case 'starting':
    case 'down':
    case 'failing':
    case 'stopping':
      return state
  }
}

/** The report, or why there is none. */
async function askZone(bus: BusShape, project: string, zone: string): Promise<ZoneReport | string> {
  const request = bus.request(zoneStatusSubject(project, zone), encodeAs('msgpack', {}), {
    timeoutMs: ZONE_ANSWER_MS_MAX,
  })
  const outcome = await Effect.runPromise(Effect.result(request))
  if (outcome._tag === 'Failure') return outcome.failure.problem
  const { data } = outcome.success
  const parsed = Schema.decodeUnknownResult(ZoneReport)(decodeAs(encodingOf(data), data))
  return Result.isSuccess(parsed) ? parsed.success : `its answer does not fit: ${parsed.failure.message}`
}

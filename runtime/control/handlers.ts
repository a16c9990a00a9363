/**
 * What the endpoints of the control API do, each in terms of something that does it: zones are asked, endpoints are given
 * orders, journals and logs are read. The supervisor process serves them all.
 */
import * as Effect from 'effect/Effect'
import type { BusShape } from '../bus/bus.ts'
import type { DataDirectory } from '../data-directory.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import { run } from '../system/run.ts'
import type { Handlers } from './api.ts'
import { orderEndpoint } from './endpoint-orders.ts'
import { listJournals, readJournal } from './journal-catalog.ts'
import { tailLog } from './log-files.ts'
import { JOURNAL_EVENTS_MAX, type LochStatus } from './schemas.ts'
import { type ZoneProcessView, zoneStatuses } from './zone-status.ts'

export interface HandlerPorts {
  readonly bus: BusShape
  readonly store: ObjectStoreShape
  readonly directory: Pick<DataDirectory, 'path' | 'instance' | 'paths'>
  readonly project: string
  /** The endpoint of an order that names none. */
  readonly endpoint: string
  readonly version: string
  /** HOST:PORT of the endpoint. */
  readonly listen: string
  readonly broker: () => LochStatus['broker']
  readonly zones: readonly ZoneProcessView[]
  readonly requestStop: () => void
}

/** Lines of a log if the asker does not say. */
const LINES_BY_DEFAULT = 100

export function controlHandlers(ports: HandlerPorts): Handlers {
  const { bus, store, project, directory } = ports
  const startedAtMs = Date.now()
  const zones = () => zoneStatuses(bus, project, ports.zones)
  return {
    status: async () => ({
      project,
      instance: directory.instance,
      version: ports.version,
      pid: process.pid,
      startedAtMs,
      memoryBytes: process.memoryUsage.rss(),
      data: directory.path,
      objectStore: store.url,
      listen: ports.listen,
      broker: ports.broker(),
      zones: await zones(),
    }),
    stop: async () => {
      // The answer must be on its way before the connection closes, which happens once everything else has stopped.
      setImmediate(ports.requestStop)
      return { stopping: true, pid: process.pid }
    },
    'computes.start': ({ endpoint = ports.endpoint }) => run(orderEndpoint(bus, project, endpoint, 'Wake')),
    'computes.stop': ({ endpoint = ports.endpoint }) => run(orderEndpoint(bus, project, endpoint, 'Suspend')),
    'computes.status': async ({ endpoint }) => {
      const computes = (await zones()).flatMap(({ zone, computes }) =>
        computes.map((compute) => ({ ...compute, zone })),
      )
      return { computes: computes.filter((compute) => endpoint === undefined || compute.endpoint === endpoint) }
    },
    'journals.list': () => run(Effect.map(listJournals(store), (journals) => ({ journals }))),
    'journals.read': ({ journal, after = 0, limit = JOURNAL_EVENTS_MAX }) =>
      run(readJournal(store, journal, after, limit)),
    'logs.tail': async ({ log, lines = LINES_BY_DEFAULT, cursor }) => ({
      log,
      ...tailLog(directory.paths.logs, log, lines, cursor),
    }),
  }
}

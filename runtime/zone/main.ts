/**
 * A zone's process: one failure domain. It hosts the zone's actor, its safekeepers, the computes that were placed here, and,
 * while it leads, the timeline and endpoint actors of the project. Started by the supervisor with one argument, the file of
 * its configuration (control/zone-config.ts). Everything is acquired into one scope and given back in reverse.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import * as Cause from 'effect/Cause'
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Layer from 'effect/Layer'
import type * as Scope from 'effect/Scope'
import { useChecksum } from '../../events/checksum.ts'
import { WRITER_BYTES } from '../../events/frame.ts'
import { type Lane, openFastLane } from '../bus/fast-lane.ts'
import { connectBus } from '../bus/nats.ts'
import type { BodyEnvironment } from '../compute/environment.ts'
import { mountedBody } from '../compute/mounted-body.ts'
import { readZoneConfig, type ZoneConfig } from '../control/zone-config.ts'
import { openZoneLink, type ZoneLink } from '../control/zone-link.ts'
import { isLochError, type LochError, problemOf } from '../errors.ts'
import { openObjectStore } from '../object-store/open.ts'
import { Postgres, postgresLayer } from '../postgres/postgres.ts'
import { RECORDINGS, Recording } from '../replay/recording.ts'
import { startSafekeepers } from '../safekeeper/host.ts'
import { attempt } from '../system/run.ts'
import { realTimers } from '../system/timers.ts'
import { zonePorts } from './ports.ts'
import { ZoneHost } from './zone-host.ts'

const serve = Effect.fnUntraced(function* (
  config: ZoneConfig,
  link: ZoneLink,
): Effect.fn.Return<void, LochError, Scope.Scope> {
  const report = (line: string) => console.log(`${new Date().toISOString()} ${line}`)
  const startedMs = performance.now()
  report(`${config.zone} starts as process ${process.pid}`)
  const bus = yield* connectBus(config.natsUrl, { name: `loch ${config.zone}`, report })
  const lane = yield* acquireLane(config, bus, report)
  const store = yield* openObjectStore(config.objectStore)
  const postgres = yield* acquirePostgres(config)
  const safekeepers = yield* acquireSafekeepers(config, report)
  const time = { nowMs: Date.now, monotonicMs: () => performance.now(), timers: realTimers }
  const ports = zonePorts({
    ...time,
    project: config.project,
    bus,
    store,
    newId: randomUUID,
    recorder: yield* acquireRecorder(config, report),
    report: (actor, doing, error) => report(`${actor}: ${doing}: ${problemOf(error)}`),
  })
  const body = mountedBody(bodyEnvironment(config, postgres))
  const newWriter = () => Buffer.from(randomBytes(WRITER_BYTES / 2).toString('hex'), 'latin1')
  const host = new ZoneHost({ config, bus, lane, store, ports, body, newWriter, safekeepers, link, report, ...time })
  yield* Effect.acquireRelease(
    attempt(() => host.start()),
    () => Effect.promise(() => host.close()),
  )
  link.progress('Open', performance.now() - startedMs)
  link.ready()
  const failed = attempt(async () => {
    throw await safekeepers.failed
  })
  const stopped = Effect.gen(function* () {
    yield* Effect.promise(() => link.stopRequested)
    yield* attempt(() => host.quiesce())
    link.stopped()
    yield* Effect.promise(() => link.exitRequested)
  })
  yield* Effect.raceFirst(stopped, failed)
})

/** Log bytes go over a connection of their own, where the server allows it. */
function acquireLane(config: ZoneConfig, bus: Lane, report: (line: string) => void) {
  const open = Effect.sync(() => openFastLane(config.natsUrl, { name: `loch ${config.zone} lane`, bus, report }))
  return Effect.acquireRelease(open, (lane) => Effect.sync(() => lane.close()))
}

function bodyEnvironment(config: ZoneConfig, postgres: Postgres['Service']): BodyEnvironment {
  const { runDirectory, zoneDirectory, logDirectory, cacheBytes, listen, passwordFile } = config
  return {
    binaries: postgres.binaries,
    user: postgres.user,
    runDirectory,
    cacheDirectory: join(zoneDirectory, 'cache'),
    cacheBytes,
    listen,
    passwordFile,
    postgresLog: join(logDirectory, 'postgres.log'),
  }
}

/** Shared by the zones of a host: the last to leave removes it. */
function acquirePostgres(config: ZoneConfig): Effect.Effect<Postgres['Service'], LochError, Scope.Scope> {
  const layer = postgresLayer(join(dirname(config.runDirectory), 'postgres'))
  return Effect.flatMap(Layer.build(layer), (context) => Effect.provide(Postgres, context))
}

function acquireSafekeepers(config: ZoneConfig, report: (line: string) => void) {
  const { project, zone, zones, timeline, natsUrl, objectStore, zoneDirectory } = config
  const directory = join(zoneDirectory, 'safekeepers')
  return Effect.acquireRelease(
    attempt(() =>
      startSafekeepers({ project, zone, zones, timelines: [timeline], natsUrl, objectStore, directory, report }),
    ),
    (safekeepers) => Effect.promise(() => safekeepers.stop()),
  )
}

/** Of what the actors of this process hear and decide. The safekeepers' thread keeps its own. */
function acquireRecorder({ zone, zoneDirectory }: ZoneConfig, report: (line: string) => void) {
  const directory = join(zoneDirectory, RECORDINGS, 'zone')
  const open = Effect.sync(() => new Recording({ directory, host: zone, nowMs: Date.now, report }))
  const opened = Effect.acquireRelease(open, (recording) => Effect.promise(() => recording.close()))
  return Effect.map(opened, ({ recorder }) => recorder)
}

/** Ends the process: with 0 after an ordered stop, else by force, after the supervisor has been told why. */
async function main(): Promise<never> {
  useChecksum((bytes, before) => crc32(bytes, before))
  const config = readZoneConfig(process.argv[2]!)
  const link = openZoneLink()
  const exit = await Effect.runPromiseExit(Effect.scoped(serve(config, link)))
  if (Exit.isSuccess(exit)) process.exit(0)
  const error = Cause.squash(exit.cause)
  console.error(error)
  await link.failed(error, isLochError(error) && FATAL.includes(error._tag))
  return endByForce()
}

/** process.exit would wait for a thread that may be waiting for the kernel. */
function endByForce(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('unreachable')
}

process.on('uncaughtException', (error) => {
  console.error(error)
  endByForce()
})

/** What starting the zone again will not mend. */
const FATAL: readonly LochError['_tag'][] = ['BadArgument', 'HostUnfit', 'FormatTooNew', 'StoreRefused']

await main()

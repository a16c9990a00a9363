/**
 * `loch up`: one instance of Loch from its first check to its last breath, in the order in which things need each other.
 * Everything is acquired into one scope, so an error or a stop at any point undoes exactly what was done, in reverse. No
 * data passes here: this process starts the others, watches them and answers questions about them.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as Effect from 'effect/Effect'
import * as Fiber from 'effect/Fiber'
import type * as Scope from 'effect/Scope'
import type { Durability } from '../events/timeline.ts'
import { connectBus, type NatsBus } from './bus/nats.ts'
import { type ControlService, serveControl } from './control/api.ts'
import type { ReadyReport } from './control/banner.ts'
import { orderEndpoint } from './control/endpoint-orders.ts'
import { formatListen, type ListenAddress } from './control/flags.ts'
import { controlHandlers } from './control/handlers.ts'
import { checkHost } from './control/host-check.ts'
import { claimableAddress } from './control/listen-check.ts'
import { keepBroker } from './control/local-broker.ts'
import { ownName } from './control/ownership.ts'
import type { Progress } from './control/progress.ts'
import { describeRemains, removeRemains } from './control/remains.ts'
import { hearRival, refuseRival } from './control/rival.ts'
import { RotatingLog } from './control/rotating-log.ts'
import { removeRunningInstance, writeRunningInstance } from './control/running-instance.ts'
import type { LochStatus } from './control/schemas.ts'
import { type StopSignal, stopSignal } from './control/stop-signal.ts'
import { Supervisor } from './control/supervisor.ts'
import { lochVersion } from './control/version.ts'
import { explainComputes, wakeUntilTaken } from './control/wake.ts'
import { zoneStatuses } from './control/zone-status.ts'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'
import type { LochError } from './errors.ts'
import type { ObjectStoreShape } from './object-store/object-store.ts'
import { openObjectStore, probe } from './object-store/open.ts'
import { ensurePassword, readPassword } from './postgres/credentials.ts'
import { attempt } from './system/run.ts'
import { ensureProject, type Project } from './zone/bootstrap.ts'

export interface UpOptions {
  readonly data: string
  readonly isDefaultData: boolean
  readonly listen: ListenAddress
  /** Undefined for a directory in the data directory. */
  readonly objectStore: string | undefined
  /** Undefined to start a NATS server. */
  readonly nats: string | undefined
  readonly cacheBytes: number
  /** Undefined for what the project has, or three. */
  readonly zones: number | undefined
  readonly durability: Durability | undefined
  readonly project: string
}

export interface UpOutput {
  readonly progress: Progress
  /** Called once, when clients can connect. */
  readonly ready: (report: ReadyReport) => void
}

interface World {
  readonly options: UpOptions
  readonly output: UpOutput
  readonly stop: StopSignal
  readonly directory: DataDirectory
  /** To the supervisor's log, and to the terminal. */
  readonly report: (line: string) => void
}

/** Runs until it is asked to stop. Errors: anything of the closed set that keeps it from starting. */
export function up(options: UpOptions, output: UpOutput): Effect.Effect<void, LochError> {
  return Effect.scoped(
    Effect.gen(function* () {
      const stop = yield* stopSignal
      const stopped = Effect.promise(() => stop.requested).pipe(
        Effect.tap((by) => Effect.sync(() => output.progress.note(`Stopping (${by})`))),
      )
      // Whatever is under way when the wish comes is interrupted, and the scope undoes what was done.
      yield* Effect.raceFirst(Effect.scoped(serve(options, output, stop)), stopped)
    }),
  )
}

const serve = Effect.fnUntraced(function* (
  options: UpOptions,
  output: UpOutput,
  stop: StopSignal,
): Effect.fn.Return<never, LochError, Scope.Scope> {
  const { step } = output.progress
  yield* step('Check this host', checkHost)
  const directory = yield* step(`Open ${options.data}`, acquireDirectory(options.data))
  const world: World = { options, output, stop, directory, report: openReport(directory, output.progress) }
  const listen = yield* step('Clean up and check the address', prepareHost(world))
  const broker = yield* step('Connect to NATS', acquireBus(world))
  const store = yield* step('Check the object store', acquireStore(world))
  const project = yield* step('Open the project', openProject(world, broker.bus, store, listen))
  const isFirstStart = (yield* attempt(() => readPassword(directory.paths.password))) === undefined
  const password = yield* attempt(() => ensurePassword(directory.paths.password))
  const supervisor = prepareZones(world, project, broker, store, listen)
  // Before the zones start, so that they can be watched, and until they have stopped.
  const { id } = yield* serveApi(world, project, broker, store, listen, supervisor)
  yield* acquireStatusFile(world, broker, store, listen)
  yield* startZones(world, supervisor)
  const serving = step('Start a compute', startCompute(world, project, broker.bus, supervisor))
  // Who began in the same moment did not answer before.
  yield* Effect.raceFirst(serving, hearRival(broker.bus, project.project, id))
  output.ready({
    listen,
    password,
    isFirstStart,
    passwordFile: directory.paths.password,
    natsUrl: broker.url,
    broker: broker.kind(),
    data: directory.path,
    dataFlag: options.data,
    isDefaultData: options.isDefaultData,
    objectStore: store.url,
    durability: project.durability,
  })
  return yield* Effect.never
})

function acquireDirectory(path: string): Effect.Effect<DataDirectory, LochError, Scope.Scope> {
  return Effect.acquireRelease(
    attempt(() => openDataDirectory(path)),
    (directory) => Effect.sync(directory.release),
  )
}

function openReport(directory: DataDirectory, progress: Progress): (line: string) => void {
  const log = new RotatingLog(join(directory.paths.logs, 'loch.log'))
  log.line(`Loch ${lochVersion()} starts as process ${process.pid}`)
  return (line) => {
    log.line(line)
    progress.note(line)
  }
}

/** An orphan of an earlier run may hold the very address that is asked for, so it goes first. */
const prepareHost = Effect.fnUntraced(function* ({
  directory,
  options,
  report,
}: World): Effect.fn.Return<ListenAddress, LochError> {
  const remains = describeRemains(yield* Effect.promise(() => removeRemains(directory.runtimePath)))
  if (remains !== undefined) report(remains)
  return yield* attempt(() => claimableAddress(options.listen))
})

interface ConnectedBroker {
  readonly bus: NatsBus
  readonly kind: () => LochStatus['broker']
  /** With credentials. */
  readonly url: string
}

const acquireBus = Effect.fnUntraced(function* ({
  options,
  directory,
  report,
}: World): Effect.fn.Return<ConnectedBroker, LochError, Scope.Scope> {
  const broker =
    options.nats === undefined
      ? yield* keepBroker(directory.paths.run, report)
      : { kind: 'external' as const, url: options.nats }
  const bus = yield* connectBus(broker.url, { name: 'loch supervisor', report })
  // Not copied: which kind it is may change.
  return { bus, url: broker.url, kind: () => broker.kind }
})

const acquireStore = Effect.fnUntraced(function* ({
  options,
  directory,
}: World): Effect.fn.Return<ObjectStoreShape, LochError, Scope.Scope> {
  const store = yield* openObjectStore(options.objectStore ?? pathToFileURL(directory.paths.objects).href)
  // Its clean-up insists on an answer of a store that may give none: whoever stops us meanwhile does not wait for it.
  yield* Fiber.join(yield* Effect.forkDetach(probe(store)))
  return store
})

const openProject = Effect.fnUntraced(function* (
  { options }: World,
  bus: NatsBus,
  store: ObjectStoreShape,
  listen: ListenAddress,
): Effect.fn.Return<Project, LochError> {
  yield* refuseRival(bus, options.project)
  const { project, zones, durability } = options
  return yield* ensureProject(store, { project, zones, durability, listen: formatListen(listen) })
})

function prepareZones(
  { options, output, directory, report }: World,
  project: Project,
  broker: ConnectedBroker,
  store: ObjectStoreShape,
  listen: ListenAddress,
): Supervisor {
  return new Supervisor({
    directory,
    config: {
      project: project.project,
      zones: project.zones,
      timeline: project.timeline,
      endpoint: project.endpoint,
      durability: project.durability,
      natsUrl: broker.url,
      objectStore: store.url,
      data: directory.path,
      logDirectory: directory.paths.logs,
      passwordFile: directory.paths.password,
      cacheBytes: options.cacheBytes,
      listen,
      instance: directory.instance,
    },
    report,
    onProgress: (zone, name, elapsedMs) => output.progress.done(`${zone}: ${name}`, elapsedMs),
  })
}

function startZones({ output }: World, supervisor: Supervisor): Effect.Effect<void, never, Scope.Scope> {
  return Effect.acquireRelease(
    Effect.sync(() => supervisor.start()),
    () =>
      output.progress.step(
        'Stop the zones',
        Effect.promise(() => supervisor.stop()),
      ),
  )
}

/** Wakes the endpoint, whatever it slept for, as soon as a zone leads; then waits until clients can connect. */
const startCompute = Effect.fnUntraced(function* (
  { report }: World,
  { project, endpoint }: Project,
  bus: NatsBus,
  { serving, zones }: Supervisor,
): Effect.fn.Return<void, LochError> {
  const wake = wakeUntilTaken(orderEndpoint(bus, project, endpoint, 'Wake'), report)
  const explain = explainComputes(() => zoneStatuses(bus, project, zones), report)
  yield* Effect.raceFirst(
    attempt(() => serving),
    Effect.andThen(wake, explain),
  )
})

function serveApi(
  { directory, stop, report }: World,
  project: Project,
  broker: ConnectedBroker,
  store: ObjectStoreShape,
  listen: ListenAddress,
  { zones }: Supervisor,
): Effect.Effect<ControlService, never, Scope.Scope> {
  const version = lochVersion()
  const handlers = controlHandlers({
    bus: broker.bus,
    store,
    directory,
    project: project.project,
    endpoint: project.endpoint,
    version,
    listen: formatListen(listen),
    broker: broker.kind,
    zones,
    requestStop: () => stop.request('asked over NATS'),
  })
  const serving = serveControl(broker.bus, handlers, {
    project: project.project,
    version,
    instance: directory.instance,
    report,
  })
  return Effect.acquireRelease(
    Effect.promise(() => serving),
    (service) => Effect.promise(service.stop),
  )
}

function acquireStatusFile(
  { directory, options }: World,
  broker: ConnectedBroker,
  store: ObjectStoreShape,
  listen: ListenAddress,
): Effect.Effect<void, LochError, Scope.Scope> {
  const { instance, path: data, paths } = directory
  const about = { project: options.project, instance, data, natsUrl: broker.url, listen, objectStore: store.url }
  return Effect.acquireRelease(
    attempt(() => writeRunningInstance(paths.status, { ...ownName(), ...about })),
    () => Effect.sync(() => removeRunningInstance(paths.status)),
  )
}

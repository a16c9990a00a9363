/**
 * One simulated availability zone: a host with a disk and a clock, and on it the process of a zone, put together from the
 * same parts as runtime/zone/main.ts. The process may be killed and started again; the host may lose power, and its disk.
 * What happens to it is decided elsewhere.
 */
import type { EndpointId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import type { Durability } from '../../events/timeline.ts'
import type { SafekeeperStatus } from '../../runtime/control/schemas.ts'
import type { ZoneConfig } from '../../runtime/control/zone-config.ts'
import { problemOf } from '../../runtime/errors.ts'
import type { GapLimits } from '../../runtime/safekeeper/append-path.ts'
import type { LogLimits } from '../../runtime/safekeeper/disk-log.ts'
import { readPast } from '../../runtime/safekeeper/past.ts'
import { SafekeeperService } from '../../runtime/safekeeper/safekeeper.ts'
import type { ActorInspection, Recorder } from '../../runtime/system/ports.ts'
import type { Timers } from '../../runtime/system/timers.ts'
import { zonePorts } from '../../runtime/zone/ports.ts'
import { ZoneHost } from '../../runtime/zone/zone-host.ts'
import type { Edits } from '../fork/edits.ts'
import { type Kernel, NEVER_PAUSED, type Process } from '../kernel/kernel.ts'
import type { ReignObserver } from '../oracles/reign-observer.ts'
import type { PostgresSettings } from '../postgres/settings.ts'
import type { ExecutionObserver } from '../postgres/transaction.ts'
import type { HostClock } from '../world/clock.ts'
import { HostTimers, type Lateness, PUNCTUAL } from '../world/host-timers.ts'
import type { Network } from '../world/network.ts'
import { SimDisk } from '../world/sim-disk.ts'
import type { SimBucket } from '../world/sim-s3.ts'
import { STOP_WITHIN_MS, stopInOrder } from './orderly-stop.ts'
import { type Said, watchBus, watchLane } from './said-watch.ts'
import { type Address, simBody } from './sim-body.ts'

export interface SimWorld {
  readonly kernel: Kernel
  readonly network: Network
  readonly bucket: SimBucket
  readonly address: Address
  readonly observer: ExecutionObserver
  readonly died: (process: Process) => void
  readonly reigns: ReignObserver
  readonly safekeepers: SafekeeperObserver
  readonly report: (process: string, line: string) => void
  readonly edits: Edits
  readonly recorderOf?: ((host: string) => Recorder) | undefined
}

/** Looks on at safekeepers, and changes nothing. */
export interface SafekeeperObserver {
  /** A safekeeper has opened its disk, and not been asked anything yet. */
  opened(zone: string, disk: SimDisk): void
  /** It has said something, which nobody has heard yet. */
  said(zone: string, disk: SimDisk, said: Said): void
}

export interface SimProject {
  readonly project: ProjectId
  readonly zones: readonly ZoneId[]
  readonly timeline: TimelineId
  readonly endpoint: EndpointId
  readonly durability: Durability
  readonly cachePages: number
  readonly keys: number
  readonly postgres: PostgresSettings
  readonly logLimits: LogLimits | undefined
  readonly gapLimits: GapLimits | undefined
  readonly segmentPages: number | undefined
  readonly ringBytes: number | undefined
  readonly snapshotLogBytes: number | undefined
  readonly syncMeanMs: number | undefined
  readonly snapshotIntervalEvents: number | undefined
}

export interface ZoneInspection {
  readonly actors: readonly ActorInspection[]
  readonly safekeeper: SafekeeperStatus | undefined
}

/** A process of a zone that could not start is started again after this, as the supervisor does. */
const RESTART_AFTER_MS = 1_000
/** A file of a safekeeper's log: small, so that a run sees many of them come and go. */
const LOG_LIMITS: LogLimits = { segmentBytes: 64 * 1024, keptBytesMin: 64 * 1024, preparedBytes: 16 * 1024 }

export class SimZone {
  readonly name: ZoneId
  readonly clock: HostClock
  disk: SimDisk
  /** The furthest that was acknowledged here from a disk that was lost since. */
  lostUpTo = 0
  /** Of the last life. */
  #flushed = 0
  readonly #world: SimWorld
  readonly #project: SimProject
  #process: Process | undefined
  /** Of the process. */
  #timers: HostTimers | undefined
  #lateness: Lateness = PUNCTUAL
  /** Resolves when all of the process has begun. */
  #opened: Promise<void> = Promise.resolve()
  /** Who waits for the end of the process. */
  #mourners: Array<() => void> = []
  #isStopping = false
  #host: ZoneHost | undefined
  #safekeeper: SafekeeperService | undefined
  #lives = 0
  #ids = 0

  constructor(world: SimWorld, project: SimProject, name: ZoneId, clock: HostClock) {
    this.#world = world
    this.#project = project
    this.name = name
    this.clock = clock
    this.disk = new SimDisk(world.kernel)
  }

  get isUp(): boolean {
    return this.#process !== undefined
  }

  /** It was told to end, and has not yet. */
  get isStopping(): boolean {
    return this.#isStopping
  }

  get process(): Process | undefined {
    return this.#process
  }

  get safekeeper(): SafekeeperService | undefined {
    return this.#safekeeper
  }

  /** What its actors and its safekeeper say of themselves, for whoever looks on; nothing while it is down. */
  inspect(): ZoneInspection {
    return { actors: this.#host?.inspect() ?? [], safekeeper: this.#safekeeper?.status() }
  }

  start(): void {
    if (this.#process) return
    const process: Process = { name: this.name, isAlive: true, pausedUntilMs: NEVER_PAUSED }
    this.#process = process
    this.#timers = new HostTimers(this.#world.kernel, process, this.clock, () => this.#lateness)
    this.#lives++
    this.#opened = this.#open(process, this.#timers)
    this.#opened.catch((error: unknown) => {
      if (!process.isAlive) return
      this.#world.report(this.name, `did not start: ${problemOf(error)}`)
      this.kill()
      this.#world.kernel.after(WORLD_PROCESS, RESTART_AFTER_MS, () => this.start())
    })
  }

  /** kill -9 of the process: what it wrote to files is there, what it had in memory is gone. */
  kill(): void {
    this.#end(false)
  }

  /**
   * SIGTERM: its computes write down what they have, and the process ends by itself, or by force if it takes too long. Resolves when
   * it is gone, whatever ended it.
   */
  stop(): Promise<void> {
    const process = this.#process
    if (!process) return Promise.resolve()
    const gone = new Promise<void>((resolve) => this.#mourners.push(resolve))
    if (!this.#isStopping) {
      this.#isStopping = true
      const kill = () => process === this.#process && this.kill()
      this.#world.kernel.after(WORLD_PROCESS, STOP_WITHIN_MS, kill)
      this.#leave().then(kill, (error: unknown) => {
        if (process.isAlive) this.#world.report(this.name, `did not stop: ${problemOf(error)}`)
        kill()
      })
    }
    return gone
  }

  async #leave(): Promise<void> {
    await this.#opened
    await stopInOrder({ host: this.#host!, safekeeper: this.#safekeeper!, timers: this.#timers! })
  }

  /** The host loses power: what was not synced may be gone, or half gone. */
  losePower(): void {
    this.#end(true)
    this.disk.crash()
  }

  /** The disk is lost with all that is on it. */
  loseDisk(): void {
    this.#end(true)
    this.lostUpTo = Math.max(this.lostUpTo, this.#flushed)
    this.disk = new SimDisk(this.#world.kernel)
  }

  pause(untilMs: number): void {
    if (this.#process) this.#process.pausedUntilMs = Math.max(this.#process.pausedUntilMs, untilMs)
  }

  resume(): void {
    if (!this.#process) return
    this.#process.pausedUntilMs = NEVER_PAUSED
    this.#world.kernel.resume(this.#process)
  }

  /** The host's clock goes at another rate, and with it the timers; within DRIFT_PPM_MAX all that Loch promises holds. */
  drift(ppm: number): void {
    this.clock.drift(ppm)
    this.#timers?.follow(this.clock.timerRate)
  }

  /** The host is busy with something else: timers fire late, while messages come as ever. */
  timersLate(meanMs: number, untilMs: number): void {
    const before = this.#lateness
    const isLoaded = before.untilMs > this.#world.kernel.nowMs
    this.#lateness = isLoaded
      ? { meanMs: Math.max(before.meanMs, meanMs), untilMs: Math.max(before.untilMs, untilMs) }
      : { meanMs, untilMs }
  }

  /** Its clock goes at the rate it had in the beginning; by what it is off stays. */
  steady(): void {
    this.clock.steady()
    this.#timers?.follow(this.clock.timerRate)
  }

  /** Its timers fire when they are due. */
  unload(): void {
    this.#lateness = PUNCTUAL
  }

  #end(withItsHost: boolean): void {
    const process = this.#process
    if (!process) return
    process.isAlive = false
    this.#flushed = this.#safekeeper?.status().flushed ?? this.#flushed
    this.#process = undefined
    this.#timers = undefined
    this.#isStopping = false
    this.#host = undefined
    this.#safekeeper = undefined
    this.#world.network.ended(process, withItsHost)
    this.#world.died(process)
    for (const tell of this.#mourners.splice(0)) tell()
  }

  async #open(process: Process, timers: HostTimers): Promise<void> {
    const { kernel, network, bucket, report, edits } = this.#world
    const life = `${this.name}.${this.#lives}`
    const { after } = timers
    const bus = network.connect(process, this.name, { alias: `${this.name}.bus`, after })
    const lane = network.connect(process, `${this.name}.lane`, { after })
    const store = bucket.openStore(process, { writer: life, after })
    const nowMs = () => this.clock.nowMs()
    const monotonicMs = () => this.clock.monotonicMs()
    const newId = () => `${life}-${++this.#ids}`
    const say = (line: string) => report(this.name, line)
    this.#safekeeper = await this.#openSafekeeper(process, life, after)
    const { project } = this.#project
    const ports = zonePorts({
      project,
      bus,
      store,
      nowMs,
      monotonicMs,
      timers,
      newId,
      snapshotIntervalEvents: this.#project.snapshotIntervalEvents,
      recorder: this.#world.recorderOf?.(this.name),
      ...(edits.isEmpty ? {} : { edited: (actor, id, event) => edits.editedAt(this.name, actor, id, event) }),
      report: (actor, doing, error) => say(`${actor}: ${doing}: ${problemOf(error)}`),
    })
    const { address, observer, reigns } = this.#world
    const { cachePages, segmentPages, ringBytes, snapshotLogBytes, postgres, keys } = this.#project
    const settings = { postgres, keys, cachePages, segmentPages, ringBytes, snapshotLogBytes }
    const body = simBody({ kernel, process, timers, lane, nowMs, ...settings, observer, reigns, address })
    const config = { ...this.#project, zone: this.name } as unknown as ZoneConfig
    const link = { failed: async (error: unknown) => say(problemOf(error)), progress: () => {}, serving: () => {} }
    this.#host = new ZoneHost({
      config,
      bus,
      lane,
      store,
      ports,
      body,
      newWriter: () => writerOf(newId()),
      safekeepers: { statuses: async () => [] },
      link,
      nowMs,
      monotonicMs,
      timers,
      report: say,
    })
    await this.#host.start()
  }

  /** With connections of its own, as the thread has that it runs in. */
  async #openSafekeeper(process: Process, life: string, after: Timers['after']): Promise<SafekeeperService> {
    const { kernel, network, bucket, report, safekeepers } = this.#world
    const { project, timeline, zones } = this.#project
    const { disk, name } = this
    const hear = (said: Said) => safekeepers.said(name, disk, said)
    const store = bucket.openStore(process, { writer: `${life}.safekeeper`, after })
    const service = await SafekeeperService.open({
      project,
      zone: this.name,
      timeline,
      peers: zones.filter((zone) => zone !== this.name),
      directory: safekeeperDirectory(timeline),
      files: disk.files(process),
      logLimits: this.#project.logLimits ?? LOG_LIMITS,
      gapLimits: this.#project.gapLimits,
      bus: watchBus(network.connect(process, `${this.name}.safekeeper`, { after }), hear),
      lane: watchLane(network.connect(process, `${this.name}.safekeeper-lane`, { after }), hear),
      store,
      writer: writerOf(`${life}.safekeeper`),
      newId: () => `${life}-disk-${++this.#ids}`,
      nowMs: () => this.clock.nowMs(),
      monotonicMs: () => this.clock.monotonicMs(),
      defer: (work) => void kernel.after(process, this.#syncMs(), work),
      after,
      past: () => readPast(store, timeline, this.name),
      report: (line) => report(this.name, line),
      recorder: this.#world.recorderOf?.(this.name),
    })
    if (process.isAlive) safekeepers.opened(name, disk)
    return service
  }

  /** The disk's calls are synchronous, so the time that they take passes before the round in which they are made. */
  #syncMs(): number {
    return this.#world.kernel.draws.exponential(`disk.sync.${this.name}`, this.#project.syncMeanMs ?? SYNC_MEAN_MS)
  }
}

export function safekeeperDirectory(timeline: string): string {
  return `/safekeepers/${timeline}`
}

const SYNC_MEAN_MS = 0.4
const WORLD_PROCESS: Process = { name: 'supervisor', isAlive: true, pausedUntilMs: NEVER_PAUSED }

function writerOf(name: string): Uint8Array {
  const writer = Buffer.alloc(16)
  writer.write(name.slice(-16), 'latin1')
  return writer
}

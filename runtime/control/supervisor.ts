/**
 * All zones of an instance: started together, watched until a compute serves, stopped in two phases (first the computes,
 * while every safekeeper still answers, then the processes). What becomes of a single process is in zone-process.ts.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DataDirectory } from '../data-directory.ts'
import { type LochError, Refused } from '../errors.ts'
import { makePublicDirectory } from '../postgres/binary-copy.ts'
import { errorFrom } from './error-report.ts'
import { describeRemains, removeRemains } from './remains.ts'
import { RotatingLog } from './rotating-log.ts'
import type { ErrorReport } from './schemas.ts'
import { writeWhole } from './small-files.ts'
import type { ZoneConfig, ZoneMessage } from './zone-config.ts'
import { ZoneProcess } from './zone-process.ts'

export interface SupervisorOptions {
  readonly directory: DataDirectory
  /** What all zones are told. */
  readonly config: Omit<ZoneConfig, 'zone' | 'zoneDirectory' | 'runDirectory'>
  /** Our own lines: restarts, crash loops. */
  readonly report: (line: string) => void
  /** Steps that zones have taken. */
  readonly onProgress: (zone: string, step: string, elapsedMs: number) => void
  /** What a zone's process runs; for tests. */
  readonly zoneModule?: string
}

/** A checkpoint of full buffers and its seal, on a slow disk or store. Killed later, a compute recovers as from a crash. */
const COMPUTES_STOP_WITHIN_MS = 30_000
/** Closing files and connections. */
const EXIT_WITHIN_MS = 5_000

export class Supervisor {
  readonly zones: readonly ZoneProcess[]
  /** Resolves when a compute first serves; rejects with a LochError if the zones say that none ever will. */
  readonly serving: Promise<void>
  readonly #options: SupervisorOptions
  readonly #logs: RotatingLog[] = []
  #onServing: () => void = () => {}
  #onHopeless: (error: LochError) => void = () => {}

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.serving = new Promise((resolve, reject) => {
      this.#onServing = resolve
      this.#onHopeless = reject
    })
    // Who only stops the zones does not listen to it.
    this.serving.catch(() => {})
    this.zones = options.config.zones.map((zone) => this.#prepare(zone))
  }

  start(): void {
    for (const zone of this.zones) zone.start()
  }

  /** Resolves when all processes are gone and nothing is mounted. */
  async stop(): Promise<void> {
    await Promise.all(this.zones.map((zone) => zone.quiesce(COMPUTES_STOP_WITHIN_MS)))
    await Promise.all(this.zones.map((zone) => zone.end(EXIT_WITHIN_MS)))
    for (const log of this.#logs) log.close()
  }

  /** Writes the zone's configuration and returns its process, not yet started. */
  #prepare(zone: ZoneConfig['zone']): ZoneProcess {
    const { directory, config, report } = this.#options
    const zoneDirectory = join(directory.paths.zones, zone)
    const runDirectory = join(directory.runtimePath, zone)
    mkdirSync(zoneDirectory, { recursive: true, mode: 0o700 })
    makePublicDirectory(runDirectory)
    const file = join(directory.paths.run, `${zone}.json`)
    writeWhole(file, JSON.stringify({ ...config, zone, zoneDirectory, runDirectory } satisfies ZoneConfig), 0o600)
    const log = new RotatingLog(join(directory.paths.logs, `${zone}.log`))
    this.#logs.push(log)
    return new ZoneProcess({
      zone,
      command: [...ZONE_NODE_FLAGS, this.#options.zoneModule ?? ZONE_MODULE, file],
      output: (chunk) => log.write(chunk),
      report: (line) => {
        log.line(line)
        report(line)
        this.#judge()
      },
      onMessage: (message) => this.#hear(zone, message),
      cleanUp: async () => {
        const remains = describeRemains(await removeRemains(runDirectory))
        if (remains !== undefined) report(`${zone}: ${remains}`)
      },
    })
  }

  #hear(zone: string, message: ZoneMessage): void {
    switch (message.type) {
      case 'progress':
        this.#options.onProgress(zone, message.step, message.elapsedMs)
        break
      case 'serving':
        this.#onServing()
        break
      case 'failed':
        this.#fail(zone, message.error, message.fatal)
        break
      case 'ready':
      case 'stopped':
        break
    }
  }

  #fail(zone: string, error: ErrorReport, fatal: boolean): void {
    this.#options.report(`${zone}: ${error.component}: ${error.problem} (${error.value}). ${error.remedy}`)
    if (fatal) this.#onHopeless(errorFrom(error))
  }

  /** Without a majority of zones nothing can be committed, however long one waits. */
  #judge(): void {
    const failing = this.zones.filter((zone) => zone.state === 'failing')
    if (failing.length * 2 <= this.zones.length) return
    this.#onHopeless(
      new Refused({
        component: 'supervisor',
        value: failing.map(({ zone }) => zone).join(', '),
        problem: `most zones end again and again: ${failing[0]?.problem ?? 'no reason given'}`,
        remedy: `Their logs in ${this.#options.directory.paths.logs} say why.`,
      }),
    )
  }
}

/** A zone has three threads, and V8 lets the young garbage of each grow to 48 MB by default: 220 MB became 180. */
const ZONE_NODE_FLAGS = ['--max-semi-space-size=4']
/** Beside this file in the sources and in dist/ alike; node runs only the latter. */
const ZONE_MODULE = fileURLToPath(new URL(`../zone/main${import.meta.url.slice(-3)}`, import.meta.url))

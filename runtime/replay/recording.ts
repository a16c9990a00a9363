/**
 * The recording that every process of a running Loch keeps of its actors: a ring of segment files, each a run log that can be
 * read alone, bounded by number and age. It is written in batches beside the work, never waited for and never synced: what the
 * last quarter of a second held is lost with its process. A disk that fails ends the recording and nothing else. Names of
 * segments tell their order and are never taken for times: clocks are set back.
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { appendFile, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { RunLogEncoder } from '../../events/run-log.ts'
import type { Recorder } from '../system/ports.ts'
import { RunRecorder } from './recorder.ts'

/** In the directory of a zone; each of its processes and threads that host actors has a directory of its own below. */
export const RECORDINGS = 'recordings'
export const SEGMENT_BYTES_MAX = 8 * 2 ** 20
export const SEGMENTS_MAX = 8
export const SEGMENT_AGE_MS_MAX = 3 * 24 * 60 * 60 * 1_000
/** A segment is forgotten as a whole, so a quiet process begins another one in time, too. */
export const SEGMENT_SPAN_MS_MAX = SEGMENT_AGE_MS_MAX / (SEGMENTS_MAX - 1)
const FLUSH_INTERVAL_MS = 250
/** More than this waits only if the disk has stalled; it is given up then, since memory is not the recording's. */
const PENDING_BYTES_MAX = 4 * 2 ** 20
const NUMBER_DIGITS = 15

export interface RecordingOptions {
  readonly directory: string
  /** Names the process in the log. */
  readonly host: string
  readonly nowMs: () => number
  readonly report: (line: string) => void
  readonly segmentBytesMax?: number
  readonly segmentsMax?: number
}

interface Pending {
  readonly path: string
  readonly bytes: Uint8Array
}

export class Recording {
  readonly recorder: Recorder
  readonly #options: RecordingOptions
  readonly #runs: RunRecorder
  #path = ''
  #segmentBytes = 0
  /** In the name of the segment: greater than in all before it. */
  #number = 0
  #startedAt = 0
  #pending: Pending[] = []
  #pendingBytes = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #hasFailed = false

  /** Never throws: without its directory the recording is off, and that is reported. */
  constructor(options: RecordingOptions) {
    this.#options = options
    try {
      mkdirSync(options.directory, { recursive: true, mode: 0o700 })
      this.#number = newestNumber(readdirSync(options.directory))
    } catch (error) {
      this.#fail(error)
    }
    this.#runs = new RunRecorder(this.#nextSegment(), options.nowMs)
    const inner = this.#runs.of(options.host)
    this.recorder = {
      began: (...what) => this.#keep(() => inner.began(...what)),
      took: (...what) => this.#keep(() => inner.took(...what)),
      folded: (...what) => this.#keep(() => inner.folded(...what)),
      noted: (...what) => this.#keep(() => inner.noted(...what)),
    }
  }

  /** Resolves when everything so far is in its file, or given up. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#flush()
  }

  #keep(record: () => void): void {
    if (this.#hasFailed) return
    try {
      if (this.#pendingBytes > PENDING_BYTES_MAX) this.#giveUpPending()
      else if (this.#isFull()) this.#turnPage()
      record()
    } catch (error) {
      // What cannot be recorded must not keep an actor from its work.
      this.#fail(error)
    }
  }

  #isFull(): boolean {
    const { nowMs, segmentBytesMax = SEGMENT_BYTES_MAX } = this.#options
    return this.#segmentBytes >= segmentBytesMax || nowMs() - this.#startedAt >= SEGMENT_SPAN_MS_MAX
  }

  #turnPage(): void {
    this.#runs.continueIn(this.#nextSegment())
  }

  /** The segment has lost its end, so what follows stands in another. */
  #giveUpPending(): void {
    this.#pending = []
    this.#pendingBytes = 0
    this.#options.report('recording: the disk is too slow, and some of what happened is not recorded')
    this.#turnPage()
  }

  #nextSegment(): RunLogEncoder {
    const { directory, nowMs } = this.#options
    this.#startedAt = Math.floor(nowMs())
    this.#number = Math.max(this.#number + 1, this.#startedAt)
    this.#path = join(directory, `run-${String(this.#number).padStart(NUMBER_DIGITS, '0')}.loch`)
    this.#segmentBytes = 0
    const path = this.#path
    return new RunLogEncoder({ kind: 'production', startedAt: this.#startedAt }, (bytes) => this.#add(path, bytes))
  }

  #add(path: string, bytes: Uint8Array): void {
    this.#segmentBytes += bytes.length
    this.#pendingBytes += bytes.length
    this.#pending.push({ path, bytes })
    this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_INTERVAL_MS).unref()
  }

  #flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    this.#writing = this.#writing.then(() => this.#write(batch)).catch((error: unknown) => this.#fail(error))
    return this.#writing
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    if (this.#hasFailed) return
    const paths = [...new Set(batch.map(({ path }) => path))]
    for (const path of paths) {
      const bytes = Buffer.concat(batch.filter((one) => one.path === path).map((one) => one.bytes))
      await appendFile(path, bytes, { mode: 0o600 })
    }
    if (paths.length > 0) await this.#forgetOld()
  }

  async #forgetOld(): Promise<void> {
    const { directory, nowMs, segmentsMax = SEGMENTS_MAX } = this.#options
    const paths = (await segmentNames(directory)).map((name) => join(directory, name))
    const oldest = nowMs() - SEGMENT_AGE_MS_MAX
    for (const [at, path] of paths.entries()) {
      const isOver = at < paths.length - segmentsMax
      if (isOver || (await stat(path)).mtimeMs < oldest) await unlink(path)
    }
  }

  #fail(error: unknown): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#pending = []
    const problem = error instanceof Error ? error.message : String(error)
    this.#options.report(`recording: ${problem}; nothing more is recorded until this process starts anew`)
  }
}

const SEGMENT_NAME = /^run-(\d+)\.loch$/

/** Oldest first. */
export async function segmentNames(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => SEGMENT_NAME.test(name)).sort()
}

function newestNumber(names: readonly string[]): number {
  return Math.max(0, ...names.map((name) => Number(SEGMENT_NAME.exec(name)?.[1] ?? 0)))
}

/**
 * Puts the recordings of all zones together into one run log, in the order of time. Each process wrote its own segments
 * (recording.ts); the order within one is kept, and between them it is as right as the clocks of one host. Reading only: what
 * Loch goes on recording meanwhile is not disturbed.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type RunEvent, RunLogEncoder } from '../../events/run-log.ts'
import { Refused } from '../errors.ts'
import { fileSource } from './byte-source.ts'
import { RunLog } from './open-log.ts'
import { SNAPSHOT_INTERVAL_INPUTS } from './recorder.ts'
import { RECORDINGS, segmentNames } from './recording.ts'
import { type KnownState, States } from './states.ts'

export interface Recorded {
  readonly event: RunEvent
  /** Of the event's actor; undefined if unknown or not needed by a reader. */
  readonly before: KnownState | undefined
}

/** All recorded events since `sinceMs`, oldest first. @throws Refused if there are none. */
export async function* recordedEvents(
  zones: string,
  sinceMs: number,
  complain: (line: string) => void,
): AsyncGenerator<Recorded> {
  const streams = await Promise.all(
    recordingDirectories(zones).map((directory) => streamOf(directory, sinceMs, complain)),
  )
  const heads = streams.map((stream) => ({ stream, next: stream.next() })).filter(({ next }) => !next.done)
  if (heads.length === 0) throw nothingRecorded(zones)
  while (heads.length > 0) {
    let first = 0
    for (const [at, { next }] of heads.entries()) if (atOf(next) < atOf(heads[first]!.next)) first = at
    const head = heads[first]!
    yield head.next.value as Recorded
    head.next = head.stream.next()
    if (head.next.done) heads.splice(first, 1)
  }
}

function atOf({ value }: IteratorResult<Recorded>): number {
  return (value as Recorded).event.at
}

/** Writes what `recordedEvents` yields as one log. */
export async function writeRunLog(events: AsyncIterable<Recorded>, write: (bytes: Uint8Array) => void): Promise<void> {
  let encoder: RunLogEncoder | undefined
  /** Inputs of each source since a whole state of it was written. */
  const inputs = new Map<string, number>()
  for await (const { event, before } of events) {
    encoder ??= new RunLogEncoder({ kind: 'production', startedAt: event.at }, write)
    const { source } = event
    const isDue = (inputs.get(source) ?? 0) >= SNAPSHOT_INTERVAL_INPUTS
    if (before && (isDue || !inputs.has(source))) {
      encoder.snapshot(source, before.snapshot)
      inputs.set(source, 0)
    }
    if (event.kind === 'began') inputs.set(source, 0)
    else inputs.set(source, (inputs.get(source) ?? 0) + 1)
    encoder.event(event)
  }
}

/** `zones/<zone>/recordings/<process>`. */
function recordingDirectories(zones: string): readonly string[] {
  return directoriesIn(zones).flatMap((zone) => directoriesIn(join(zone, RECORDINGS)))
}

function directoriesIn(path: string): readonly string[] {
  if (!existsSync(path)) return []
  const entries = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return entries.map(({ name }) => join(path, name)).sort()
}

async function streamOf(
  directory: string,
  sinceMs: number,
  complain: (line: string) => void,
): Promise<Generator<Recorded>> {
  const paths = (await segmentNames(directory)).map((name) => join(directory, name))
  return eventsOf(paths, sinceMs, complain)
}

function* eventsOf(paths: readonly string[], sinceMs: number, complain: (line: string) => void): Generator<Recorded> {
  for (const path of paths) {
    const log = openSegment(path, complain)
    if (log === undefined) continue
    try {
      yield* eventsSince(log, sinceMs)
    } finally {
      log.close()
    }
  }
}

function* eventsSince(log: RunLog, sinceMs: number): Generator<Recorded> {
  const states = new States(log)
  for (let place = 0; place < log.length; place++) {
    if (log.table.at[place]! < sinceMs) continue
    const event = log.event(place)
    const { before } = states.around(place)
    yield { event, before: before?.isCertain ? before : undefined }
  }
}

/** Undefined if the segment was forgotten meanwhile, or cannot be understood; that does not keep the others from being read. */
function openSegment(path: string, complain: (line: string) => void): RunLog | undefined {
  try {
    const log = new RunLog(fileSource(path))
    // The newest record of a process that was killed, or is writing now.
    const isTorn = log.damages.every(({ end }) => end === log.source.size)
    if (!isTorn && log.problem) complain(`${log.problem.problem} (${path})`)
    return log
  } catch (error) {
    complain(`${error instanceof Error && 'problem' in error ? error.problem : String(error)} (${path})`)
    return undefined
  }
}

function nothingRecorded(zones: string): Refused {
  return new Refused({
    component: 'log export',
    value: zones,
    problem: 'nothing is recorded there since then',
    remedy: 'Name the data directory with --data, and an earlier time with --since.',
  })
}

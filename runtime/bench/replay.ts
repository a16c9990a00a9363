/**
 * `npm run bench -- replay [EVENTS]`: how long a large run log takes to open and to move about in, and how much memory. The log
 * is made by the recorder of production, of actors with states of ordinary size, and opened in a fresh process. Times are of
 * the processor, since what else the machine does is not the question. Exit code 1 if a bound is missed.
 */
import { fork } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../events/checksum.ts'
import { RunLogEncoder } from '../../events/run-log.ts'
import { fileSource } from '../replay/byte-source.ts'
import { Cursor } from '../replay/cursor.ts'
import { RunLog } from '../replay/open-log.ts'
import { RunRecorder } from '../replay/recorder.ts'

const EVENTS_DEFAULT = 1_000_000
const ACTORS = 15
const JUMPS = 300
const BOUNDS = { openMs: 2_000, jumpMs: 200, peakMegabytes: 500 }
const FLUSH_BYTES = 2 ** 20
/** One in so many events records a fact. */
const FACT_EVERY = 4
const PROBES = ['seal', 'flush', 'lease', 'peer', 'archive', 'snapshot', 'retry', 'queue'] as const

function writeLog(path: string, events: number): void {
  const file = openSync(path, 'w')
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  const flush = () => {
    writeSync(file, Buffer.concat(pending))
    pending = []
    pendingBytes = 0
  }
  const encoder = new RunLogEncoder({ kind: 'production', startedAt: 0 }, (bytes) => {
    pending.push(bytes)
    pendingBytes += bytes.length
    if (pendingBytes > FLUSH_BYTES) flush()
  })
  record(encoder, events)
  flush()
  closeSync(file)
}

function record(encoder: RunLogEncoder, events: number): void {
  const recorder = new RunRecorder(encoder, () => 0).of('zone-1')
  const counters = Object.fromEntries(PROBES.map((name) => [name, 0]))
  const states = Array.from({ length: ACTORS }, () => ({ state: 'up', context: { counters, term: 0, problem: '' } }))
  for (let at = 1; at <= events; at++) {
    const which = at % ACTORS
    const before = states[which]!
    const { context } = before
    const probe = PROBES[at % PROBES.length]!
    const term = Math.floor(at / 10_000)
    const after = {
      state: at % 100 < 50 ? 'up' : 'serving',
      context: { ...context, term, counters: { ...context.counters, [probe]: at } },
    }
    states[which] = after
    const identity = { actor: `zone.zone-${which}`, term, version: 1, at, correlationId: `c-${at - (at % 50)}` }
    // Some fifty events in a chain, as after a failover.
    const causationId = at % 50 === 0 ? `event-${at}` : `event-${at - 1}`
    const message = {
      ...identity,
      id: `event-${at}`,
      causationId,
      sequence: at,
      type: `Type${at % 30}`,
      payload: { probe, at },
    }
    const fact = { ...message, id: `fact-${at}`, causationId: message.id, type: 'Recorded' }
    const facts = at % FACT_EVERY === 0 ? [fact] : []
    recorder.took({ message, outcome: { kind: 'taken' }, facts, effects: [], before, after })
  }
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

function measure(path: string, events: number) {
  let log: RunLog | undefined
  const openMs = cpuMs(() => {
    log = new RunLog(fileSource(path))
  })
  const cursor = new Cursor(log!)
  const actors = cursor.states.actors()
  const jump = (to: string) => {
    cursor.seek(to)
    for (const actor of actors) cursor.stateAt(actor)
    cursor.why()
  }
  // The first of each kind makes an index, and is the slowest.
  const places = Array.from({ length: JUMPS }, (_, number) => {
    const at = 1 + ((number * 7_919_777) % events)
    return [String(at), `event-${at}`, `+${at}ms`][number % 3]!
  })
  const jumps = ['last', 'first', ...places].map((to) => cpuMs(() => jump(to)))
  const effectsMs = cpuMs(() => cursor.effectsOf(cursor.log.placeOfId(`event-${events - (events % 50)}`), 100))
  return {
    events: log!.length,
    megabytes: Math.round(statSync(path).size / 2 ** 20),
    openMs: Math.round(openMs),
    jumpMs: Math.round(Math.max(...jumps, effectsMs)),
    medianJumpMs: Number(jumps.sort((a, b) => a - b)[Math.floor(jumps.length / 2)]!.toFixed(1)),
    peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1_024),
  }
}

async function main(): Promise<number> {
  const events = Number(process.argv[3] ?? EVENTS_DEFAULT)
  const directory = mkdtempSync(join(tmpdir(), 'loch-bench-replay-'))
  const path = join(directory, 'run.loch')
  try {
    writeLog(path, events)
    const child = fork(fileURLToPath(import.meta.url), ['open', path, String(events)])
    const found = await new Promise<ReturnType<typeof measure>>((resolve, reject) => {
      child.once('message', (message) => resolve(message as ReturnType<typeof measure>))
      child.once('exit', (code) => reject(new Error(`the measuring process ended with code ${code}`)))
    })
    console.log(JSON.stringify(found))
    const missed = Object.entries(BOUNDS).filter(([name, most]) => found[name as keyof typeof BOUNDS] > most)
    for (const [name, most] of missed) console.error(`${name} is above ${most}`)
    return missed.length === 0 ? 0 : 1
  } finally {
    rmSync(directory, { recursive: true })
  }
}

useChecksum((bytes, before) => crc32(bytes, before))
if (process.argv[2] === 'open') {
  process.send!(measure(process.argv[3]!, Number(process.argv[4])))
  process.disconnect()
} else process.exit(await main())

/**
 * What a page shows of a run log. A log may hold a million events and a page must be opened by a browser, so states are shown
 * at moments and everything else is left out evenly, and so is what the reader hides; the log itself stays what it is. Reading
 * only.
 */
import { actorOf, KINDS, type RunEvent, type RunSnapshot } from '../../../events/run-log.ts'
import type { RunLog } from '../open-log.ts'
import { tellsTime } from '../places.ts'
import { States } from '../states.ts'
import { cutForDisplay, fieldsOf } from './fields.ts'
import type { ActorState, FaultBand, Line, Shown, ShownEvent, ShownMessage, StateChange } from './shown.ts'
import { Thinned } from './thinned.ts'

/** Of all actors together, a kilobyte or so each: more moments are shown of few actors than of many. */
const STATES_MAX = 12_000
const EVENTS_MAX = 4_000
const MESSAGES_MAX = 4_000
const POSITIONS_MAX = 4_000
const ANSWERS = ['acknowledged', 'lost']

/** Of the events that `isShown`; how it ended is said in any case. */
export function shownOf(log: RunLog, isShown: (place: number) => boolean = () => true): Shown {
  const timed = timesOf(log)
  const endMs = Math.max(1, ...timed.slice(-1))
  const read = new Reader(log, timed, endMs)
  for (let place = 0; place < log.length; place++) {
    if (isShown(place)) read.event(place)
    else read.hidden(place)
  }
  return read.shown()
}

/** Since the log began. Where clocks differ only what the world does tells the time; it never goes back. */
function timesOf(log: RunLog): Float64Array {
  const { table, length, header } = log
  const times = new Float64Array(length)
  let nowMs = 0
  for (let place = 0; place < length; place++) {
    if (tellsTime(log, place)) nowMs = Math.max(nowMs, table.at[place]! - header.startedAt)
    times[place] = nowMs
  }
  return times
}

const KIND_OF_NOTE = KINDS.indexOf('note')

class Reader {
  readonly #log: RunLog
  readonly #times: Float64Array
  readonly #endMs: number
  readonly #intervalMs: number
  readonly #states: States
  readonly #zones: readonly string[]
  readonly #events = new Thinned<ShownEvent>(EVENTS_MAX)
  readonly #messages = new Thinned<ShownMessage>(MESSAGES_MAX)
  readonly #heard = new Thinned<number>(MESSAGES_MAX)
  readonly #faults: FaultBand[] = []
  readonly #changes: StateChange[] = []
  /** By whose log it is. */
  readonly #positions = new Map<string, Thinned<readonly [number, number]>>()
  #hiddenCount = 0
  /** Not shown yet. */
  #pending = new Map<string, { readonly snapshot: RunSnapshot; readonly term: number }>()
  #shownMs = Number.NEGATIVE_INFINITY
  #verdict: RunEvent | undefined

  constructor(log: RunLog, times: Float64Array, endMs: number) {
    this.#log = log
    this.#times = times
    this.#endMs = endMs
    this.#states = new States(log)
    const hosts = [...log.table.lanes.values()].filter(({ baseCounts }) => baseCounts.length > 0)
    this.#intervalMs = (endMs * hosts.length) / STATES_MAX
    this.#zones = [...new Set(hosts.map(({ source }) => hostOf(log.name(source))))].sort()
  }

  event(place: number): void {
    const event = this.#log.event(place)
    const atMs = this.#times[place]!
    if (event.kind === 'fault') this.#fault(event, atMs)
    else if (event.kind === 'message') this.#message(event, atMs)
    else if (event.kind === 'note') this.#note(event, atMs)
    else this.#moved(event, place, atMs)
  }

  hidden(place: number): void {
    this.#hiddenCount++
    if (this.#log.table.kind[place] === KIND_OF_NOTE) this.#heed(this.#log.event(place))
  }

  shown(): Shown {
    this.#show(this.#endMs)
    const { header, length, source } = this.#log
    const violation = this.#verdict?.payload['violation']
    const hasMessages = this.#messages.seen > 0
    const seed = header.seed === undefined ? '' : `, seed ${header.seed}`
    const title = `Loch ${header.kind}${seed}`
    const verdict = this.#verdict === undefined ? '' : violation ? ': failed' : ': all held'
    return {
      title,
      heading: `${title}${verdict}`,
      problem: typeof violation === 'string' ? violation : (this.#log.problem?.problem ?? ''),
      about: `${source.name}, ${this.#hiddenCount === 0 ? '' : `${length - this.#hiddenCount} of `}${length} events from ${new Date(header.startedAt).toISOString()} on`,
      details: [
        `npx loch replay ${source.name}`,
        ...(hasMessages ? [] : ['arrows: from the causes of what was heard']),
      ],
      endMs: this.#endMs,
      zones: this.#zones,
      faults: this.#faults,
      events: this.#events.kept,
      messages: hasMessages ? this.#messages.kept : this.#arrows(),
      messagesSeen: hasMessages ? this.#messages.seen : this.#heard.seen,
      states: this.#changes,
      dashed: 'computes, timelines',
      charts: this.#charts(),
    }
  }

  #fault({ type, payload }: RunEvent, fromMs: number): void {
    const forMs = Number(payload['forMs'] ?? 0)
    const number = payload['zone']
    const zone = typeof number === 'number' ? this.#zones[number % this.#zones.length] : undefined
    const band = { fromMs, untilMs: Math.min(this.#endMs, fromMs + forMs) }
    const text = `${type} ${JSON.stringify(payload)}`
    this.#faults.push(zone === undefined ? { ...band, text } : { ...band, zone, text })
  }

  #message({ source, type: subject, payload }: RunEvent, atMs: number): void {
    const [from, to] = [this.#zoneOf(source), this.#zoneOf(String(payload['to']))]
    if (from === undefined || to === undefined || from === to) return
    this.#messages.add({ atMs, from, to, subject, bytes: Number(payload['length'] ?? 0) })
  }

  #note(event: RunEvent, atMs: number): void {
    const { type, source, payload } = event
    this.#heed(event)
    this.#position(event, atMs)
    const zone = this.#zoneOf(source)
    const text = String(payload['text'] ?? JSON.stringify(payload))
    if (zone !== undefined) this.#events.add({ atMs, kind: type, lane: zone, text })
    else if (ANSWERS.includes(type)) this.#events.add({ atMs, kind: type, lane: source, text })
  }

  #heed(note: RunEvent): void {
    if (note.type === 'verdict') this.#verdict = note
  }

  #position({ source, payload }: RunEvent, atMs: number): void {
    const position = payload['durablePosition']
    if (typeof position !== 'number') return
    const known = this.#positions.get(source) ?? new Thinned(POSITIONS_MAX)
    this.#positions.set(source, known)
    known.add([atMs, position])
  }

  #moved(event: RunEvent, place: number, atMs: number): void {
    const { after, before } = this.#states.around(place)
    if (after === undefined) return
    const { source, term, type, state, kind } = event
    this.#pending.set(keyOf(source), { snapshot: after.snapshot, term })
    if (before?.snapshot.state !== state && kind !== 'began') {
      const text = `${actorOf(source)} ${type}: ${before?.snapshot.state ?? ''} to ${state}`
      this.#events.add({ atMs, kind: 'report', lane: hostOf(source), text })
    }
    if (kind === 'took') this.#heard.add(place)
    if (atMs - this.#shownMs >= this.#intervalMs) this.#show(atMs)
  }

  #show(atMs: number): void {
    if (this.#pending.size === 0) return
    const changes: Record<string, ActorState> = {}
    for (const [key, { snapshot, term }] of this.#pending) changes[key] = flat(snapshot, term)
    this.#pending = new Map()
    this.#shownMs = atMs
    this.#changes.push({ atMs, changes })
  }

  /** Where messages were not recorded: from the host of a cause to that of its effect. */
  #arrows(): readonly ShownMessage[] {
    return this.#heard.kept.flatMap((place) => {
      const { causationId, id, source, type: subject } = this.#log.event(place)
      const cause = causationId === id ? undefined : this.#log.placeOfId(causationId)
      if (cause === undefined) return []
      const [from, to] = [hostOf(this.#log.event(cause).source), hostOf(source)]
      return from === to ? [] : [{ atMs: this.#times[place]!, from, to, subject, bytes: 0 }]
    })
  }

  #charts(): Shown['charts'] {
    const terms = { title: 'term', lines: this.#linesOfTerms() }
    const lines = [...this.#positions].map(([key, { kept }]) => {
      return { key, field: 'durablePosition', dashed: false, points: kept }
    })
    return lines.length === 0 ? [terms] : [terms, { title: 'durable position', lines }]
  }

  #linesOfTerms(): readonly Line[] {
    const keys = new Set(this.#changes.flatMap(({ changes }) => Object.keys(changes)))
    const withTerms = [...keys].filter((key) => /\/(?:safekeeper|timeline|compute)\./.test(key))
    return withTerms.map((key) => ({ key, field: 'term', dashed: !key.includes('/safekeeper.') }))
  }

  /** Connections of a zone are called by its name and what they are for. */
  #zoneOf(name: string): string | undefined {
    const [zone] = name.split('.')
    return this.#zones.find((one) => one === zone)
  }
}

function hostOf(source: string): string {
  return source.split('@')[1] ?? ''
}

function keyOf(source: string): string {
  return `${hostOf(source)}/${actorOf(source)}`
}

function flat({ state, context }: RunSnapshot, term: number): ActorState {
  return { ...cutForDisplay(fieldsOf(context)), state, term: String(term) }
}

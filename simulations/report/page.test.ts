/** The page of a run, made of a real run and looked at by a document that knows just enough to find mistakes. */
import { crc32 } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { type RunEvent, RunLogEncoder } from '../../events/run-log.ts'
import type { Cursor } from '../../runtime/replay/cursor.ts'
import { cutForDisplay } from '../../runtime/replay/page/fields.ts'
import { shownOf } from '../../runtime/replay/page/from-log.ts'
import { embedded, pageOf } from '../../runtime/replay/page/page.ts'
import { SCRIPT } from '../../runtime/replay/page/page-script.ts'
import type { Shown } from '../../runtime/replay/page/shown.ts'
import { Thinned } from '../../runtime/replay/page/thinned.ts'
import { openBytes } from '../../runtime/replay/testing.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { together } from '../run/observer.ts'
import { runPlan } from '../run/run.ts'
import { Recorder } from './recorder.ts'
import { SimulationLog } from './simulation-log.ts'
import { changesBetween } from './snapshot.ts'
import { StateHistory } from './state-history.ts'

useChecksum((bytes, before) => crc32(bytes, before))

/** Its faults are named here: what a seed draws changes with the generator. */
const PLAN: Plan = {
  ...generatePlan(3),
  durationMs: 28_000,
  faults: [
    { kind: 'cut', atMs: 5_000, zone: 2, forMs: 1_500, client: '.lane' },
    { kind: 'lose-power', atMs: 6_500, zone: 0, forMs: 4_000 },
    { kind: 'fail-sync', atMs: 3_000, zone: 0, count: 1 },
    { kind: 'fail-sync', atMs: 3_500, zone: 1, count: 1 },
    { kind: 'kill-zone', atMs: 13_000, zone: 2, forMs: 500 },
  ],
}
let recording: Shown
/** The same run, of its log. */
let ofLog: Shown
let cursor: Cursor
beforeAll(async () => {
  const recorder = new Recorder(PLAN)
  const chunks: Uint8Array[] = []
  const log = new SimulationLog(PLAN, (chunk) => chunks.push(chunk))
  const outcome = await runPlan(PLAN, together([recorder, log]))
  log.end(outcome)
  recording = recorder.shown(outcome, 'abc', 'npx loch simulate --seed 3')
  cursor = openBytes(Buffer.concat(chunks))
  ofLog = shownOf(cursor.log)
})

class FakeElement {
  readonly attributes: Record<string, string> = {}
  readonly listeners: Record<string, (event: unknown) => void> = {}
  children: Array<FakeElement | string> = []
  readonly name: string
  clientWidth = 1_000
  value = ''

  constructor(name: string) {
    this.name = name
  }
  setAttribute(name: string, value: string) {
    expect(typeof value).toBe('string')
    expect(value).not.toMatch(/NaN|undefined/)
    this.attributes[name] = value
  }
  appendChild(child: FakeElement | string) {
    this.children.push(child)
  }
  replaceChildren(...children: FakeElement[]) {
    this.children = children
  }
  addEventListener(kind: string, listener: (event: unknown) => void) {
    this.listeners[kind] = listener
  }
  getBoundingClientRect() {
    return { left: 0, width: this.clientWidth }
  }
  set textContent(text: string) {
    this.children = [text]
  }
  get textContent(): string {
    return this.children.map((child) => (typeof child === 'string' ? child : child.textContent)).join(' ')
  }
  all(name: string): FakeElement[] {
    const below = this.children.flatMap((child) => (typeof child === 'string' ? [] : child.all(name)))
    return this.name === name ? [this, ...below] : below
  }
}

/** Runs the page's script; what it has made of its elements. */
function openPage(shown: Shown, hash = '') {
  const named = new Map<string, FakeElement>()
  const listeners: Record<string, (event: unknown) => void> = {}
  const document = {
    getElementById: (id: string) => named.get(id) ?? named.set(id, new FakeElement(id)).get(id)!,
    createElement: (name: string) => new FakeElement(name),
    createElementNS: (_: string, name: string) => new FakeElement(name),
    createTextNode: (text: string) => text,
    addEventListener: (kind: string, listener: (event: unknown) => void) => {
      listeners[kind] = listener
    },
  }
  document.getElementById('recording').textContent = embedded(shown)
  const window = { addEventListener: () => {} }
  new Function('document', 'window', 'location', SCRIPT)(document, window, { hash })
  const key = (name: string) => listeners['keydown']!({ key: name, preventDefault: () => {} })
  return { ...Object.fromEntries([...named]), key } as Record<
    'header' | 'controls' | 'chart' | 'moment',
    FakeElement
  > & {
    readonly key: typeof key
  }
}

describe('a recording', () => {
  test('has what a page shows', () => {
    expect(recording.faults).toHaveLength(PLAN.faults.filter(({ atMs }) => atMs < PLAN.durationMs).length)
    for (const kind of ['report', 'serving', 'acknowledged', 'heal']) {
      expect(recording.events.map((event) => event.kind)).toContain(kind)
    }
    expect(recording.messages.length).toBeGreaterThan(100)
    expect(recording.messages).toHaveLength(recording.messagesSeen)
    const actors = new Set(recording.states.flatMap(({ changes }) => Object.keys(changes)))
    for (const actor of ['zone-1/safekeeper', 'zone-1/process', 'zone-2/zone.zone-2']) expect(actors).toContain(actor)
    expect([...actors].some((actor) => /timeline/.test(actor))).toBe(true)
  })

  test('has all states that an actor was in, each at the moment at which it came to it', () => {
    const { log } = cursor
    const events = Array.from({ length: log.length }, (_, place) => log.event(place))
    const moments = events.map((_, place) => events[place]!.at - log.header.startedAt)
    const isOfTheWorld = ({ kind }: RunEvent) => ['message', 'note', 'fault'].includes(kind)
    const keyOf = (source: string) => source.split('@').reverse().join('/')
    const actors = new Set(events.flatMap(({ kind, source }) => (kind === 'began' ? [source] : [])))
    for (const actor of [...actors].filter((one) => !one.startsWith('safekeeper.'))) {
      const steps = recording.states.flatMap(({ atMs, changes }) => {
        const state = changes[keyOf(actor)]?.['state']
        return state === undefined ? [] : [{ atMs, state }]
      })
      const heard = events.flatMap(({ source, state }, place) => (source === actor ? [{ place, state }] : []))
      const known = heard.filter(({ state }, at) => state !== heard[at - 1]?.state)
      for (const { place, state } of known) {
        // Not as the actor's clock tells it.
        const before = moments[events.findLastIndex((event, other) => other < place && isOfTheWorld(event))]!
        const after = moments[events.findIndex((event, other) => other > place && isOfTheWorld(event))]!
        const isThen = ({ atMs }: { readonly atMs: number }) => atMs >= before && atMs < after + 0.1
        expect(steps.filter(isThen).map((step) => step.state)).toContain(state)
      }
    }
  })

  test('has changes only, and each at a moment of its own', () => {
    const gaps = recording.states.slice(1).map(({ atMs }, at) => atMs - recording.states[at]!.atMs)
    expect(Math.min(...gaps)).toBeGreaterThan(0)
    const state = { state: 'up' }
    expect(changesBetween(new Map([['a', state]]), new Map([['a', { ...state }]]))).toBeUndefined()
    expect(changesBetween(new Map([['a', state]]), new Map([['b', state]]))).toEqual({ a: null, b: state })
    expect(changesBetween(new Map([['a', { x: '1' }]]), new Map([['a', state]]))).toEqual({ a: state })
  })

  test('has every field of a state by itself: a disk that joins is seen', () => {
    const disks = recording.states.flatMap(({ changes }) =>
      Object.entries(changes).flatMap(([actor, state]) =>
        actor.endsWith('/timeline.main') ? [state?.['remembered.disks.zone-2']] : [],
      ),
    )
    expect(new Set(disks).size).toBeGreaterThan(1)
    expect(disks.at(-1)).toMatch(/disk/)
  })

  test('has a band of a fault that an edit makes strike', async () => {
    const events = Array.from({ length: cursor.log.length }, (_, place) => cursor.log.event(place))
    const { source: actor, id } = events.find(({ kind, type }) => kind === 'took' && type === 'StartTerm')!
    const fault = { kind: 'pause-zone', atMs: 0, zone: 1, forMs: 50 } as const
    const plan: Plan = { ...PLAN, faults: [], edits: [{ kind: 'strike', actor, id, fault }], durationMs: 8_000 }
    const recorder = new Recorder(plan)
    const { faults } = recorder.shown(await runPlan(plan, recorder), '', '')
    expect(faults).toMatchObject([{ zone: 'zone-2', text: 'pause-zone zone-2 for 50 ms' }])
    expect(faults[0]!.fromMs).toBeGreaterThan(0)
    expect(faults[0]!.untilMs).toBeCloseTo(faults[0]!.fromMs + 50)
  })

  test('cuts what is long so that a change of its end still shows', () => {
    const [left, right] = ['a', 'b'].map((end) => cutForDisplay({ problem: 'x'.repeat(5_000) + end })['problem']!)
    expect(left).not.toBe(right)
    expect(left).toMatch(/^x{300}… \(5001 characters, checksum [0-9a-f]{8}\)$/)
    expect(
      changesBetween(new Map([['a', { x: `${'y'.repeat(400)}1` }]]), new Map([['a', { x: `${'y'.repeat(400)}2` }]])),
    ).toBeDefined()
  })

  test('of states is bounded, and loses none that lasts, nor the last values', () => {
    const history = new StateHistory(100)
    const states = ['a', 'b', 'c', 'd']
    for (let at = 0; at < 20_000; at++) {
      const state = { state: states[Math.floor(at / 5_000)]!, queued: String(at) }
      history.add(at, { 'zone-1/x': state, [`zone-1/${at % 2}`]: { state: 'up', at: String(at) } })
    }
    const { changes } = history
    expect(changes.length).toBeLessThanOrEqual(100)
    expect(changes.length).toBeGreaterThan(30)
    const shown = changes.map((change) => change.changes['zone-1/x']?.['state'])
    expect(shown.filter((state, at) => state !== shown[at - 1])).toEqual(states)
    const last = Object.assign({}, ...changes.map((change) => change.changes))
    expect(last).toEqual({
      'zone-1/x': { state: 'd', queued: '19999' },
      'zone-1/0': { state: 'up', at: '19998' },
      'zone-1/1': { state: 'up', at: '19999' },
    })
  })

  test('of states that are left all at once is bounded as well', () => {
    const history = new StateHistory(10)
    for (let at = 0; at < 1_000; at++) history.add(at * 500, { x: { state: String(at) } })
    expect(history.changes.length).toBeLessThanOrEqual(10)
    expect(history.changes.at(-1)!.changes).toEqual({ x: { state: '999' } })
  })

  test('is bounded, and what is left is spread over the whole time', () => {
    const thinned = new Thinned<number>(100)
    for (let entry = 0; entry < 10_000; entry++) thinned.add(entry)
    expect(thinned.seen).toBe(10_000)
    expect(thinned.kept.length).toBeLessThanOrEqual(100)
    expect(thinned.kept.length).toBeGreaterThanOrEqual(50)
    const gaps = new Set(thinned.kept.slice(1).map((entry, at) => entry - thinned.kept[at]!))
    expect(gaps.size).toBe(1)
    expect(thinned.kept.at(-1)).toBeGreaterThan(9_500)
  })
})

describe('the page', () => {
  test('draws lanes, faults, messages and charts', () => {
    const { chart, header } = openPage(recording)
    expect(header.textContent).toContain('Seed 3: all held')
    const classes = (name: string) => chart.all(name).map(({ attributes }) => attributes['class'])
    expect(classes('rect').filter((one) => one === 'fault').length).toBeGreaterThanOrEqual(recording.faults.length)
    expect(classes('line').filter((one) => one === 'message')).toHaveLength(recording.messages.length)
    for (const kind of ['report', 'serving', 'acknowledged']) expect(classes('circle')).toContain(kind)
    // Three terms, three positions of logs and three of archives.
    expect(chart.all('polyline')).toHaveLength(9)
    expect(chart.all('text').map(({ textContent }) => textContent)).toContain('durable position')
  })

  test('says what all actors are at a moment, and what has just changed', () => {
    const page = openPage(recording, '#t=9.000')
    expect(page.moment.textContent).toMatch(/zone-2 +process state up/)
    const before = page.moment.textContent
    const marked = () => page.moment.all('tr').filter(({ attributes }) => attributes['class'] === 'changed').length
    expect(marked()).toBeGreaterThan(0)
    page.key('ArrowRight')
    expect(page.moment.textContent).not.toBe(before)
    page.key('ArrowLeft')
    page.key('ArrowLeft')
    expect(page.moment.textContent).not.toBe(before)
  })

  test('looks closer, and follows a click', () => {
    const page = openPage(recording, '#t=7.000')
    const whole = page.chart.all('circle').length
    const closer = page.controls.all('button').find(({ textContent }) => textContent === '+')!
    for (let times = 0; times < 4; times++) closer.listeners['click']!({})
    expect(page.chart.all('circle').length).toBeLessThan(whole)
    page.chart.all('svg')[0]!.listeners['click']!({ clientX: 990 })
    expect(page.controls.all('output')[0]!.textContent).toBe(`${(7 + recording.endMs / 32_000).toFixed(3)} s`)
  })

  test('shows a violation, at its moment', () => {
    const { header, controls } = openPage({ ...recording, problem: 'lost-commit: <b>x</b>' })
    expect(header.textContent).toContain('lost-commit: <b>x</b>')
    expect(controls.all('output')[0]!.textContent).toBe(`${(recording.endMs / 1000).toFixed(3)} s`)
  })

  test('can show a run in which nothing happened', () => {
    const empty = { ...recording, events: [], messages: [], states: [], faults: [] }
    expect(openPage(empty).moment.textContent).toContain('No state yet')
  })
})

describe('the page of a log', () => {
  test('shows the same zones, faults and answers as that of the run', () => {
    expect(ofLog.zones).toEqual(recording.zones)
    const bands = ({ faults }: Shown) => faults.map(({ fromMs, zone }) => `${fromMs} ${zone}`).sort()
    expect(bands(ofLog)).toEqual(bands(recording))
    const answers = ({ events }: Shown) => events.filter(({ kind }) => kind === 'acknowledged').length
    expect(answers(ofLog)).toBe(answers(recording))
    expect(ofLog.endMs).toBeCloseTo(recording.endMs)
    expect(ofLog.messagesSeen).toBe(recording.messagesSeen)
    expect(ofLog.states.length).toBeGreaterThan(100)
    expect(ofLog.states.length).toBeLessThanOrEqual(2_001)
  })

  test('has a chart of how far the log is durable', () => {
    const [, { title, lines } = { title: '', lines: [] }] = ofLog.charts
    expect(title).toBe('durable position')
    expect(lines).toMatchObject([{ key: 'timeline.main', field: 'durablePosition' }])
    const positions = lines[0]!.points!.map(([, position]) => position)
    expect(positions.length).toBeGreaterThan(3)
    expect(positions).toEqual([...positions].sort((left, right) => left - right))
    const texts = openPage(ofLog)
      .chart.all('text')
      .map(({ textContent }) => textContent)
    expect(texts).toEqual(expect.arrayContaining(['durable position', `0 to ${positions.at(-1)}`]))
    const linesOf = (charts: Shown['charts']) => openPage({ ...ofLog, charts }).chart.all('polyline').length
    expect(linesOf(ofLog.charts)).toBe(linesOf(ofLog.charts.slice(0, 1)) + 1)
  })

  test('hides what its reader hides, but not how the run ended', () => {
    cursor.show({ actor: 'safekeeper.main' })
    const { states, faults, heading, about } = shownOf(cursor.log, (place) => cursor.isShown(place))
    const actors = new Set(states.flatMap(({ changes }) => Object.keys(changes)))
    expect([...actors].sort()).toEqual(['zone-1', 'zone-2', 'zone-3'].map((zone) => `${zone}/safekeeper.main`))
    expect(faults).toEqual([])
    expect(heading).toContain('all held')
    expect(about).toMatch(/\d+ of \d+ events/)
  })

  test('of production goes by the hosts’ clocks, though an event was recorded after a later one', () => {
    const chunks: Uint8Array[] = []
    const encoder = new RunLogEncoder({ kind: 'production', startedAt: 1_000 }, (bytes) => chunks.push(bytes))
    const source = 'timeline.main@zone-1'
    for (const at of [1_500, 1_490, 9_000]) {
      encoder.event({
        kind: 'began',
        at,
        source,
        type: 'began',
        state: 'active',
        snapshot: { state: 'active', context: {} },
      })
    }
    encoder.event({
      kind: 'note',
      at: 9_500,
      source: 'timeline.main',
      type: 'progress',
      payload: { durablePosition: 7 },
    })
    const opened = openBytes(Buffer.concat(chunks))
    const { endMs, states } = shownOf(opened.log)
    expect([endMs, states.at(-1)?.atMs]).toEqual([8_500, 8_000])
    opened.seek('+6s')
    expect(opened.place).toBe(2)
  })

  test('draws lanes, messages, terms and states', () => {
    const { chart, header, moment, key } = openPage(ofLog, '#t=9')
    expect(header.textContent).toContain('Loch simulation, seed 3: all held')
    expect(chart.all('line').filter(({ attributes }) => attributes['class'] === 'message').length).toBe(
      ofLog.messages.length,
    )
    expect(chart.all('polyline').length).toBeGreaterThan(3)
    const actors = moment.all('h3').map(({ textContent }) => textContent)
    for (const actor of ['zone.zone-1', 'safekeeper.main', 'timeline.main']) expect(actors).toContain(actor)
    const before = moment.textContent
    key('ArrowRight')
    expect(moment.textContent).not.toBe(before)
  })
})

describe('the file', () => {
  test('takes nothing of a run for markup or for a program', () => {
    const evil = '</script><script>alert(1)</script><!--\u2028&amp;'
    const page = pageOf({ ...recording, title: evil, heading: evil, about: evil, problem: evil })
    expect(page.match(/<script/g)).toHaveLength(2)
    expect(page.match(/<\/script/g)).toHaveLength(2)
    expect(page).not.toContain('<!--')
    const data = /<script type="application\/json" id="recording">(.*)<\/script>\n<script>/.exec(page)![1]!
    expect(JSON.parse(data)).toMatchObject({ title: evil, heading: evil, about: evil, problem: evil })
    expect(/<title>([\s\S]*)<\/title>/.exec(page)![1]).not.toContain('<')
  })

  test('asks for nothing from anywhere', () => {
    const page = pageOf(recording)
    expect(page).toContain("default-src 'none'")
    const addresses = page.match(/\b(?:https?:)?\/\/[\w.]+\.\w+[^'"\s]*/g) ?? []
    expect(new Set(addresses)).toEqual(new Set(['http://www.w3.org/2000/svg']))
    expect(page).not.toMatch(/\bsrc=|\bhref=|@import|url\(|\bfetch\(|innerHTML/)
    expect(page.length).toBeLessThan(2 * 2 ** 20)
  })
})

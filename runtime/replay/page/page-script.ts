/**
 * What the page of a run does, as text of plain JavaScript: draws the lanes of the part of the time that is looked at, and
 * says what all actors said of themselves at the slider's moment. What a run says becomes text of elements and nothing else.
 */
const DRAWING = `
'use strict'
const recording = JSON.parse(document.getElementById('recording').textContent)
const { zones, faults, events, messages, states, charts, problem } = recording
const endMs = Math.max(recording.endMs, 1)
const LABEL_PX = 150, ZONE_PX = 26, ACTOR_PX = 15, CHART_PX = 90
const COLORS = ['#0969da', '#8250df', '#bf3989', '#1a7f37', '#9a6700', '#57606a']
const view = { fromMs: 0, untilMs: endMs, nowMs: endMs }

const svg = (name, attributes, children) => build(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children)
const html = (name, attributes, children) => build(document.createElement(name), attributes, children)
function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, String(value))
  for (const child of [].concat(children === undefined ? [] : children)) {
    element.appendChild(typeof child === 'string' ? document.createTextNode(child) : child)
  }
  return element
}
const seconds = (ms) => (ms / 1000).toFixed(3) + ' s'
const tip = (text) => svg('title', {}, text)

/** Every actor that was ever there, by zone. */
const actors = new Map(zones.map((zone) => [zone, []]))
for (const { changes } of states) {
  for (const key of Object.keys(changes)) {
    const at = key.indexOf('/')
    const list = actors.get(key.slice(0, at))
    if (list && !list.includes(key)) list.push(key)
  }
}
const rank = (key) => ['process', 'safekeeper'].indexOf(key.slice(key.indexOf('/') + 1)) >>> 0
for (const list of actors.values()) list.sort((left, right) => rank(left) - rank(right) || (left < right ? -1 : 1))

/** By actor: from when until when it was in which state. */
const segments = new Map()
{
  const open = new Map()
  const close = (key, untilMs) => {
    const segment = open.get(key)
    if (segment) segment.untilMs = untilMs
    open.delete(key)
  }
  for (const { atMs, changes } of states) {
    for (const [key, state] of Object.entries(changes)) {
      const present = open.get(key)
      if (present && state && present.state === state.state) continue
      close(key, atMs)
      if (!state) continue
      const segment = { fromMs: atMs, untilMs: endMs, state: state.state || '' }
      open.set(key, segment)
      if (!segments.has(key)) segments.set(key, [])
      segments.get(key).push(segment)
    }
  }
}

/** Steps of a number that an actor tells. */
function series(key, field) {
  const points = []
  for (const { atMs, changes } of states) {
    const state = changes[key]
    if (state && state[field] !== undefined && Number.isFinite(Number(state[field]))) points.push([atMs, Number(state[field])])
  }
  return points
}

function colorOf(state) {
  let hash = 0
  for (const letter of state) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0
  return 'hsl(' + (hash % 360) + ' 55% 55%)'
}

function draw() {
  const chart = document.getElementById('chart')
  const width = Math.max(400, chart.clientWidth || 1000)
  const span = view.untilMs - view.fromMs
  const x = (atMs) => LABEL_PX + ((atMs - view.fromMs) / span) * (width - LABEL_PX - 10)
  const isSeen = (fromMs, untilMs) => untilMs >= view.fromMs && fromMs <= view.untilMs
  const cut = (atMs) => Math.min(view.untilMs, Math.max(view.fromMs, atMs))
  const back = [], front = [], top = new Map()
  let y = 20
  const label = (text, atY, kind) => front.push(svg('text', { x: 4, y: atY, class: kind || '' }, text))
  const band = (fault, atY, height) => {
    if (!isSeen(fault.fromMs, fault.untilMs)) return
    const [left, right] = [x(cut(fault.fromMs)), x(cut(fault.untilMs))]
    back.push(svg('rect', { x: left, y: atY, width: Math.max(1, right - left), height, class: 'fault' }, tip(seconds(fault.fromMs) + ' ' + fault.text)))
    if (fault.fromMs >= view.fromMs) back.push(svg('line', { x1: left, x2: left, y1: atY, y2: atY + height, class: 'strike' }))
  }
  const dot = (event, atY, radius) => {
    if (!isSeen(event.atMs, event.atMs)) return
    front.push(svg('circle', { cx: x(event.atMs), cy: atY, r: radius, class: event.kind }, tip(seconds(event.atMs) + ' ' + event.lane + ' ' + event.text)))
  }
  for (let tick = 0; tick <= 8; tick++) {
    const atMs = view.fromMs + (span * tick) / 8
    front.push(svg('text', { x: x(atMs), y: 12, 'text-anchor': tick === 8 ? 'end' : 'middle' }, (atMs / 1000).toFixed(span < 8000 ? 2 : 1)))
  }
  label('clients', y + 12, 'zone')
  for (const event of events) if (event.kind === 'acknowledged' || event.kind === 'lost') dot(event, y + 8, 2.5)
  y += ZONE_PX
  for (const zone of zones) {
    const beginY = y
    top.set(zone, y + ZONE_PX / 2)
    back.push(svg('line', { x1: 0, x2: width, y1: y, y2: y, class: 'lane' }))
    label(zone, y + 17, 'zone')
    for (const event of events) {
      if (event.lane !== zone) continue
      dot(event, y + ZONE_PX / 2, event.kind === 'serving' ? 6 : 3.5)
    }
    y += ZONE_PX
    for (const key of actors.get(zone)) {
      label(key.slice(zone.length + 1).slice(0, 22), y + 11)
      for (const segment of segments.get(key) || []) {
        if (!isSeen(segment.fromMs, segment.untilMs)) continue
        const [left, right] = [x(cut(segment.fromMs)), x(cut(segment.untilMs))]
        const bar = { x: left, y: y + 2, width: Math.max(1, right - left), height: ACTOR_PX - 4, fill: colorOf(segment.state), opacity: 0.75 }
        back.push(svg('rect', bar, tip(key + ' ' + segment.state + ', ' + seconds(segment.fromMs) + ' to ' + seconds(segment.untilMs))))
        if (right - left > segment.state.length * 7) back.push(svg('text', { x: left + 3, y: y + 11, style: 'fill:#fff' }, segment.state))
      }
      y += ACTOR_PX
    }
    for (const fault of faults) if (fault.zone === undefined || fault.zone === zone) band(fault, beginY, y - beginY)
    y += 4
  }
  for (const message of messages) {
    if (!isSeen(message.atMs, message.atMs)) continue
    const [from, to] = [top.get(message.from), top.get(message.to)]
    if (from === undefined || to === undefined) continue
    const words = seconds(message.atMs) + ' ' + message.from + ' to ' + message.to + ': ' + message.subject + ', ' + message.bytes + ' bytes'
    const at = x(message.atMs)
    back.push(svg('line', { x1: at, x2: at + 3, y1: from, y2: to, class: 'message' }, tip(words)))
    back.push(svg('circle', { cx: at + 3, cy: to, r: 1.2, class: 'message' }))
  }
  const lines = (title, chosen) => {
    const all = chosen.map(({ key, field, dashed, points }) => ({ key, field, dashed, points: points || series(key, field) })).filter(({ points }) => points.length > 0)
    const max = Math.max(1, ...all.flatMap(({ points }) => points.map(([, value]) => value)))
    back.push(svg('line', { x1: 0, x2: width, y1: y, y2: y, class: 'lane' }))
    label(title, y + 14, 'zone')
    label('0 to ' + max, y + 28)
    const level = (value) => y + CHART_PX - 6 - (value / max) * (CHART_PX - 14)
    for (const { key, field, dashed, points } of all) {
      const path = []
      let before
      for (const [atMs, value] of points) {
        if (before !== undefined) path.push([cut(atMs), before])
        path.push([cut(atMs), value])
        before = value
      }
      path.push([cut(endMs), before])
      const color = COLORS[Math.max(0, zones.indexOf(key.split('/')[0])) % COLORS.length]
      const attributes = { points: path.map(([atMs, value]) => x(atMs).toFixed(1) + ',' + level(value).toFixed(1)).join(' '), style: 'stroke:' + color }
      if (dashed) attributes['stroke-dasharray'] = '4 3'
      front.push(svg('polyline', attributes, tip(key + ' ' + field)))
    }
    y += CHART_PX
  }
  for (const { title, lines: chosen } of charts) lines(title, chosen)
  zones.forEach((zone, at) => front.push(svg('text', { x: 4 , y: y - 46 + at * 12, style: 'fill:' + COLORS[at % COLORS.length] }, zone + (at === 0 ? ' (dashed: ' + recording.dashed + ')' : ''))))
  y = Math.max(y, y - 46 + zones.length * 12)
  const cursor = svg('line', { id: 'cursor', y1: 14, y2: y, class: 'cursor' })
  const picture = svg('svg', { viewBox: '0 0 ' + width + ' ' + y, height: y }, [...back, ...front, cursor])
  picture.addEventListener('click', (event) => {
    const box = picture.getBoundingClientRect()
    const at = ((event.clientX - box.left) / box.width) * width
    show(view.fromMs + ((at - LABEL_PX) / (width - LABEL_PX - 10)) * span)
  })
  chart.replaceChildren(picture)
  moveCursor = () => {
    const isInside = isSeen(view.nowMs, view.nowMs)
    cursor.setAttribute('x1', String(x(view.nowMs)))
    cursor.setAttribute('x2', String(x(view.nowMs)))
    cursor.setAttribute('visibility', isInside ? 'visible' : 'hidden')
  }
  moveCursor()
}
let moveCursor = () => {}
`

const MOMENT = String.raw`
/** States just after the last change at or before the moment, and before that change. */
function statesAt(atMs) {
  const after = new Map()
  let before = new Map(), index = -1
  for (let at = 0; at < states.length && states[at].atMs <= atMs; at++) {
    index = at
    before = new Map(after)
    for (const [key, state] of Object.entries(states[at].changes)) {
      if (state) after.set(key, state)
      else after.delete(key)
    }
  }
  return { before, after, index }
}

function row(name, now, then) {
  const isChanged = now !== then
  const value = [now === undefined ? '' : now]
  if (isChanged && then !== undefined) value.unshift(html('del', {}, then))
  return html('tr', isChanged ? { class: 'changed' } : {}, [html('td', {}, name), html('td', {}, value)])
}

function actorTable(key, now, then) {
  const names = [...new Set([...Object.keys(now || {}), ...Object.keys(then || {})])]
  const name = key.slice(key.indexOf('/') + 1)
  return [
    html('h3', now ? {} : { class: 'gone' }, name),
    html('table', {}, names.map((field) => row(field, now && now[field], then && then[field]))),
  ]
}

function show(atMs) {
  view.nowMs = Math.min(endMs, Math.max(0, atMs))
  slider.value = String(view.nowMs)
  clock.textContent = seconds(view.nowMs)
  moveCursor()
  const { before, after, index } = statesAt(view.nowMs)
  const parts = []
  const present = faults.filter(({ fromMs, untilMs }) => fromMs <= view.nowMs && Math.max(untilMs, fromMs + 100) >= view.nowMs)
  parts.push(html('h2', {}, 'Faults at this moment'), html('pre', {}, present.map(({ text }) => text).join('\n') || 'none'))
  const recent = events.filter((event) => event.atMs <= view.nowMs && event.atMs > view.nowMs - 1000).slice(-20)
  parts.push(html('h2', {}, 'The second before'))
  parts.push(html('pre', {}, recent.map((event) => seconds(event.atMs) + ' ' + event.lane + ' ' + event.text).join('\n') || 'nothing'))
  parts.push(html('h2', {}, index < 0 ? 'No state yet' : 'States since ' + seconds(states[index].atMs) + '; what changed then is marked'))
  for (const zone of zones) {
    parts.push(html('h2', {}, zone))
    for (const key of actors.get(zone)) {
      if (after.has(key) || before.has(key)) parts.push(...actorTable(key, after.get(key), before.get(key)))
    }
  }
  document.getElementById('moment').replaceChildren(...parts)
}

/** To the next change of a state, or the one before. */
function step(direction) {
  const moments = states.map(({ atMs }) => atMs)
  const next = direction > 0 ? moments.find((atMs) => atMs > view.nowMs) : moments.filter((atMs) => atMs < view.nowMs).pop()
  if (next !== undefined) show(next)
}

function zoom(factor) {
  const span = Math.min(endMs, Math.max(20, (view.untilMs - view.fromMs) * factor))
  view.fromMs = Math.min(Math.max(0, view.nowMs - span / 2), endMs - span)
  view.untilMs = view.fromMs + span
  draw()
}

const slider = html('input', { type: 'range', min: 0, max: endMs, step: 'any', 'aria-label': 'moment' })
const clock = html('output', {})
const button = (text, title, act) => {
  const made = html('button', { type: 'button', title }, text)
  made.addEventListener('click', act)
  return made
}
slider.addEventListener('input', () => show(Number(slider.value)))
slider.addEventListener('change', () => { location.hash = 't=' + (view.nowMs / 1000).toFixed(3) })
document.getElementById('controls').replaceChildren(
  button('\u25c0', 'the change before (left arrow)', () => step(-1)),
  button('\u25b6', 'the next change (right arrow)', () => step(1)),
  slider, clock,
  button('+', 'closer', () => zoom(0.5)), button('\u2212', 'farther', () => zoom(2)), button('all', 'the whole run', () => zoom(Infinity)),
)
document.addEventListener('keydown', (event) => {
  if (event.target === slider || (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight')) return
  event.preventDefault()
  step(event.key === 'ArrowRight' ? 1 : -1)
})
window.addEventListener('resize', () => draw())
document.getElementById('header').replaceChildren(
  html('h1', { class: problem === '' ? 'good' : 'bad' }, recording.heading),
  html('pre', { class: 'bad' }, problem),
  html('pre', {}, recording.about),
  html('pre', {}, [...recording.details, messages.length + ' of ' + recording.messagesSeen + ' messages between zones shown'].join(' \u00b7 ')),
)
draw()
const asked = /t=([\d.]+)/.exec(location.hash)
show(asked ? Number(asked[1]) * 1000 : problem === '' ? 0 : endMs)
`

export const SCRIPT = `${DRAWING}${MOMENT}`

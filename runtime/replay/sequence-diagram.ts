/**
 * Who made whom do what, drawn: one lifeline for each source, time downwards, an arrow from the source of an event's cause to
 * the source of the event. As text for a terminal, and as Mermaid for documents. Only what it is given is drawn; a cause that is
 * not in the log has no arrow.
 */
import { actorOf, type RunEvent } from '../../events/run-log.ts'
import type { RunLog } from './open-log.ts'

interface Arrow {
  /** Undefined if it comes from outside or from the source itself. */
  readonly from: string | undefined
  readonly to: string
  readonly event: RunEvent
}

const LANE_COLUMNS = 22
const TIME_COLUMNS = 14

function arrowsOf(log: RunLog, places: readonly number[]): readonly Arrow[] {
  return places.map((place) => {
    const event = log.event(place)
    if (event.kind === 'message') return { from: event.source, to: String(event.payload['to']), event }
    const to = event.source
    const isCaused = event.causationId !== '' && event.causationId !== event.id
    const cause = isCaused ? log.placeOfId(event.causationId) : undefined
    const from = cause === undefined ? undefined : log.event(cause).source
    return { from: from === to ? undefined : from, to, event }
  })
}

function sourcesOf(arrows: readonly Arrow[]): readonly string[] {
  return [...new Set(arrows.flatMap(({ from, to }) => (from === undefined ? [to] : [from, to])))].sort()
}

export function mermaidDiagram(log: RunLog, places: readonly number[]): string {
  const arrows = arrowsOf(log, places)
  const alias = new Map(sourcesOf(arrows).map((source, at) => [source, `p${at}`]))
  const lines = [...alias].map(([source, short]) => `  participant ${short} as ${source}`)
  for (const { from, to, event } of arrows) {
    const label = `${event.sequence} ${labelOf(event)}`
    const target = alias.get(to)!
    lines.push(from === undefined ? `  Note over ${target}: ${label}` : `  ${alias.get(from)!}->>${target}: ${label}`)
  }
  return ['sequenceDiagram', ...lines].join('\n')
}

/** Mermaid ends a statement at a semicolon, and a label at a colon or hash. */
function labelOf({ type, state, outcome }: RunEvent): string {
  const label = [type, state === '' ? '' : `(${state})`, outcome === 'taken' ? '' : outcome].filter(Boolean).join(' ')
  return label.replaceAll(/[;:#]/g, ' ')
}

export function textDiagram(log: RunLog, places: readonly number[]): string {
  const arrows = arrowsOf(log, places)
  const sources = sourcesOf(arrows)
  const head = ' '.repeat(TIME_COLUMNS) + sources.map((source) => centred(actorOf(source))).join('')
  const hosts = ' '.repeat(TIME_COLUMNS) + sources.map((source) => centred(source.split('@')[1] ?? '')).join('')
  const rows = arrows.map((arrow) => {
    const time = new Date(arrow.event.at).toISOString().slice(11, 23).padEnd(TIME_COLUMNS)
    return `${time}${arrowLine(arrow, sources)}  ${arrow.event.sequence} ${labelOf(arrow.event)}`
  })
  return [head, hosts, ...rows].map((line) => line.trimEnd()).join('\n')
}

function centred(text: string): string {
  const cut = text.slice(0, LANE_COLUMNS - 2)
  const left = Math.floor((LANE_COLUMNS - cut.length) / 2)
  return ' '.repeat(left) + cut.padEnd(LANE_COLUMNS - left)
}

function arrowLine({ from, to }: Arrow, sources: readonly string[]): string {
  const middleOf = (source: string) => sources.indexOf(source) * LANE_COLUMNS + Math.floor(LANE_COLUMNS / 2)
  const line = [...' '.repeat(sources.length * LANE_COLUMNS)]
  for (const source of sources) line[middleOf(source)] = '│'
  const target = middleOf(to)
  const origin = from === undefined ? target : middleOf(from)
  for (let at = Math.min(origin, target); at < Math.max(origin, target); at++) line[at] = '─'
  if (from === undefined) line[target] = '●'
  else {
    line[origin] = origin < target ? '├' : '┤'
    line[target] = origin < target ? '▶' : '◀'
  }
  return line.join('')
}

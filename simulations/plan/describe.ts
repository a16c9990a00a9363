/** A plan and its faults in words, for people: what a run is about, in a few lines. Nothing parses this. */
import type { Fault } from '../faults/fault.ts'
import { describeEdit } from '../fork/edit.ts'
import { neverStrikes, type Plan } from './plan.ts'

export function describePlan(plan: Plan): string {
  const {
    zones,
    durability,
    workload,
    postgres,
    store,
    network,
    clocks,
    faults,
    durationMs,
    cachePages,
    edits = [],
  } = plan
  const errors = [store.errorShare, store.lostAnswerShare, store.truncatedShare].map((share) => percent(share ?? 0))
  const skewMs = Math.max(0, ...clocks.map((clock) => Math.abs(clock.skewMs)))
  const tail = network.latency
    ? `${percent(network.latency.tailShare)} of messages late by ${network.latency.tailMeanMs} ms`
    : ''
  const late = faults.filter((fault) => neverStrikes(plan, fault)).length
  return [
    `${zones} zones, commits acknowledged when ${durability}, ${seconds(durationMs)} of faults (${faults.length})`,
    ...(late === 0 ? [] : [`of the faults ${late} would come later than that, and never strike`]),
    ...(plan.isBeyondPromise ? ['beyond the promise: what is shown must be right, service may be gone for good'] : []),
    `${workload.clients} clients on ${workload.keys} keys, ${percent(workload.writeShare)} writes, ` +
      `every ${workload.thinkMeanMs} ms`,
    `checkpoints every ${seconds(postgres.checkpointIntervalMs)}, ${postgres.bufferPages} buffers, ` +
      `${cachePages} pages of cache`,
    `store: ${errors[0]} errors, ${errors[1]} lost answers, ${errors[2]} truncated; ` +
      `clocks off by up to ${skewMs} ms${tail === '' ? '' : `; ${tail}`}`,
    ...(postgres.bulkWalBytes === undefined ? [] : [`some writes make ${postgres.bulkWalBytes} bytes of WAL at once`]),
    ...(edits.length === 0 ? [] : [`edited: ${edits.map(describeEdit).join('; ')}`]),
    ...(postgres.mistakes.length === 0 ? [] : [`mistakes of Postgres: ${postgres.mistakes.join(', ')}`]),
  ].join('\n')
}

/** Without its moment. */
export function describeFault(fault: Fault, zones: number): string {
  const words: string[] = [fault.kind]
  if ('zone' in fault) words.push(`zone-${(fault.zone % zones) + 1}${'client' in fault ? fault.client : ''}`)
  if ('disks' in fault) words.push(fault.disks ? 'with disks' : 'without disks')
  if ('direction' in fault) words.push(fault.direction === 'up' ? 'unheard' : 'unhearing')
  if ('factor' in fault) words.push(`by a factor of ${fault.factor}`)
  if ('count' in fault) words.push(`${fault.count} times`)
  if ('ppm' in fault) words.push(`by ${fault.ppm} ppm`)
  if ('meanMs' in fault) words.push(`by ${fault.meanMs} ms in the mean`)
  if ('order' in fault) words.push(`${fault.order}, ${fault.times} times`)
  if ('pauseMs' in fault) words.push(`with ${fault.pauseMs} ms between`)
  if ('byMs' in fault) words.push(`by ${fault.byMs} ms`)
  if ('forMs' in fault) words.push(`for ${fault.forMs} ms`)
  return words.join(' ')
}

/** Of all faults: a line each, with its moment. */
export function describeFaults(plan: Plan): readonly string[] {
  return plan.faults.map((fault) => {
    const what = `${moment(fault.atMs)}  ${describeFault(fault, plan.zones)}`
    return neverStrikes(plan, fault) ? `${what} (never strikes: too late)` : what
  })
}

/** Since the beginning of a run, in a column. */
export function moment(atMs: number): string {
  return `${(atMs / 1000).toFixed(3).padStart(8)} s`
}

function seconds(ms: number): string {
  return `${ms / 1000} s`
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`
}

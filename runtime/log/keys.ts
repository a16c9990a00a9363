/**
 * Names of objects, in one place, because a name once written is never reused and the term in it is what keeps
 * two writers apart. Numbers are zero padded so that byte order, which every listing has, is number order.
 */
const TERM_DIGITS = 8
const POSITION_DIGITS = 16
const NUMBER_DIGITS = 8

export function termText(term: number): string {
  return String(term).padStart(TERM_DIGITS, '0')
}

export function logPrefix(timeline: string): string {
  return `timelines/${timeline}/log/`
}

/** Archived log that begins at `begin` and was written under `term`. */
export function logKey(timeline: string, term: number, begin: number): string {
  return `${logPrefix(timeline)}${termText(term)}-${String(begin).padStart(POSITION_DIGITS, '0')}`
}

/** Sealed pages. */
export function segmentKey(timeline: string, term: number, number: number): string {
  return `timelines/${timeline}/segments/${termText(term)}/${String(number).padStart(NUMBER_DIGITS, '0')}`
}

/** Index runs and file tables. */
export function indexKey(timeline: string, term: number, number: number): string {
  return `timelines/${timeline}/index/${termText(term)}/${String(number).padStart(NUMBER_DIGITS, '0')}`
}

export function timelineJournal(timeline: string): string {
  return `timelines/${timeline}/journal`
}

export function projectJournal(project: string): string {
  return `projects/${project}/journal`
}

export function endpointJournal(endpoint: string): string {
  return `endpoints/${endpoint}/journal`
}

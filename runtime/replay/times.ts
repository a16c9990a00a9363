/**
 * Times and durations as people write them. They mean the same wherever they stand: as a place, in a filter, in a predicate.
 */
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `250ms`, `1.5s`, `10m`, `2h`, `3d` in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  return match === null ? undefined : Number(match[1]) * UNIT_MS[match[2]!]!
}

/**
 * Milliseconds since 1970 of a date and time, of a time on the day on which the log begins, or of `+1.5s` after its beginning;
 * UTC unless it says otherwise. Undefined for anything else.
 */
export function parseTime(text: string, startedAt: number): number | undefined {
  if (/^\+/.test(text)) {
    const offset = parseDuration(text.slice(1))
    return offset === undefined ? undefined : startedAt + offset
  }
  const time =
    /^(?:(\d{4}-\d{2}-\d{2})(?:[T ]|$))?(?:(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?)?(Z|[+-]\d{2}:?\d{2})?$/i.exec(text)
  if (time === null || (time[1] === undefined && time[2] === undefined)) return undefined
  const [
    ,
    day = new Date(startedAt).toISOString().slice(0, 10),
    hours = '0',
    minutes = '00',
    seconds = '00',
    zone = 'Z',
  ] = time
  const at = Date.parse(`${day}T${hours.padStart(2, '0')}:${minutes}:${seconds}${zone}`)
  return Number.isNaN(at) ? undefined : at
}

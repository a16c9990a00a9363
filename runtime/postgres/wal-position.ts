/**
 * Postgres's own addresses, read from what it writes to pg_wal: the name of a segment file and an offset in it give an
 * LSN (XLogFileName in access/xlog_internal.h). Used to label flush points for people; Loch's log is addressed by its own
 * positions. Numbers are plain: an LSN stays below 2^53 for eight petabytes of WAL. Pure.
 */

/** `cluster.ts` creates every cluster with segments of this size. */
export const WAL_SEGMENT_BYTES = 16 * 1024 * 1024

/** A log number in a file name counts 4 GiB. */
const LOG_BYTES = 2 ** 32

export interface WalSegment {
  /** Postgres's timeline, which grows by promotion and archive recovery; not a branch of Loch. */
  readonly walTimeline: number
  /** LSN of the segment's first byte. */
  readonly lsn: number
}

/** The segment that a file name in pg_wal stands for; undefined for every other file (history, backup, temporary). */
export function parseWalFileName(name: string): WalSegment | undefined {
  if (!/^[0-9A-F]{24}$/.test(name)) return undefined
  const [walTimeline, log, segment] = [0, 8, 16].map((at) => Number.parseInt(name.slice(at, at + 8), 16))
  if (segment! >= LOG_BYTES / WAL_SEGMENT_BYTES) return undefined
  return { walTimeline: walTimeline!, lsn: log! * LOG_BYTES + segment! * WAL_SEGMENT_BYTES }
}

/**
 * LSN after a write of `length` bytes at `offset` of a segment file: an upper bound of what the write made durable,
 * since Postgres writes whole pages of 8 KiB and the last one may be filled only in part.
 */
export function walWriteEnd(segment: WalSegment, offset: number, length: number): number {
  return segment.lsn + offset + length
}

/** "16/B374D848", as pg_lsn prints it. */
export function formatLsn(lsn: number): string {
  return `${Math.floor(lsn / LOG_BYTES).toString(16)}/${(lsn % LOG_BYTES).toString(16)}`.toUpperCase()
}

/** The reverse of `formatLsn`; undefined if the text is not an LSN, or one beyond 2^53. */
export function parseLsn(text: string): number | undefined {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text)
  if (match === null) return undefined
  const lsn = Number.parseInt(match[1]!, 16) * LOG_BYTES + Number.parseInt(match[2]!, 16)
  return Number.isSafeInteger(lsn) ? lsn : undefined
}

/**
 * The seams of the volume. The volume is synchronous and owns no thread, clock or I/O: it reads and writes pages through
 * `PageStore`, appends to the log through `LogSink`, and where it needs bytes that are not here it says which
 * (`Wanted`) and is called again once they were delivered. The FUSE worker drives it in production, the simulator drives
 * the same code.
 */
import type { LogEntry } from '../../events/log-entry.ts'

/** Where the volume's entries go, in order. Appending never waits and never fails: the sink's owner handles both. */
export interface LogSink {
  /** Position after the last entry appended. */
  readonly end: number
  /** Milliseconds since 1970, as the driver read them before this operation. */
  readonly nowMs: number
  /** Appends a `write` entry with source[from, from + length) as data; returns the position after it. */
  appendWrite(ino: number, offset: number, source: Uint8Array, from: number, length: number): number
  /** Appends any other entry; returns the position after it. */
  append(entry: LogEntry): number
}

/** Local storage of pages by slot number, a cache that may be lost at any time the process is not running. */
export interface PageStore {
  readonly slotCount: number
  read(slot: number, target: Uint8Array, targetOffset: number, pageOffset: number, length: number): void
  write(slot: number, source: Uint8Array, sourceOffset: number, pageOffset: number, length: number): void
}

/** Place of a page in an immutable segment object: `slot` counts 8 KiB pages from the segment's start. */
export interface PageLocation {
  readonly segmentTerm: number
  readonly segmentNumber: number
  readonly slot: number
  /** CRC-32 of the page's 8192 bytes. */
  readonly checksum: number
}

/** Bytes that an operation needs and that are not here. Deliver them, then repeat the operation. */
export type Wanted =
  | { readonly kind: 'page'; readonly ino: number; readonly block: number; readonly location: PageLocation }
  | { readonly kind: 'index'; readonly key: string; readonly offset: number; readonly length: number }

/** Result of an operation that may lack bytes: see `Volume.wanted`. Distinct from every -errno. */
export const WANTS_BYTES = -100_000
/** Result of a write for which no page slot is free: seal, then repeat. */
export const NEEDS_SEAL = -100_001

/**
 * The oracle of pages that are published: segments of a term are numbered in the order in which their pages are captured, so in the log
 * a page never goes back to a segment with a lower number of the same or an older term. It reads the archived log from its first byte on.
 */

import { chainSeed } from '../../events/frame.ts'
import { decodeEntry, entrySize, type SealedEntry } from '../../events/log-entry.ts'
import { ArchiveReader } from '../../runtime/log/archive.ts'
import { run } from '../../runtime/system/run.ts'
import type { BucketView } from './bucket-view.ts'

const FIELDS = 4

export async function checkSealedPages(store: BucketView, timeline: string): Promise<string[]> {
  const reader = new ArchiveReader(store, timeline)
  const from = { term: 0, position: 0, chain: chainSeed(timeline) }
  const tail = await run(reader.findTail(from))
  if (!tail) return []
  const parts: Uint8Array[] = []
  await run(reader.read(tail.history, from, tail.end, async (bytes) => void parts.push(Buffer.from(bytes))))
  return checkSealedEntries(Buffer.concat(parts))
}

/** `log`: from its first byte on. */
export function checkSealedEntries(log: Buffer): string[] {
  const problems: string[] = []
  /** By inode and block. Numbers of inodes are never given twice. */
  const newest = new Map<string, SealedEntry>()
  for (let at = 0; ; ) {
    const size = entrySize(log, at)
    if (size === 0) return problems
    const entry = decodeEntry(log, at)
    if (entry?.type === 'sealed') {
      for (let page = 0; page < entry.pages.length; page += FIELDS) {
        const name = `block ${entry.pages[page + 1]} of file ${entry.pages[page]}`
        const before = newest.get(name)
        if (before && isOlder(entry, before))
          problems.push(`sealed: ${name} goes back from ${words(before)} to ${words(entry)} at ${at}`)
        newest.set(name, entry)
      }
    }
    at += size
  }
}

function isOlder(one: SealedEntry, other: SealedEntry): boolean {
  return (
    one.segmentTerm < other.segmentTerm ||
    (one.segmentTerm === other.segmentTerm && one.segmentNumber < other.segmentNumber)
  )
}

function words({ segmentTerm, segmentNumber }: SealedEntry): string {
  return `segment ${segmentNumber} of term ${segmentTerm}`
}

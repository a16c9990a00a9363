/**
 * The local page cache: one file of 8 KiB slots. It is a cache and nothing else: it is never fsynced, is made anew when
 * a volume is attached, and losing it loses nothing. The kernel's page cache keeps its hot part in memory.
 */
import * as fs from 'node:fs'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { DiskFailed } from '../errors.ts'
import type { PageStore } from '../volume/types.ts'

export class PageFile implements PageStore {
  readonly slotCount: number
  private readonly path: string
  private readonly descriptor: number

  constructor(path: string, slotCount: number) {
    fs.rmSync(path, { force: true })
    this.path = path
    this.slotCount = slotCount
    this.descriptor = fs.openSync(path, 'wx+', 0o600)
    // Unlinked at once: the space is free again the moment the process is gone, whichever way it goes.
    fs.unlinkSync(path)
  }

  read(slot: number, target: Uint8Array, targetOffset: number, pageOffset: number, length: number): void {
    const read = fs.readSync(this.descriptor, target, targetOffset, length, slot * PAGE_BYTES + pageOffset)
    // A slot whose end was never written is short in the file; its missing bytes are zeros.
    if (read < length) target.fill(0, targetOffset + read, targetOffset + length)
  }

  write(slot: number, source: Uint8Array, sourceOffset: number, pageOffset: number, length: number): void {
    let written = 0
    try {
      written = fs.writeSync(this.descriptor, source, sourceOffset, length, slot * PAGE_BYTES + pageOffset)
    } catch (cause) {
      throw this.failed((cause as NodeJS.ErrnoException).code ?? String(cause), cause)
    }
    if (written < length) throw this.failed('ENOSPC', undefined)
  }

  private failed(code: string, cause: unknown): DiskFailed {
    return new DiskFailed({
      component: 'page cache',
      value: this.path,
      problem: `a page could not be written (${code})`,
      remedy: 'Free space on that disk or lower --cache-size, then start again; nothing acknowledged is lost.',
      cause,
    })
  }

  close(): void {
    fs.closeSync(this.descriptor)
  }
}

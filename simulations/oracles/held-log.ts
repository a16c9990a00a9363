/**
 * What a safekeeper's disk would hold if every host lost power now: its control file, and its log as far as whole records
 * reach that are certainly on the platter. It reads the simulated files by their format, not with the code that wrote them,
 * because that is what is judged by it. Records that were read before and have not changed are not read again.
 */
import { checksum } from '../../events/checksum.ts'
import { chainOver, checkPayload, FRAME_HEADER_BYTES, readFrameHeader } from '../../events/frame.ts'
import { type Control, loadControl } from '../../runtime/safekeeper/control-file.ts'
import type { DiskFiles } from '../../runtime/safekeeper/disk-files.ts'
import type { SimDisk } from '../world/sim-disk.ts'
import type { SimFile } from '../world/sim-file.ts'

/** In front of a frame: magic, checksum of the rest, and how far the log was flushed; see log-record.ts. */
const RECORD_HEAD_BYTES = 16
const RECORD_MAGIC = Buffer.from('LFRC', 'latin1').readUInt32LE()
const LOG_NAME = /\/(\d{16})\.log$/

interface LogRecord {
  readonly begin: number
  readonly end: number
  readonly chainBefore: number
  readonly chainAfter: number
  /** In the file, of its first byte and of the first byte behind it. */
  readonly offset: number
  readonly behind: number
}

export interface Held {
  /** Undefined if there is none. */
  readonly control: Control | undefined
  /** Of the log. Equal if it holds nothing. */
  readonly begin: number
  readonly end: number
}

export class HeldLog {
  readonly #disk: SimDisk
  readonly #directory: string
  readonly #scanned = new WeakMap<SimFile, LogRecord[]>()
  #files: readonly { readonly file: SimFile; readonly records: readonly LogRecord[] }[] = []
  /** The last certain record, and the file that it is in, if it is the last of its file. */
  #last: { readonly file: SimFile; readonly behind: number } | undefined
  #control: { readonly file: SimFile; readonly control: Control | undefined } | undefined
  /** Of the disk: with another one a record's head is not believed. */
  #salt = 0

  constructor(disk: SimDisk, directory: string) {
    this.#disk = disk
    this.#directory = directory
  }

  look(): Held {
    const control = this.#readControl()
    const names = [...this.#disk.certainNames.keys()]
    const logs = names.filter((name) => name.startsWith(this.#directory) && LOG_NAME.test(name)).sort()
    const place = control?.base ?? { position: 0 }
    let begin: number | undefined
    let last: LogRecord | undefined
    let isWhole = true
    this.#last = undefined
    const files: { file: SimFile; records: readonly LogRecord[] }[] = []
    for (const name of logs) {
      const file = this.#disk.certainNames.get(name)!
      const records = this.#scan(file, Number(LOG_NAME.exec(name)![1]))
      const first = records[0]
      // What is shown may be more than what is certain, and chains are asked for of all of it.
      const before = files.at(-1)?.records.at(-1)
      if (first === undefined || (before && (first.begin !== before.end || first.chainBefore !== before.chainAfter)))
        break
      files.push({ file, records })
      begin ??= first.begin
      if (!isWhole) continue
      const certain = file.certainBytes
      const kept = records.findLast(({ behind }) => behind <= certain)
      isWhole = kept !== undefined && kept === records.at(-1)
      if (kept === undefined) continue
      last = kept
      this.#last = isWhole ? { file, behind: kept.behind } : undefined
    }
    this.#files = files
    begin ??= place.position
    return { control, begin, end: last?.end ?? begin }
  }

  /** True if the last file shows more behind its last whole record than zeros, as it was when it was looked at last. */
  hasRemains(): boolean {
    return this.#last?.file.shown.subarray(this.#last.behind).some((byte) => byte !== 0) ?? false
  }

  /** Over all before `position`, as the log says that was looked at last; undefined if it does not reach there. */
  chainAt(position: number): number | undefined {
    if (this.#files.length === 0) {
      const base = this.#control?.control?.base
      return base?.position === position ? base.chain : undefined
    }
    const found = this.#files.findLast(({ records }) => records[0]!.begin <= position)
    const record = found?.records.findLast(({ begin }) => begin <= position)
    if (found === undefined || record === undefined || position > record.end) return undefined
    if (position === record.end) return record.chainAfter
    const from = record.offset + RECORD_HEAD_BYTES + FRAME_HEADER_BYTES
    return chainOver(found.file.shown.subarray(from, from + position - record.begin), record.chainBefore)
  }

  #scan(file: SimFile, begin: number): LogRecord[] {
    const records = this.#scanned.get(file) ?? []
    this.#scanned.set(file, records)
    const changed = file.takeChanged()
    while (records.length > 0 && records.at(-1)!.behind > changed) records.pop()
    if (changed === Number.POSITIVE_INFINITY) return records
    const { shown } = file
    for (let offset = records.at(-1)?.behind ?? 0; ; ) {
      if (!isRecordHead(shown, offset, this.#salt)) return records
      const header = readFrameHeader(shown, offset + RECORD_HEAD_BYTES)
      if (typeof header === 'string') return records
      const from = offset + RECORD_HEAD_BYTES + FRAME_HEADER_BYTES
      const behind = from + header.length
      const before = records.at(-1)
      const joins = before
        ? header.begin === before.end && header.chainBefore === before.chainAfter
        : header.begin === begin
      if (!joins || behind > shown.length || !checkPayload(header, shown.subarray(from, behind))) return records
      const { chainBefore, chainAfter } = header
      records.push({ begin: header.begin, end: header.begin + header.length, chainBefore, chainAfter, offset, behind })
      offset = behind
    }
  }

  /** A control file is replaced as a whole, so what stands under its name is looked at once. */
  #readControl(): Control | undefined {
    const path = `${this.#directory}/control`
    const file = this.#disk.certainNames.get(path)
    if (file === undefined) return undefined
    if (this.#control?.file !== file) {
      const control = readControl(file, this.#directory)
      this.#control = { file, control }
      if (control) this.#salt = checksum(Buffer.from(control.diskId))
    }
    return this.#control.control
  }
}

function isRecordHead(bytes: Buffer, at: number, salt: number): boolean {
  if (at + RECORD_HEAD_BYTES > bytes.length || bytes.readUInt32LE(at) !== RECORD_MAGIC) return false
  return bytes.readUInt32LE(at + 4) === checksum(bytes.subarray(at + 8, at + RECORD_HEAD_BYTES), salt)
}

function readControl(file: SimFile, directory: string): Control | undefined {
  const bytes = Buffer.from(file.shown.subarray(0, file.certainBytes))
  try {
    return loadControl({ readWhole: () => bytes } as unknown as DiskFiles, directory)
  } catch {
    // As good as none: whoever opens it begins with a new one, and says that it is fresh.
    return undefined
  }
}

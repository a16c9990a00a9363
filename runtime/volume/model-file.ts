/**
 * The model of one file for property tests of the volume: an array of bytes after each change, and what of it a crash may
 * still show. It knows of no pages, seals or log.
 */
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { FileClass } from './file-class.ts'

/** From `position` of the log on, blocks from `block` on show version `version` or a later one. */
interface Barrier {
  readonly position: number
  readonly version: number
  readonly block: number
}

/** What a file was after each change, and what of it a crash may still show. */
export class ModelFile {
  readonly fileClass: FileClass
  readonly barriers: Barrier[] = []
  readonly versions: Array<{ readonly bytes: Buffer; readonly logEnd: number }>
  removedAt = Number.POSITIVE_INFINITY
  retains = 0

  constructor(fileClass: FileClass, logEnd: number) {
    this.fileClass = fileClass
    this.versions = [{ bytes: Buffer.alloc(0), logEnd }]
  }

  get bytes(): Buffer {
    return this.versions.at(-1)!.bytes
  }

  get version(): number {
    return this.versions.length - 1
  }

  change(bytes: Buffer, logEnd: number): void {
    this.versions.push({ bytes, logEnd })
  }

  /** Blocks from `block` on are as in `version`, or later, in any log that reaches `position`. */
  promise(position: number, block: number, version: number): void {
    this.barriers.push({ position, version, block })
  }

  /** What is wrong with `content` in a crash image of the log up to `position`; undefined if nothing. */
  complaint(content: Buffer, position: number): string | undefined {
    if (this.fileClass === FileClass.logged) {
      const expected = this.versions.findLast(({ logEnd }) => logEnd <= position)!.bytes
      return content.equals(expected)
        ? undefined
        : `differs from what was logged at ${firstDifference(content, expected)}`
    }
    const floor = this.floor(position, 0, true)
    if (!this.versions.slice(floor).some(({ bytes }) => bytes.length === content.length)) {
      return `its size ${content.length} is none that it may have`
    }
    for (let block = 0; block * PAGE_BYTES < content.length; block++) {
      const page = pageOf(content, block)
      const allowed = this.versions.slice(this.floor(position, block, false))
      if (!allowed.some(({ bytes }) => pageOf(bytes, block).equals(page)))
        return `block ${block} is none that it may be`
    }
    return undefined
  }

  /** Oldest version that may show; `whole` asks for the file's size, which every cut and sync settles. */
  private floor(position: number, block: number, whole: boolean): number {
    let floor = 0
    for (const barrier of this.barriers) {
      if (barrier.position <= position && (whole || barrier.block <= block)) floor = Math.max(floor, barrier.version)
    }
    return floor
  }
}

function pageOf(bytes: Buffer, block: number): Buffer {
  const page = Buffer.alloc(PAGE_BYTES)
  page.set(bytes.subarray(block * PAGE_BYTES, (block + 1) * PAGE_BYTES))
  return page
}

/** Where and how, for the message of a failure. */
export function firstDifference(a: Buffer, b: Buffer): string {
  const at = a.findIndex((byte, index) => byte !== b[index])
  return `${at} (page ${Math.floor(at / PAGE_BYTES)}): ${a[at]} is not ${b[at]}`
}

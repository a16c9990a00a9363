/**
 * Opening a safekeeper's directory: what does it hold, and can that be believed? A log that a crash has torn is cut where
 * nothing was promised beyond; bytes that were promised and are bad now make the disk `fresh`: it holds less than its
 * zone has acknowledged, says so in every vote, and is filled again. Bad files are moved aside and kept for people to
 * look at; nothing is thrown away.
 *
 *   <directory>/control          term, history, base (control-file.ts)
 *   <directory>/<position>.log   frames (disk-log.ts)
 *   <directory>/damaged-*        what was moved aside
 *   <directory>/synced           as long as it is there, no sync has failed: what the kernel shows of the last file is on the disk
 */
import { join } from 'node:path'
import { checksum } from '../../events/checksum.ts'
import { chainSeed } from '../../events/frame.ts'
import { Damaged, DiskFailed, problemOf } from '../errors.ts'
import { type Control, loadControl, type Place, saveControl } from './control-file.ts'
import { type DiskFiles, replaceFile } from './disk-files.ts'
import { DiskLog, LOG_LIMITS, type LogLimits } from './disk-log.ts'
import { isSegmentName, type Scanned, SegmentFile, scanSegment, segmentName } from './segment-file.ts'

const SYNCED = 'synced'

export interface OpenedDisk {
  readonly control: Control
  readonly log: DiskLog
  /** What was found wrong, one line each; '' never occurs. */
  readonly findings: readonly string[]
  /** Set if acknowledged bytes were lost: see `fresh`. */
  readonly damage: string | undefined
}

/** Makes the directory if there is none. Throws DiskFailed, FormatTooNew. */
export function openDisk(
  files: DiskFiles,
  directory: string,
  timeline: string,
  newDiskId: () => string,
  limits: LogLimits = LOG_LIMITS,
): OpenedDisk {
  return new Opening(files, directory, timeline, newDiskId, limits).open()
}

/**
 * Leaves word that the last file cannot be believed; returns what kept it from that, or ''. A file is taken away and none made,
 * because a full disk has room for that. The word need not be durable, for it is about what this kernel shows: after a
 * power failure there is only what is on the disk.
 */
export function noteFailedSync(files: DiskFiles, directory: string): string {
  try {
    files.remove(join(directory, SYNCED))
    return ''
  } catch (error) {
    return `${problemOf(error)} Until this host has been started anew, do not start this zone`
  }
}

class Opening {
  readonly #files: DiskFiles
  readonly #directory: string
  readonly #timeline: string
  readonly #newDiskId: () => string
  readonly #limits: LogLimits
  readonly #findings: string[] = []
  #damage: string | undefined

  constructor(files: DiskFiles, directory: string, timeline: string, newDiskId: () => string, limits: LogLimits) {
    this.#files = files
    this.#directory = directory
    this.#timeline = timeline
    this.#newDiskId = newDiskId
    this.#limits = limits
  }

  open(): OpenedDisk {
    this.#files.makeDirectory(this.#directory)
    const loaded = this.#loadControl()
    if (loaded === undefined) this.#setAside(this.#segmentNames(), 'there is no control file beside it')
    let control = loaded ?? this.#newControl()
    if (loaded === undefined) saveControl(this.#files, this.#directory, control)
    const distrust = (problem: string) => {
      this.#damage = problem
      this.#findings.push(problem)
      // Before anything is moved: whoever opens the rest of this log must know that it is a rest.
      control = { ...control, fresh: true }
      saveControl(this.#files, this.#directory, control)
    }
    const log = this.#openLog(control, distrust)
    return { control, log, findings: this.#findings, damage: this.#damage }
  }

  #loadControl(): Control | undefined {
    try {
      return loadControl(this.#files, this.#directory)
    } catch (error) {
      if (!(error instanceof Damaged)) throw error
      this.#damage = `${error.problem} (${error.value})`
      this.#setAside(['control'], this.#damage)
      return undefined
    }
  }

  #newControl(): Control {
    const base = { position: 0, chain: chainSeed(this.#timeline) }
    return { diskId: this.#newDiskId(), term: 0, history: [], fresh: true, base }
  }

  #openLog(control: Control, distrust: (problem: string) => void): DiskLog {
    const salt = checksum(Buffer.from(control.diskId))
    this.#settleUnsynced()
    const segments: SegmentFile[] = []
    let begin: Place | undefined
    let end: Place = control.base
    const names = this.#segmentNames()
    for (const [index, name] of names.entries()) {
      const segment = new SegmentFile(this.#directory, Number.parseInt(name, 10))
      const isLast = index === names.length - 1
      const content = this.#files.readWhole(segment.path) ?? Buffer.alloc(0)
      const chain = begin || segment.begin === control.base.position ? end.chain : undefined
      const joins = begin === undefined || segment.begin === end.position
      const scanned: Scanned = joins
        ? scanSegment(segment, content, chain, salt)
        : { first: undefined, last: undefined, ending: 'damaged' }
      if (scanned.last) {
        begin ??= scanned.first
        end = scanned.last
        segments.push(segment)
      }
      if (scanned.ending === 'whole' && (scanned.last || isLast)) {
        if (!scanned.last) this.#files.remove(segment.path)
        continue
      }
      // A file is made only after the one before is whole on disk, so in all but the last a bad end is damage.
      if (scanned.ending === 'torn' && isLast) this.#cutTorn(segment, content.length, scanned)
      else {
        distrust(`${segment.path} is damaged from position ${segment.end} on`)
        this.#repair(names.slice(index), segment, content)
      }
      break
    }
    this.#syncLast(segments)
    return new DiskLog(this.#files, this.#directory, salt, segments, begin ?? control.base, end, this.#limits)
  }

  #segmentNames(): readonly string[] {
    return this.#files.list(this.#directory).filter(isSegmentName).sort()
  }

  #cutTorn(segment: SegmentFile, size: number, scanned: Scanned): void {
    this.#findings.push(`${segment.path}: an unfinished end of at most ${size - segment.bytes} bytes was cut off`)
    if (scanned.last === undefined) {
      this.#files.remove(segment.path)
      return
    }
    const file = this.#files.open(segment.path, false)
    this.#files.truncate(file, segment.bytes)
    this.#sync(file)
    this.#files.close(file)
  }

  /** Moves the bad file and all after it aside, and puts back what was good of it. */
  #repair(names: readonly string[], segment: SegmentFile, content: Buffer): void {
    this.#setAside(names, 'it is damaged, or follows a damaged one')
    if (segment.bytes === 0) return
    replaceFile(this.#files, this.#directory, segmentName(segment.begin), content.subarray(0, segment.bytes))
  }

  #setAside(names: readonly string[], why: string): void {
    // Newest first: a crash in between leaves no hole.
    for (const name of [...names].reverse()) {
      const taken = new Set(this.#files.list(this.#directory))
      let aside = `damaged-${name}`
      for (let count = 2; taken.has(aside); count++) aside = `damaged-${count}-${name}`
      this.#files.rename(join(this.#directory, name), join(this.#directory, aside))
      this.#files.syncDirectory(this.#directory)
      this.#findings.push(`${join(this.#directory, name)} was moved to ${aside}: ${why}`)
    }
  }

  /** What was written before a kill may not have reached the disk yet. Files before the last have. */
  #syncLast(segments: readonly SegmentFile[]): void {
    const last = segments[segments.length - 1]
    if (last) {
      const file = this.#files.open(last.path, false)
      this.#sync(file)
      this.#files.close(file)
    }
    // Without a segment too: a control file that was renamed, or segments that were removed, may be on their way.
    this.#files.syncDirectory(this.#directory)
  }

  /** Whoever opens this disk next would be told by the kernel that nothing is left to be synced. */
  #sync(file: number): void {
    try {
      this.#files.sync(file)
    } catch (error) {
      const unnoted = noteFailedSync(this.#files, this.#directory)
      if (unnoted === '' || !(error instanceof DiskFailed)) throw error
      const { component, value, problem, remedy } = error
      throw new DiskFailed({ component, value, problem, remedy: `${remedy} ${unnoted}`, cause: error })
    }
  }

  /** After a failed sync the kernel may show bytes that the disk does not have: they are written once more. */
  #settleUnsynced(): void {
    const marker = join(this.#directory, SYNCED)
    if (this.#files.readWhole(marker) !== undefined) return
    const last = this.#segmentNames().at(-1)
    if (last) {
      replaceFile(this.#files, this.#directory, last, this.#files.readWhole(join(this.#directory, last))!)
      this.#findings.push('a sync had failed: the last file was written again')
    }
    this.#files.close(this.#files.open(marker, true))
    this.#files.syncDirectory(this.#directory)
  }
}

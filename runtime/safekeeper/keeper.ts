/**
 * A safekeeper's promises and the disk that makes them true: the acceptor's state, the control file and the log, with the
 * orders that must hold between them. No message is read or sent here.
 */
import {
  type Acceptor,
  flushedTo,
  forget,
  type Opened,
  openAcceptor,
  raiseTerm,
} from '../../actors/safekeeper/acceptor.ts'
import { type Control, NotSaved, saveControl } from './control-file.ts'
import type { DiskFiles } from './disk-files.ts'
import type { DiskLog } from './disk-log.ts'
import type { OpenedDisk } from './disk-open.ts'
import type { Past } from './past.ts'

export class Keeper {
  readonly state: Acceptor
  readonly log: DiskLog
  readonly #files: DiskFiles
  readonly #directory: string
  #control: Control

  constructor(files: DiskFiles, directory: string, zone: string, incarnation: string, disk: OpenedDisk) {
    this.#files = files
    this.#directory = directory
    this.#control = disk.control
    this.log = disk.log
    const { diskId, term, history, fresh } = disk.control
    const { begin, end, chain } = this.log
    const opened: Opened = {
      zone,
      diskId,
      incarnation,
      term,
      history,
      fresh,
      begin: begin.position,
      end,
      chain,
      // What was trimmed was settled; more is not known until a writer says so.
      settled: begin.position,
    }
    this.state = openAcceptor(opened)
  }

  /** Puts the acceptor's term, history and freshness on disk, if they are not. */
  save(): void {
    const { term, history, fresh } = this.state
    const { diskId, base, ...before } = this.#control
    if (term === before.term && history === before.history && fresh === before.fresh) return
    this.#write({ diskId, term, history, fresh, base })
  }

  /** Puts a higher term on disk, and only then into the acceptor: as long as it is not saved, nothing was promised. */
  promise(term: number): void {
    if (term <= this.state.term) return
    this.#write({ ...this.#control, term })
    raiseTerm(this.state, term)
  }

  /**
   * Of a disk without a memory: its zone may have promised itself to `term`. If it had another disk, that one may have
   * acknowledged what is not here, and a writer must say what; else there is nothing to remember.
   */
  remember({ term, hadDisk }: Past): void {
    raiseTerm(this.state, term)
    this.#write({ ...this.#control, term: this.state.term, fresh: hadDisk })
    this.state.fresh = hadDisk
    this.state.confirmed = !hadDisk
  }

  /**
   * Of a log of which something is bad: it holds less than it may have acknowledged. Whoever opens it can see that only of bytes
   * that a later record says were flushed, so of the last ones it is told here.
   */
  distrust(): void {
    forget(this.state)
    this.#write({ ...this.#control, fresh: true })
  }

  /** Flushes the log and takes note of it. */
  flush(): void {
    const { state } = this
    if (!flushedTo(state, this.log.flush())) return
    // As long as a full disk still says that it cannot be believed, it is not; the next flush tries again.
    if (!trySaving(() => this.save())) return
    state.fresh = true
    state.confirmed = false
  }

  /** Cuts the log on disk; flushed before. */
  cut(position: number): void {
    // Without a frame only the control file says where the log begins, and that may have been trimmed since.
    if (position === this.log.begin.position) this.#write({ ...this.#control, base: this.log.begin })
    this.log.truncate(position)
  }

  /** Drops the log on disk and lets it begin elsewhere. A crash in between leaves none, which begins where it always did. */
  restart(position: number, chain: number): void {
    this.log.restart({ position, chain })
    this.#write({ ...this.#control, base: { position, chain } })
  }

  #write(control: Control): void {
    saveControl(this.#files, this.#directory, control)
    this.#control = control
  }
}

/** What kept the control file from being replaced, if nothing has changed by that. Throws all else that `save` throws. */
export function trySaving(save: () => void): NotSaved | undefined {
  try {
    save()
    return undefined
  } catch (error) {
    if (error instanceof NotSaved) return error
    throw error
  }
}

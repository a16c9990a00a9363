/**
 * Which file holds which relation. It stands in the control file, and changes after that in the WAL; Postgres has a file of
 * its own for it. Files that
 * were dropped are remembered until a checkpoint makes sure that no redo needs them.
 */
import { blockOfKey, type PagePlace, relationOf } from './page.ts'

interface Dropped {
  readonly file: number
  readonly lsn: number
}

export class RelationMap {
  readonly #files: number[]
  #dropped: Dropped[] = []

  constructor(files: readonly number[]) {
    this.#files = [...files]
  }

  get files(): readonly number[] {
    return [...this.#files]
  }

  placeOf(key: number): PagePlace {
    const file = this.#files[relationOf(key)]
    if (file === undefined) throw new Error(`the cluster was not made for key ${key}`)
    return { file, block: blockOfKey(key) }
  }

  /** To be called in the step that inserts the record, so that a checkpoint sees both or none. */
  put(relation: number, file: number): void {
    this.#files[relation] = file
  }

  /** `lsn` is the end of the record that replaced the file. */
  dropped(file: number, lsn: number): void {
    this.#dropped.push({ file, lsn })
  }

  /** Files that no redo from `redoLsn` on needs; it forgets them. */
  takeDropped(redoLsn: number): readonly number[] {
    const taken = this.#dropped.filter(({ lsn }) => lsn <= redoLsn)
    this.#dropped = this.#dropped.filter(({ lsn }) => lsn > redoLsn)
    return taken.map(({ file }) => file)
  }
}

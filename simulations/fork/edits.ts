/**
 * Carries out the edits of a plan while its run goes on, each once and where it says. It knows which of them it has not come
 * to, because a run that never comes to its edit answers another question than the one that was asked.
 */
import type { ActorEvent } from '../../events/envelope.ts'
import type { Edited } from '../../runtime/system/ports.ts'
import type { Fault } from '../faults/fault.ts'
import { changed, describeEdit, type Edit } from './edit.ts'
import { isSameFault } from './same-fault.ts'

type AtIntake = Extract<Edit, { readonly actor: string }>
type OfFault = Extract<Edit, { readonly kind: 'spare' | 'add' }>

export class Edits {
  readonly #edits: readonly Edit[]
  readonly #done = new Set<Edit>()
  /** Of messages that may be lost, how many of each kind there were. */
  readonly #counts = new Map<string, number>()
  /** Makes a fault happen; false if none may any more, because the world has healed. */
  strike: (fault: Fault) => boolean = () => false

  constructor(edits: readonly Edit[]) {
    this.#edits = edits
  }

  get isEmpty(): boolean {
    return this.#edits.length === 0
  }

  /** In words. */
  get missed(): readonly string[] {
    return this.#edits.filter((edit) => !this.#done.has(edit)).map(describeEdit)
  }

  /** What the actor takes instead of `event`; undefined if it takes just that. */
  editedAt(host: string, actor: string, id: string, event: ActorEvent): Edited | undefined {
    const name = `${actor}@${host}`
    let edited: Edited | undefined
    for (const edit of this.#edits) {
      if (!('actor' in edit) || edit.actor !== name || edit.id !== id) continue
      // What could not be handled is taken once more; what stands before it, and what strikes, does so once.
      const isFirst = !this.#done.has(edit)
      if (edit.kind !== 'strike' || (isFirst && this.strike(edit.fault))) this.#done.add(edit)
      edited = this.#apply(edit, isFirst, edited ?? { before: [], event })
    }
    return edited
  }

  #apply(edit: AtIntake, isFirst: boolean, edited: Edited): Edited {
    switch (edit.kind) {
      case 'drop':
        return { ...edited, event: undefined }
      case 'change':
        return { ...edited, event: edited.event && changed(edited.event, edit.fields) }
      case 'insert':
        return isFirst ? { ...edited, before: [...edited.before, { at: 0, ...edit.event }] } : edited
      case 'strike':
        return edited
    }
  }

  /** Whether this fault of the plan, whose moment has come, shall not strike. */
  spares(fault: Fault): boolean {
    return this.#finds('spare', fault)
  }

  /** Faults beside those of the plan. */
  get added(): readonly Fault[] {
    return this.#edits.flatMap((edit) => (edit.kind === 'add' ? [edit.fault] : []))
  }

  /** The moment of one that was added has come. */
  struck(fault: Fault): void {
    this.#finds('add', fault)
  }

  #finds(kind: OfFault['kind'], fault: Fault): boolean {
    const found = this.#edits.find((edit) => {
      return edit.kind === kind && isSameFault(edit.fault, fault) && !this.#done.has(edit)
    })
    if (found !== undefined) this.#done.add(found)
    return found !== undefined
  }

  /** Whether the server is about to pass on a message that shall be lost. */
  loses(from: string, to: string, subject: string): boolean {
    const candidates = this.#edits.filter((edit) => edit.kind === 'lose')
    const alike = candidates.filter((edit) => edit.from === from && edit.to === to && edit.subject === subject)
    if (alike.length === 0) return false
    const key = `${from} ${to} ${subject}`
    const number = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, number)
    const edit = alike.find((one) => one.number === number)
    if (edit !== undefined) this.#done.add(edit)
    return edit !== undefined
  }
}

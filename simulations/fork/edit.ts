/**
 * Edits of a run, as data in its plan: what would have happened if a message had been lost, had said something else, or had
 * come beside others. An edit names the message by what does not change when the same plan is run again: the actor with its
 * host and the message's id, or the number of a message among its like. Until there the run is the one without the edit.
 */
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import { isFact } from '../../actors/definition.ts'
import type { ActorEvent } from '../../events/envelope.ts'
import { definitionOf } from '../../runtime/replay/definitions.ts'
import type { Fault } from '../faults/fault.ts'

/** What an actor is about to take. */
interface AtIntake {
  /** `timeline.main@zone-1`. */
  readonly actor: string
  readonly id: string
}
export type Fields = Readonly<Record<string, unknown>>

export type Edit =
  /** It is not taken, nor answered. */
  | (AtIntake & { readonly kind: 'drop' })
  /** These fields of it are others. */
  | (AtIntake & { readonly kind: 'change'; readonly fields: Fields })
  /** The actor takes another message before it. */
  | (AtIntake & { readonly kind: 'insert'; readonly event: Fields & { readonly type: string } })
  /** A fault strikes just when it is taken; its `atMs` does not count. */
  | (AtIntake & { readonly kind: 'strike'; readonly fault: Fault })
  /** This fault of the plan does not strike. It stays in the plan, or the draws of what comes before it would be others. */
  | { readonly kind: 'spare'; readonly fault: Fault }
  /** One more strikes, at its moment. */
  | { readonly kind: 'add'; readonly fault: Fault }
  /** The server of the bus passes all messages on but this one: the `number`-th, from 1, of these clients and this subject. */
  | {
      readonly kind: 'lose'
      readonly from: string
      readonly to: string
      readonly subject: string
      readonly number: number
    }

export const EDIT_KINDS = ['drop', 'change', 'insert', 'strike', 'spare', 'add', 'lose'] as const

/** Why an actor could not be told this; undefined if it could. */
export function whyNotToBeTold(actor: string, event: Fields): string | undefined {
  const definition = definitionOf(actor)
  if (definition === undefined) return `there is no actor ${actor}`
  if (Object.hasOwn(event, 'at')) return NO_TIME
  const parsed = Schema.decodeUnknownResult(definition.schema)({ at: 0, ...event }, { onExcessProperty: 'error' })
  if (Result.isFailure(parsed)) return parsed.failure.message.replace(/\n\s*/g, ' ')
  return isFact(definition, parsed.success.type) ? 'a fact cannot be told, only recorded by its host' : undefined
}

/** Why these cannot be the fields that a change names; undefined if they can. */
export function whyNotToBeChanged(fields: Fields): string | undefined {
  if (Object.keys(fields).length === 0) return 'it changes nothing'
  return Object.hasOwn(fields, 'at') ? NO_TIME : undefined
}

const NO_TIME = 'a message has no time of its own: it is taken when its turn comes'

export function describeEdit(edit: Edit): string {
  if (edit.kind === 'spare' || edit.kind === 'add') return `${edit.kind} ${JSON.stringify(edit.fault)}`
  if (edit.kind === 'lose') return `lose message ${edit.number} on ${edit.subject} from ${edit.from} to ${edit.to}`
  const where = `${edit.kind === 'insert' || edit.kind === 'strike' ? 'before ' : ''}${edit.id} at ${edit.actor}`
  if (edit.kind === 'change') return `change ${where}: ${JSON.stringify(edit.fields)}`
  if (edit.kind === 'insert') return `insert ${where}: ${JSON.stringify(edit.event)}`
  return edit.kind === 'strike' ? `strike ${where}: ${JSON.stringify(edit.fault)}` : `drop ${where}`
}

/** The event as the actor takes it. */
export function changed(event: ActorEvent, fields: Fields): ActorEvent {
  return { ...event, ...fields }
}

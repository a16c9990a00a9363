/**
 * A state as a page shows it: flat, field by field, as text. Two states are compared whole, before anything is cut; and what is
 * cut ends with the checksum of the whole, so that a change of what is not shown is one of what is. Nothing here knows actors.
 */
import { checksum } from '../../../events/checksum.ts'
import { stateFields } from '../rows.ts'
import type { ActorState } from './shown.ts'

const VALUE_LENGTH_MAX = 300

/** Whole. */
export function fieldsOf(value: unknown): ActorState {
  return Object.fromEntries(stateFields(value))
}

export function cutForDisplay(state: ActorState): ActorState {
  return Object.fromEntries(Object.entries(state).map(([name, text]) => [name, cut(text)]))
}

function cut(text: string): string {
  if (text.length <= VALUE_LENGTH_MAX) return text
  const sum = checksum(Buffer.from(text)).toString(16).padStart(8, '0')
  return `${text.slice(0, VALUE_LENGTH_MAX)}… (${text.length} characters, checksum ${sum})`
}

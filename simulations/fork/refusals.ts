/** What no fork can be of, and which alterations would alter nothing. */
import type { RunEvent } from '../../events/run-log.ts'
import { BadArgument } from '../../runtime/errors.ts'
import { type Fields, whyNotToBeChanged } from './edit.ts'

export function checkIntake(event: RunEvent): void {
  if (event.kind === 'took' && !event.source.startsWith('safekeeper.')) return
  throw refuse(event, 'what happens there is not a message that an actor takes from its queue', HINT)
}

export const HINT = 'Choose an event of kind `took` of a zone, timeline, endpoint or compute, a `message` or a `fault`.'

/** A fork that is the run as it was answers another question than the one that was asked. */
export function checkChange(before: Fields, fields: Fields): void {
  const isSame = Object.entries(fields).every(([name, value]) => JSON.stringify(before[name]) === JSON.stringify(value))
  const problem = whyNotToBeChanged(fields) ?? (isSame ? 'it is like that already' : undefined)
  if (problem === undefined) return
  const remedy = `Write other values for some of ${Object.keys(before).join(', ')}.`
  throw new BadArgument({ component: '--change', value: JSON.stringify(fields), problem, remedy })
}

export function refuse({ sequence, type, kind }: RunEvent, problem: string, remedy: string): BadArgument {
  return new BadArgument({ component: '--at', value: `${sequence}, ${kind} ${type}`, problem, remedy })
}

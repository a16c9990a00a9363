/**
 * Stores an index snapshot and announces it. The order is the whole point: first the objects, then the log up to the
 * snapshot's position must be durable and archived, only then the journal may name it, because an attach folds from there on and
 * believes that everything before is settled. A term begins to archive where its snapshot is: what is not archived before that would
 * be missing from the history for ever.
 */
import * as Effect from 'effect/Effect'
import { Position, Term } from '../../events/identifiers.ts'
import { Fenced, problemOf } from '../errors.ts'
import { run } from '../system/run.ts'
import type { LogWriter } from './log-writer.ts'
import type { Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { tellTimeline } from './tell-timeline.ts'
import type { SnapshotMessage } from './volume-messages.ts'

/**
 * True once an attach may begin from it; false, after a report, if something went wrong: the next one tries again. A
 * timeline that has granted a higher term calls `fenced`: this reign's snapshots will never count again.
 */
export async function storeSnapshot(
  ports: ReignPorts,
  reign: Reign,
  writer: LogWriter,
  { position, chain, objects }: SnapshotMessage,
  fenced: (error: Fenced) => void,
): Promise<boolean> {
  try {
    const creations = objects.map(({ key, bytes }) => ports.store.create(key, [bytes]))
    // Names carry the term and a number that is given once, so 'exists' can only be our own write.
    await run(Effect.all(creations, { concurrency: 4, discard: true }))
    if (!(await writer.whenArchived(position))) return false
    const key = objects.at(-1)!.key
    const place = { term: Term.make(reign.term), position: Position.make(position), chain }
    await tellTimeline(ports, { type: 'RecordSnapshot', ...place, key })
    return true
  } catch (error) {
    if (error instanceof Fenced) fenced(error)
    ports.report(`snapshot at ${position}: ${problemOf(error)}`)
    return false
  }
}

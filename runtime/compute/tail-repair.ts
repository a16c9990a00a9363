/**
 * Sends a safekeeper the part of the chosen tail that it lacks, under the new term, and waits until it has flushed it. Only
 * during an election: afterwards the log writer resends from its ring and a safekeeper that is further behind helps itself
 * from the archive.
 */
import { chainOver, FRAME_HEADER_BYTES, writeFrameHeader } from '../../events/frame.ts'
import { decodeAck, subjects } from '../../events/safekeeper-wire.ts'
import { QuorumLost } from '../errors.ts'
import { type Place, readTail } from './log-source.ts'
import type { Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { fencedBy } from './safekeeper-requests.ts'

/** The tail's last few megabytes at most, read and flushed once more. */
const FLUSHED_WITHIN_MS = 10_000

/** Rejects with QuorumLost if the safekeeper does not get there in time. */
export async function bringUpToTail(ports: ReignPorts, reign: Reign, zone: string, from: Place): Promise<void> {
  const ackSubject = `${subjects(ports.project, ports.timeline).append}.repair.${zone}.${reign.term}`
  const flushed = acknowledgement(ports, reign, zone, ackSubject)
  try {
    let chain = from.chain
    await readTail(ports, reign, from, async (bytes, begin) => {
      const frame = frameOf(ports, reign, bytes, begin, chain)
      chain = chainOver(bytes, chain)
      ports.bus.publish(subjects(ports.project, ports.timeline).appendTo(zone), frame, { reply: ackSubject })
    })
    await flushed.promise
  } finally {
    flushed.forget()
  }
}

function frameOf(ports: ReignPorts, reign: Reign, bytes: Buffer, begin: number, chainBefore: number): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + bytes.length)
  bytes.copy(frame, FRAME_HEADER_BYTES)
  const chainAfter = chainOver(bytes, chainBefore)
  const { length } = bytes
  // What is archived is told by the log writer, once this term has a say.
  const header = { term: reign.term, begin, length, chainBefore, chainAfter, flags: 0, archived: 0 }
  writeFrameHeader(frame, 0, header, ports.writer)
  return frame
}

function acknowledgement(ports: ReignPorts, reign: Reign, zone: string, subject: string) {
  let cancel = () => {}
  let subscription: { unsubscribe(): void } | undefined
  const promise = new Promise<void>((resolve, reject) => {
    const give = (problem: string) =>
      reject(
        new QuorumLost({
          component: `safekeeper ${zone}`,
          value: `term ${reign.term}`,
          problem,
          remedy: `See the log of ${zone}.`,
        }),
      )
    cancel = ports.timers.after(FLUSHED_WITHIN_MS, () =>
      give(`it has not flushed the tail within ${FLUSHED_WITHIN_MS} ms`),
    )
    subscription = ports.bus.subscribe(subject, ({ data }) => {
      const ack = decodeAck(data)
      if (!ack || ack.zone !== zone) return
      if (ack.term > reign.term) reject(fencedBy(ports, reign.term, ack.term))
      else if (ack.status === 'failed') give('it cannot append')
      else if (ack.flushed >= reign.tail.position) resolve()
    })
  })
  // Whoever fails before it waits must not be ended by this rejection.
  promise.catch(() => {})
  return {
    promise,
    forget: () => {
      cancel()
      subscription?.unsubscribe()
    },
  }
}

/**
 * A volume on its way from the log to a mount, and back: fold the log, mount, serve, flush, unmount. It owns the volume's
 * thread, the mount and the log's writer for as long as a reign lasts; whatever ends the reign goes through `detach`,
 * which leaves nothing behind. Where the volume lives is not known here, nor is Postgres.
 */
import { QuorumLost } from '../errors.ts'
import { run } from '../system/run.ts'
import type { VolumeEvents } from './compute-body.ts'
import { readTail } from './log-source.ts'
import type { Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { storeSnapshot } from './snapshot-store.ts'
import { VolumeHost } from './volume-host.ts'
import type { ThreadWaker, VolumeDoor, VolumePlace } from './volume-place.ts'
import { WritingLog } from './writing-log.ts'

interface Parts {
  readonly ports: ReignPorts
  readonly door: VolumeDoor
  readonly log: WritingLog
  readonly host: VolumeHost
  readonly waker: ThreadWaker
}

export class AttachedVolume {
  readonly mountPath: string
  readonly log: WritingLog
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.mountPath = parts.door.path
    this.log = parts.log
    this.#parts = parts
  }

  /** Seals everything and records a snapshot; rejects if it did not become durable. */
  async flush(): Promise<void> {
    const { host, log, ports } = this.#parts
    // A log that has failed is no reason to wait for a store that cannot be reached.
    const failed = log.writer.whenDurable(Number.POSITIVE_INFINITY)
    const position = await Promise.race([host.flush(), failed.then(() => 0)])
    if (position > 0 && (await log.writer.whenDurable(position))) return
    throw new QuorumLost({
      component: `timeline ${ports.timeline}`,
      value: `position ${position}`,
      problem: 'the volume could not be made durable',
      remedy: 'See the log of this zone; what was acknowledged is not affected.',
    })
  }

  /**
   * For a Postgres that starts where another has died. What that one wrote and never synced is in the volume, not yet
   * durable; redo finds it there and writes nothing, so the checkpoint that follows must not succeed before it is durable.
   * Postgres 18 does sync each relation that redo opens (mdcreate in md.c), but not because it promises to.
   */
  async guard(): Promise<void> {
    await this.#parts.host.guard()
  }

  /** Ends the reign's volume. Nothing uses the mount any more, or what does gets errors. */
  async detach(): Promise<void> {
    const { door, host, waker, log } = this.#parts
    log.close()
    await door.unmount()
    await host.stop()
    await waker.close()
    door.close()
  }
}

/** Resolves when the mount is served and the term's first entry is durable. Leaves nothing behind if it rejects. */
export async function attachVolume(
  place: VolumePlace,
  ports: ReignPorts,
  reign: Reign,
  events: VolumeEvents,
  signal: AbortSignal,
): Promise<AttachedVolume> {
  // In the order in which things are undone: the thread ends once it is woken or the mount is gone.
  const undo: Array<() => unknown> = []
  try {
    const volume = await openVolume(place, ports, reign, events, signal, undo)
    if (await becomesDurable(volume, reign.tail.position + 1, signal)) return volume
    throw notDurable(ports, reign)
  } catch (error) {
    for (const step of undo) await step()
    throw error
  }
}

async function openVolume(
  place: VolumePlace,
  ports: ReignPorts,
  reign: Reign,
  events: VolumeEvents,
  signal: AbortSignal,
  undo: Array<() => unknown>,
): Promise<AttachedVolume> {
  // Assigned below; the volume's thread says nothing that needs them before it serves.
  let log: WritingLog | undefined
  let waker: ThreadWaker | undefined
  const { store, timeline, timers, report } = ports
  const { term } = reign
  const host = new VolumeHost(place.startThread(timeline, term), {
    store,
    timeline,
    term,
    timers,
    report,
    storeSnapshot: (message) =>
      log ? storeSnapshot(ports, reign, log.writer, message, events.fenced) : Promise.resolve(false),
    wake: () => waker?.wake(),
    unsent: (begin) => log?.writer.sendUnsent(begin),
    broken: events.broken,
  })
  undo.unshift(() => host.stop())
  const cut = () => void host.stop()
  signal.addEventListener('abort', cut, { once: true })
  try {
    await fold(ports, reign, host)
  } finally {
    signal.removeEventListener('abort', cut)
  }
  signal.throwIfAborted()
  const door = await place.openDoor(timeline)
  undo.unshift(() => door.unmount())
  undo.push(() => door.close())
  log = new WritingLog(ports, reign, door.answers, events, place.ringBytes)
  undo.unshift(() => log?.close())
  log.connect()
  const { shared, subject, reply } = log
  const { writer, compute } = ports
  await host.serve({ device: door.device, memory: shared.memory, compute, writer, subject, reply })
  waker = await door.openWaker(shared)
  undo.unshift(() => waker?.close())
  return new AttachedVolume({ ports, door, log, host, waker })
}

/** False also if `signal` cuts the wait short: the log has then failed for good. */
async function becomesDurable(volume: AttachedVolume, position: number, signal: AbortSignal): Promise<boolean> {
  const cut = () => volume.log.writer.fail()
  if (signal.aborted) cut()
  signal.addEventListener('abort', cut, { once: true })
  try {
    return await volume.log.writer.whenDurable(position)
  } finally {
    signal.removeEventListener('abort', cut)
  }
}

async function fold(ports: ReignPorts, reign: Reign, host: VolumeHost): Promise<void> {
  const { snapshot } = reign.grant
  await host.restore(snapshot === undefined ? undefined : await run(ports.store.read(snapshot.key)))
  await readTail(ports, reign, reign.base, (bytes, position) => host.fold(bytes, position))
}

function notDurable(ports: ReignPorts, reign: Reign): QuorumLost {
  return new QuorumLost({
    component: `timeline ${ports.timeline}`,
    value: `term ${reign.term}`,
    problem: "the term's first entry did not become durable",
    remedy: 'Another compute has taken over, or too few zones are up.',
  })
}

/**
 * A volume on its way from the log to a mount, and back: fold the log, mount, serve, flush, unmount. It owns the volume's
 * thread, the mount and the log's writer for as long as a reign lasts; whatever ends the reign goes through `detach`,
 * which leaves nothing behind. Postgres is not known here.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { QuorumLost } from '../errors.ts'
import { KernelDevice } from '../fuse/device.ts'
import { LateReplies } from '../fuse/late-replies.ts'
import { type Mount, mountVolume } from '../fuse/mount.ts'
import { Waker } from '../fuse/wake.ts'
import { run } from '../system/run.ts'
import type { VolumeEvents } from './compute-body.ts'
import type { BodyEnvironment } from './environment.ts'
import { readTail } from './log-source.ts'
import type { Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { storeSnapshot } from './snapshot-store.ts'
import { VolumeHost, type VolumeHostPorts } from './volume-host.ts'
import { WorkerThread } from './volume-thread.ts'
import { WritingLog } from './writing-log.ts'

interface Parts {
  readonly ports: ReignPorts
  readonly mount: Mount
  readonly log: WritingLog
  readonly host: VolumeHost
  readonly waker: Waker
}

export class AttachedVolume {
  readonly mountPath: string
  readonly log: WritingLog
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.mountPath = parts.mount.path
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
    const { mount, host, waker, log } = this.#parts
    log.close()
    await run(Effect.ignore(mount.unmount))
    await host.stop()
    await waker.close()
    mount.close()
  }
}

/** Resolves when the mount is served and the term's first entry is durable. Leaves nothing behind if it rejects. */
export async function attachVolume(
  environment: BodyEnvironment,
  ports: ReignPorts,
  reign: Reign,
  events: VolumeEvents,
  signal: AbortSignal,
): Promise<AttachedVolume> {
  // In the order in which things are undone: the thread ends once it is woken or the mount is gone.
  const undo: Array<() => unknown> = []
  try {
    const volume = await openVolume(environment, ports, reign, events, signal, undo)
    if (await becomesDurable(volume, reign.tail.position + 1, signal)) return volume
    throw notDurable(ports, reign)
  } catch (error) {
    for (const step of undo) await step()
    throw error
  }
}

async function openVolume(
  environment: BodyEnvironment,
  ports: ReignPorts,
  reign: Reign,
  events: VolumeEvents,
  signal: AbortSignal,
  undo: Array<() => unknown>,
): Promise<AttachedVolume> {
  // Assigned below; the volume's thread says nothing that needs them before it serves.
  let log: WritingLog | undefined
  let waker: Waker | undefined
  const host = startHost(environment, ports, reign, {
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
  const mount = await run(mountVolume(join(environment.runDirectory, 'mnt', ports.timeline), `loch-${ports.timeline}`))
  undo.unshift(() => run(Effect.ignore(mount.unmount)))
  undo.push(() => mount.close())
  log = new WritingLog(ports, reign, new LateReplies(new KernelDevice(mount.fd)), events)
  undo.unshift(() => log?.close())
  log.connect()
  const { shared, subject, reply } = log
  const { writer, compute } = ports
  await host.serve({ device: mount.fd, memory: shared.memory, compute, writer, subject, reply })
  waker = new Waker(new KernelDevice(mount.fd), mount.path, shared)
  undo.unshift(() => waker?.close())
  await waker.pin()
  return new AttachedVolume({ ports, mount, log, host, waker })
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

function startHost(
  environment: BodyEnvironment,
  ports: ReignPorts,
  reign: Reign,
  events: Pick<VolumeHostPorts, 'storeSnapshot' | 'wake' | 'unsent' | 'broken'>,
): VolumeHost {
  const { store, timeline, report, timers } = ports
  const { term } = reign
  mkdirSync(environment.cacheDirectory, { recursive: true, mode: 0o700 })
  const cacheFile = join(environment.cacheDirectory, `${timeline}.${term}`)
  const slotCount = Math.floor(environment.cacheBytes / PAGE_BYTES)
  const thread = new WorkerThread({ cacheFile, slotCount, timeline, term })
  return new VolumeHost(thread, { ...events, store, timeline, term, report, timers })
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

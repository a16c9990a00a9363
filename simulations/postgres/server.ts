/**
 * A running server, put together after crash recovery: control file, redo, end-of-recovery checkpoint, and then what serves.
 * It knows no clients.
 */
import type { Kernel, Process } from '../kernel/kernel.ts'
import { Background } from './background.ts'
import { BufferPool } from './buffer-pool.ts'
import { Checkpointer } from './checkpointer.ts'
import { type Control, ControlFile } from './control.ts'
import { KeyLocks } from './key-locks.ts'
import type { Life } from './life.ts'
import type { SimMount } from './mount.ts'
import { redo, syncAllFiles } from './recovery.ts'
import { RelationMap } from './relation-map.ts'
import { Rewriter } from './rewriter.ts'
import type { PostgresSettings } from './settings.ts'
import { WalSegments } from './wal-segments.ts'
import { type WalEnd, WalWriter } from './wal-writer.ts'

export interface ServerOptions {
  readonly kernel: Kernel
  readonly process: Process
  readonly life: Life
  readonly mount: SimMount
  readonly name: string
  readonly settings: PostgresSettings
  readonly panic: (error: unknown) => Promise<never>
}

export interface Server {
  readonly pool: BufferPool
  readonly wal: WalWriter
  readonly checkpointer: Checkpointer
  readonly background: Background
  readonly relations: RelationMap
  readonly locks: KeyLocks
}

/** Rejects with `Corruption` or `MountFailed`. */
export async function openServer(options: ServerOptions): Promise<Server> {
  const { mount, settings } = options
  const controlFile = await ControlFile.open(mount)
  const control = await controlFile.read()
  if (settings.recoveryInitSyncMethod === 'fsync') await syncAllFiles(mount)
  const segments = new WalSegments(mount)
  await segments.scan()
  let wal: WalWriter | undefined
  const pool = poolFor(options, () => wal)
  const relations = new RelationMap(control.files)
  const isSkipped = settings.mistakes.includes('skip-redo')
  const { end, recordsAfterCheckpoint } = await redo({ mount, segments, control, pool, relations, isSkipped })
  wal = walFor(options, segments, end)
  pool.checkAgainstWal()
  const server = assemble(options, { pool, wal, segments, controlFile, control, relations })
  const wasShutDown = control.isShutDown && recordsAfterCheckpoint === 0
  await (wasShutDown ? server.checkpointer.markInProduction() : server.checkpointer.checkpoint(false))
  return server
}

interface Parts {
  readonly pool: BufferPool
  readonly wal: WalWriter
  readonly segments: WalSegments
  readonly controlFile: ControlFile
  readonly control: Control
  readonly relations: RelationMap
}

function assemble(options: ServerOptions, parts: Parts): Server {
  const { mount, settings, panic } = options
  const { pool, wal, relations } = parts
  const locks = new KeyLocks()
  const rewriter = new Rewriter({ pool, wal, relations, locks })
  const checkpointer = new Checkpointer({ ...parts, mount, mistakes: settings.mistakes, panic })
  const background = new Background({ ...options, pool, wal, checkpointer, rewriter, relations })
  return { pool, wal, checkpointer, background, relations, locks }
}

/** While redo runs there is no writer: all WAL that it reads is durable, and its end is not known yet. */
function poolFor(options: ServerOptions, wal: () => WalWriter | undefined): BufferPool {
  const { kernel, mount, name, settings } = options
  const isHasty = settings.mistakes.includes('write-data-before-wal')
  return new BufferPool({
    mount,
    draws: kernel.draws,
    name,
    pagesMax: settings.bufferPages,
    flushWal: (lsn) => (isHasty ? undefined : wal()?.flush(lsn)) ?? Promise.resolve(),
    walEnd: () => wal()?.insertLsn ?? Number.POSITIVE_INFINITY,
  })
}

function walFor({ mount, settings, panic }: ServerOptions, segments: WalSegments, end: WalEnd): WalWriter {
  return new WalWriter({ mount, segments, end, mistakes: settings.mistakes, panic })
}

/**
 * Settings of simulated Postgres, as plain data, so that a plan can hold and shrink them. Mistakes are settings too: each
 * is a rule of Postgres that is deliberately broken, to see that the oracles notice. None may be set outside of such a test.
 */

export const MISTAKES = ['acknowledge-before-fsync', 'skip-redo', 'write-data-before-wal', 'forget-data-fsync'] as const
export type Mistake = (typeof MISTAKES)[number]

export interface PostgresSettings {
  /** shared_buffers, in pages. */
  readonly bufferPages: number
  /** checkpoint_timeout: counted from the first change after a checkpoint, so an idle server does nothing. */
  readonly checkpointIntervalMs: number
  /** max_wal_size: a checkpoint begins when so much was inserted since the last one. */
  readonly checkpointWalBytes: number
  /** Mean time between rounds of the background writer, while there is something dirty. */
  readonly backgroundWriterIntervalMs: number
  /** Share of the dirty pages that a round writes. */
  readonly backgroundWriterShare: number
  /** Mean time between rewrites of a relation into a new file, while there are changes; 0 for never. */
  readonly rewriteIntervalMs: number
  /**
   * So much WAL some transactions make beside their own, as a bulk statement does: it is written before anybody fsyncs it. None if
   * it is absent.
   */
  readonly bulkWalBytes?: number
  /** From a client's request until the server takes it up. */
  readonly requestDelayMs: number
  /** recovery_init_sync_method: syncfs does nothing on FUSE, so the volume must be durable before the server starts. */
  readonly recoveryInitSyncMethod: 'fsync' | 'syncfs'
  readonly mistakes: readonly Mistake[]
}

export const DEFAULT_SETTINGS: PostgresSettings = {
  bufferPages: 8,
  checkpointIntervalMs: 30_000,
  checkpointWalBytes: 128 * 1024,
  backgroundWriterIntervalMs: 3_000,
  backgroundWriterShare: 0.3,
  rewriteIntervalMs: 60_000,
  requestDelayMs: 0.1,
  recoveryInitSyncMethod: 'fsync',
  mistakes: [],
}

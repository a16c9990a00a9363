/**
 * A new cluster, as initdb leaves it: directories, empty data files, a first checkpoint, everything fsynced. It does not
 * serve anybody.
 */
import { CONTROL_PATH, ControlFile } from './control.ts'
import type { SimMount } from './mount.ts'
import { firstFiles, pathOf } from './page.ts'
import { FIRST_LSN, NO_LINK } from './wal-format.ts'
import { WalSegments } from './wal-segments.ts'
import { WalWriter } from './wal-writer.ts'

const DIRECTORIES = ['global', 'pg_wal', 'base', 'base/1']

/** For registers 0 to `keys` - 1. Rejects with `MountFailed`, and leaves behind whatever it has made by then. */
export async function initializeCluster(mount: SimMount, keys: number): Promise<void> {
  for (const path of DIRECTORIES) await mount.makeDirectory(path)
  const files = firstFiles(keys)
  for (const file of files) await mount.fsync(await mount.create(pathOf(file)))
  const wal = new WalWriter({
    mount,
    segments: new WalSegments(mount),
    end: { lsn: FIRST_LSN, link: NO_LINK, tail: undefined },
    mistakes: [],
    panic: (error) => Promise.reject(error),
  })
  const { startLsn, endLsn } = wal.insert({ kind: 'checkpoint', redoLsn: FIRST_LSN })
  await wal.flush(endLsn)
  const ino = await mount.create(CONTROL_PATH)
  await new ControlFile(mount, ino).write({ isShutDown: true, files, checkpointLsn: startLsn, redoLsn: FIRST_LSN })
}

/**
 * The thread that owns the volume. First it folds: the main thread hands it a snapshot and log bytes. Then it serves:
 * it blocks in read(2) on /dev/fuse, and everything else it must hear of comes through the inbox, announced by a wake
 * request in the same queue. One thread, one owner: no lock guards the volume, and the log has one appender.
 *
 * A request is answered first and its log bytes are sent right after, so that Postgres is already on its way to fsync
 * while the frame is on its way to the safekeepers.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../events/checksum.ts'
import { Volume } from '../volume/volume.ts'
import { FoldingVolume } from './folding-volume.ts'
import { PageFile } from './page-file.ts'
import { ServingVolume } from './serving-volume.ts'
import { brokenBy, type FromVolume, type ToVolume, type VolumeWorkerData } from './volume-messages.ts'

const port = parentPort!
const data = workerData as VolumeWorkerData
useChecksum((bytes, before) => crc32(bytes, before))

const post = (message: FromVolume, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)

const pages = new PageFile(data.cacheFile, data.slotCount)
const local = new PageFile(`${data.cacheFile}.local`, Number.MAX_SAFE_INTEGER)
const volume = new Volume({ pages, local })
const folding = new FoldingVolume(volume, post)

port.on('message', (message: ToVolume) => {
  try {
    beforeServing(message)
  } catch (error) {
    post(brokenBy(error))
  }
})

function beforeServing(message: ToVolume): void {
  switch (message.kind) {
    case 'restore':
    case 'fold':
    case 'fetched':
      folding.take(message)
      break
    case 'serve':
      new ServingVolume(volume, data, message, post).run()
      stop()
      break
    case 'stop':
      stop()
      break
    case 'sealed':
    case 'snapshotWritten':
    case 'flush':
    case 'guard':
      throw new Error(`${message.kind} before the volume serves`)
  }
}

function stop(): void {
  pages.close()
  local.close()
  post({ kind: 'stopped' })
  port.close()
}

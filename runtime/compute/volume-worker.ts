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
import { decodeEntry, entrySize } from '../../events/log-entry.ts'
import { Damaged } from '../errors.ts'
import { NEEDS_SEAL, WANTS_BYTES, type Wanted } from '../volume/types.ts'
import { Volume } from '../volume/volume.ts'
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

/** Log bytes not yet folded, because an entry needs bytes that are on their way. */
interface Folding {
  readonly bytes: Buffer
  readonly position: number
  at: number
}

const queue: Folding[] = []
let fetching = 0

function fold(): void {
  while (queue.length > 0 && fetching === 0) {
    const part = queue[0]!
    if (!foldPart(part)) return
    queue.shift()
    post({ kind: 'folded', position: part.position + part.bytes.length })
  }
}

function foldPart(part: Folding): boolean {
  while (part.at < part.bytes.length) {
    const size = entrySize(part.bytes, part.at)
    const entry = size > 0 ? decodeEntry(part.bytes, part.at) : undefined
    if (!entry) throw new Error(`log entry at position ${part.position + part.at} is of a newer version or not whole`)
    const result = volume.apply(entry, part.position + part.at + size)
    if (result === WANTS_BYTES) {
      requestWanted()
      return false
    }
    if (result === NEEDS_SEAL) throw new Error('the page cache is smaller than the log to fold: raise --cache-size')
    part.at += size
  }
  return true
}

function requestWanted(): void {
  for (const wanted of volume.wanted) {
    fetching++
    post({ kind: 'fetch', wanted })
  }
}

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
      if (message.fileTable) volume.restore(message.fileTable)
      post({ kind: 'restored' })
      break
    case 'fold':
      queue.push({ bytes: Buffer.from(message.bytes), position: message.position, at: 0 })
      fold()
      break
    case 'fetched':
      fetching--
      takeFetched(message.wanted, message.bytes)
      fold()
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

function takeFetched(wanted: Wanted, bytes: Uint8Array | undefined): void {
  if (bytes && volume.deliver(wanted, bytes)) return
  throw new Damaged({
    component: 'volume',
    value: wanted.kind === 'index' ? wanted.key : `page ${wanted.block} of inode ${wanted.ino}`,
    problem: 'the log to fold needs these bytes, and they are missing or damaged',
    remedy: 'Restore the object from a backup of the store; nothing has been changed.',
  })
}

function stop(): void {
  pages.close()
  local.close()
  post({ kind: 'stopped' })
  port.close()
}

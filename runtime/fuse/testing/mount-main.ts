/**
 * A process that serves a real mount from memory: `node mount-main.js PATH`. The main thread mounts, answers fsyncs and
 * wakes; a worker owns the volume and blocks on the device. This is the shape in which Loch serves a volume, without its
 * log. Orders come as lines, and what happens is printed as lines; a test must not serve a mount that it uses itself.
 *
 *   wake           ▸ woken N               hold           ▸ holding; from now on fsyncs wait, each ▸ sync
 *   lack NAME      ▸ woken N               release, fail  ▸ released N; the waiting fsyncs succeed or fail
 *   deliver        ▸ woken N               unmount        ▸ stopped, when the last user has gone
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from 'node:worker_threads'
import * as Effect from 'effect/Effect'
import { KernelDevice } from '../device.ts'
import { LateReplies } from '../late-replies.ts'
import { mountVolume } from '../mount.ts'
import { Errno, REQUEST_BYTES_MAX, ROOT_INO } from '../protocol.ts'
import { DEVICE_GONE } from '../served-volume.ts'
import { FuseServer } from '../server.ts'
import { WakeFlag, Waker } from '../wake.ts'
import { MemoryVolume } from './memory-volume.ts'

interface ServingData {
  readonly fd: number
  readonly inbox: MessagePort
  readonly flag: SharedArrayBuffer
}
type FromWorker = { readonly sync: readonly [low: number, high: number] } | { readonly woken: number }
type ToWorker = { readonly lack: string } | { readonly deliver: true }

if (isMainThread) await direct(process.argv[2]!)
else serve(workerData as ServingData)

async function direct(path: string): Promise<void> {
  const mount = await Effect.runPromise(mountVolume(path, 'loch-test'))
  const device = new KernelDevice(mount.fd)
  const { port1: outbox, port2: inbox } = new MessageChannel()
  const flag = new WakeFlag()
  const data: ServingData = { fd: mount.fd, inbox, flag: flag.memory }
  const worker = new Worker(new URL(import.meta.url), { workerData: data, transferList: [inbox] })
  const late = new LateReplies(device)
  const waker = new Waker(device, path, flag)
  let waiting: Array<readonly [number, number]> | undefined
  worker.on('message', (message: FromWorker) => {
    if ('woken' in message) return console.log(`woken ${message.woken}`)
    if (!waiting) return late.replyEmpty(...message.sync)
    waiting.push(message.sync)
    console.log('sync')
  })
  await waker.pin()
  console.log('mounted')
  const tell = (message: ToWorker) => {
    outbox.postMessage(message)
    waker.wake()
  }
  const leave = async () => {
    await waker.close()
    await Effect.runPromise(mount.unmount)
    await once(worker, 'exit')
    mount.close()
    console.log('stopped')
    process.exit(0)
  }
  for await (const line of createInterface(process.stdin)) {
    const [order, name = ''] = line.split(' ')
    switch (order) {
      case 'wake':
        waker.wake()
        break
      case 'lack':
        tell({ lack: name })
        break
      case 'deliver':
        tell({ deliver: true })
        break
      case 'hold':
        waiting = []
        console.log('holding')
        break
      case 'release':
      case 'fail':
        for (const [low, high] of waiting ?? []) {
          if (order === 'fail') late.replyError(low, high, Errno.EIO)
          else late.replyEmpty(low, high)
        }
        console.log(`released ${waiting?.length ?? 0}`)
        waiting = undefined
        break
      case 'unmount':
        // Not waited for: the last user may be waiting for a release.
        void leave()
    }
  }
}

function serve({ fd, inbox, flag }: ServingData): void {
  const device = new KernelDevice(fd)
  const volume = new MemoryVolume()
  const pending = new WakeFlag(flag)
  const post = (message: FromWorker) => parentPort!.postMessage(message)
  const tokens: number[] = []
  const server = new FuseServer(device, volume, {
    bytesWanted: (token) => void tokens.push(token),
    spaceWanted: (token) => void tokens.push(token),
    sync: (low, high) => {
      post({ sync: [low, high] })
      return true
    },
  })
  const request = Buffer.allocUnsafeSlow(REQUEST_BYTES_MAX)
  let seen = 0
  for (;;) {
    const length = device.read(request)
    if (length === DEVICE_GONE) break
    if (length > 0) server.handle(request, length)
    if (server.wakes === seen) continue
    seen = server.wakes
    pending.clearWake()
    for (let message = receiveMessageOnPort(inbox); message; message = receiveMessageOnPort(inbox)) {
      obey(message.message as ToWorker)
    }
    post({ woken: seen })
  }
  server.close()
  inbox.close()

  function obey(message: ToWorker): void {
    if ('lack' in message) {
      volume.lacking.add(volume.lookup(ROOT_INO, message.lack))
    } else {
      volume.lacking.clear()
      for (const token of tokens.splice(0)) server.retry(token)
    }
  }
}

/**
 * The thread of a volume as its host sees it: messages go in, messages come out, and it may end. It exists so that the
 * simulator can run what the thread runs without one; nothing here knows what the messages say.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { FromVolume, ServeMessage, ToVolume, VolumeWorkerData } from './volume-messages.ts'

export interface VolumeThread {
  /** Called once, before anything is posted. */
  listen(hear: (message: FromVolume) => void, failed: (error: unknown) => void, ended: () => void): void
  /** Before it serves. Also while it serves, but then it hears of it only when it is woken. */
  post(message: ToVolume, transfer?: ArrayBuffer[]): void
  serve(message: Omit<ServeMessage, 'inbox'>): void
  /** By force, whatever it does. */
  terminate(): Promise<unknown>
}

export class WorkerThread implements VolumeThread {
  readonly #worker: Worker
  #inbox: MessagePort | undefined

  constructor(data: VolumeWorkerData) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    this.#worker = new Worker(new URL(`./volume-worker.${extension}`, import.meta.url), { workerData: data })
  }

  listen(hear: (message: FromVolume) => void, failed: (error: unknown) => void, ended: () => void): void {
    this.#worker.on('message', hear)
    this.#worker.on('error', failed)
    this.#worker.on('exit', ended)
  }

  post(message: ToVolume, transfer: ArrayBuffer[] = []): void {
    const port = this.#inbox ?? this.#worker
    port.postMessage(message, transfer)
  }

  /** From now on it blocks in reads of the device, where no message of its own port would reach it: hence the inbox. */
  serve(message: Omit<ServeMessage, 'inbox'>): void {
    const { port1, port2 } = new MessageChannel()
    this.#inbox = port1
    this.#worker.postMessage({ ...message, inbox: port2 }, [port2])
  }

  terminate(): Promise<unknown> {
    return this.#worker.terminate()
  }
}

/** What volume-host.test.ts compiles: Node 20 cannot load TypeScript in a worker, which is only named as a file. */
export { VolumeHost } from './volume-host.ts'
export { WorkerThread } from './volume-thread.ts'
export type {} from './volume-worker.ts'

/**
 * What whoever looks on is told of a run: each thing that happens, in the order in which it happens, and the whole cluster
 * after each event of the kernel. Looking on must not change a run: an observer draws nothing, schedules nothing, and only
 * reads the cluster. Without one, nothing of this costs anything.
 */
import type { Recorder } from '../../runtime/system/ports.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'

/** When every run begins, so that its times look like dates. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)

export const RUN_EVENT_KINDS = [
  /** A fault strikes, or all of them end. */
  'fault',
  'heal',
  /** A line that a zone reports. */
  'report',
  /** Somebody begins to serve at the endpoint's address. */
  'serving',
  /** The server of the bus took a message, or gave one to a client. */
  'published',
  'forwarded',
  /** Of a client's transaction. */
  'sent',
  'acknowledged',
  'lost',
  /** A server executed the writes of a transaction. */
  'executed',
] as const
export type RunEventKind = (typeof RUN_EVENT_KINDS)[number]

export interface RunEvent {
  /** Since the beginning of the run. */
  readonly atMs: number
  readonly kind: RunEventKind
  /** Who it happens to: a zone, a client of the bus, a client of the database, or the world. */
  readonly lane: string
  /** A report's line, a message's subject, a transaction, a fault. */
  readonly text: string
  /** Of a message that is forwarded: its receiver. */
  readonly to?: string
  /** Of a message. */
  readonly bytes?: number
  /** Of a message that is forwarded; to be looked at and not kept. */
  readonly data?: Uint8Array
}

/** An event before it has got its time. */
export type Happening = Omit<RunEvent, 'atMs'>

export interface RunObserver {
  /** Before all else; with the time of the kernel. */
  begins?(nowMs: () => number): void
  /** Is shown what actors of a zone hear and decide, as in production. */
  recorderOf?(host: string): Recorder
  observe(event: RunEvent): void
  /** The log of a term has become durable up to there. */
  durable?(term: number, position: number): void
  /** After each event of the kernel; `atMs` since the beginning of the run. */
  stepped?(cluster: SimCluster, atMs: number): void
}

/** Several observers as one. */
export function together(observers: readonly RunObserver[]): RunObserver {
  const recording = observers.filter(({ recorderOf }) => recorderOf !== undefined)
  return {
    begins: (nowMs) => {
      for (const observer of observers) observer.begins?.(nowMs)
    },
    ...(recording.length === 0
      ? {}
      : { recorderOf: (host: string) => allOf(recording.map((one) => one.recorderOf!(host))) }),
    observe: (event) => {
      for (const observer of observers) observer.observe(event)
    },
    durable: (...place) => {
      for (const observer of observers) observer.durable?.(...place)
    },
    stepped: (cluster, atMs) => {
      for (const observer of observers) observer.stepped?.(cluster, atMs)
    },
  }
}

function allOf(recorders: readonly Recorder[]): Recorder {
  return {
    began: (...what) => {
      for (const one of recorders) one.began(...what)
    },
    took: (...what) => {
      for (const one of recorders) one.took(...what)
    },
    folded: (...what) => {
      for (const one of recorders) one.folded(...what)
    },
    noted: (...what) => {
      for (const one of recorders) one.noted(...what)
    },
  }
}

/**
 * What can befall a simulated Loch, as data. A fault has a moment and, if it lasts, a length; what it does stands in
 * strike.ts. All of them are within what the design promises to survive: no acknowledged commit may be lost by any of
 * them, in any combination.
 */
import type { EndpointCommand } from '../../events/endpoint.ts'
import type { Direction } from '../world/link.ts'

interface At {
  /** Since the beginning of the run. */
  readonly atMs: number
}
interface OfZone extends At {
  /** Number of the zone, from 0; taken modulo the number of zones, so that a plan survives a smaller topology. */
  readonly zone: number
}
interface Lasting {
  readonly forMs: number
}

export const ORDERS = [
  'Restart',
  'Disable',
  'Enable',
  'Suspend',
  'Wake',
] as const satisfies readonly EndpointCommand['type'][]
export type Order = (typeof ORDERS)[number]

export type Fault =
  /** kill -9 of a zone's process; it is started again after `forMs`. */
  | (OfZone & Lasting & { readonly kind: 'kill-zone' })
  /** Its host loses power: what was not synced may be gone. */
  | (OfZone & Lasting & { readonly kind: 'lose-power' })
  /** Its disk is lost with all that is on it. */
  | (OfZone & Lasting & { readonly kind: 'lose-disk' })
  /** Its host loses power, and comes back with a bit of its log flipped that it had been told is flushed. */
  | (OfZone & Lasting & { readonly kind: 'rot-disk' })
  /** The same, and it turns out that a write of its log went astray, over another. */
  | (OfZone & Lasting & { readonly kind: 'misplace-write' })
  /** All zones at once, with or without their disks. */
  | (At & Lasting & { readonly kind: 'lose-everything'; readonly disks: boolean })
  | (At & { readonly kind: 'kill-postgres' })
  /** SIGTERM of a zone's process, which then ends in good order; it is started again after `forMs`. */
  | (OfZone & Lasting & { readonly kind: 'stop-zone' })
  /** All zones one after the other are stopped and started again, as when a new version is brought in. */
  | (At & { readonly kind: 'rolling-restart'; readonly pauseMs: number })
  /** SIGSTOP, or a long pause of the garbage collector. */
  | (OfZone & Lasting & { readonly kind: 'pause-zone' })
  /** A client of the bus loses its connection and gets none; `client` is one of BUS_CLIENTS. */
  | (OfZone & Lasting & { readonly kind: 'cut'; readonly client: string })
  /** As `cut`, but nobody is told: packets vanish. */
  | (OfZone & Lasting & { readonly kind: 'isolate'; readonly client: string })
  /** As `isolate`, in one direction: its client is still heard, or still hears. */
  | (OfZone & Lasting & { readonly kind: 'isolate-one-way'; readonly client: string; readonly direction: Direction })
  /** Of what reaches a client some comes twice, the second time late. */
  | (OfZone & Lasting & { readonly kind: 'repeat-messages'; readonly client: string })
  /** Of the log that reaches a client some comes with a bit flipped. */
  | (OfZone & Lasting & { readonly kind: 'corrupt-frames'; readonly client: string })
  /** Every connection breaks once, and the server goes on. */
  | (At & { readonly kind: 'break-connections' })
  /** The server dies with what it had not passed on, and is started again after `forMs`. */
  | (At & Lasting & { readonly kind: 'restart-broker' })
  | (OfZone & Lasting & { readonly kind: 'slow'; readonly client: string; readonly factor: number })
  | (At & Lasting & { readonly kind: 'store-outage' })
  /** All that the store is asked takes so many times as long. */
  | (At & Lasting & { readonly kind: 'slow-store'; readonly factor: number })
  /** A bit of an object flips in the store, for good. Beyond what is promised: its checksum must tell, and no more. */
  | (At & { readonly kind: 'rot-object' })
  /** The store refuses all, because nobody has renewed the credentials. */
  | (At & Lasting & { readonly kind: 'expire-credentials' })
  /** The next syncs, reads or writes of the zone's disk fail with EIO. */
  | (OfZone & { readonly kind: 'fail-sync' | 'fail-reads' | 'fail-writes'; readonly count: number })
  /** Syncs of its log are told to have been made, and are not. What comes of it shows when power is lost before it ends. */
  | (OfZone & Lasting & { readonly kind: 'lie-about-syncs' })
  | (OfZone & Lasting & { readonly kind: 'full-disk' })
  | (OfZone & { readonly kind: 'set-clock'; readonly byMs: number })
  /** The clock of its host goes at another rate, and with it all timers. */
  | (OfZone & Lasting & { readonly kind: 'drift-clock'; readonly ppm: number })
  /** Timers fire late, while messages come as ever. */
  | (OfZone & Lasting & { readonly kind: 'late-timers'; readonly meanMs: number })
  /** Somebody gives the endpoint an order, perhaps several times. What undoes it may come late or never; healing does it then. */
  | (At & { readonly kind: 'order'; readonly order: Order; readonly times: number })
  /** The endpoint is told that a zone is down, which may be the one where its compute lives: two computes then compete. */
  | (OfZone & Lasting & { readonly kind: 'presume-down' })

export type FaultKind = Fault['kind']

/** A zone's connections: '' stands for all of them, '.bus' for that of its actors. */
export const BUS_CLIENTS = ['', '.bus', '.lane', '.safekeeper', '.safekeeper-lane'] as const

/** Of every kind, checked by the compiler: what is not here is never drawn. */
const KINDS: Readonly<Record<FaultKind, true>> = {
  'kill-zone': true,
  'lose-power': true,
  'lose-disk': true,
  'rot-disk': true,
  'misplace-write': true,
  'lose-everything': true,
  'kill-postgres': true,
  'stop-zone': true,
  'rolling-restart': true,
  'pause-zone': true,
  cut: true,
  isolate: true,
  'isolate-one-way': true,
  'repeat-messages': true,
  'corrupt-frames': true,
  'break-connections': true,
  'restart-broker': true,
  slow: true,
  'store-outage': true,
  'slow-store': true,
  'rot-object': true,
  'expire-credentials': true,
  'fail-sync': true,
  'fail-reads': true,
  'fail-writes': true,
  'lie-about-syncs': true,
  'full-disk': true,
  'set-clock': true,
  'drift-clock': true,
  'late-timers': true,
  order: true,
  'presume-down': true,
}
export const FAULT_KINDS = Object.keys(KINDS) as readonly FaultKind[]

/**
 * A small world for tests of a compute's way to the log: a bus inside this process, safekeepers that keep the real
 * acceptor's promises on a disk made of one buffer, and an object store in memory; the fake NATS
 * server is in testing-nats.ts. Everything stands still unless the test or a message moves it. Never used by Loch.
 */
import { chainOver } from '../../events/frame.ts'
import type { Term, ZoneId } from '../../events/identifiers.ts'
import type { TermHistory } from '../../events/safekeeper-wire.ts'
import type { IndexSnapshot, TermGrant } from '../../events/timeline.ts'
import { logKey } from '../log/keys.ts'
import { MemoryStore } from '../log/testing.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import { realTimers } from '../system/timers.ts'
import type { Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { entriesEnd, frameOf, MemoryBus, PROJECT, SEED, TIMELINE, WRITER, ZONES } from './testing-log.ts'
import { type Disk, FakeSafekeeper } from './testing-safekeeper.ts'

/** One timeline with a safekeeper in each of three zones, seen by a compute in zone-1. */
export class ReignWorld {
  readonly bus = new MemoryBus()
  readonly store = new MemoryStore()
  readonly reported: string[] = []
  ids = 0
  nowMs = 1_000

  /** One safekeeper per disk; the others do not exist yet. */
  open(...disks: ReadonlyArray<Disk | undefined>): readonly FakeSafekeeper[] {
    return ZONES.slice(0, disks.length).map((zone, at) => new FakeSafekeeper(this.bus, zone, disks[at]))
  }

  get ports(): ReignPorts {
    return {
      bus: this.bus,
      lane: this.bus,
      store: this.store as unknown as ObjectStoreShape,
      project: PROJECT,
      timeline: TIMELINE,
      zones: ZONES,
      zone: 'zone-1',
      compute: 'main-1',
      writer: WRITER,
      nowMs: () => this.nowMs,
      monotonicMs: () => this.nowMs,
      timers: realTimers,
      newId: () => String(++this.ids),
      report: (line) => this.reported.push(line),
    }
  }

  /** All disks have joined: what a disk does that has not, joining.test.ts shows. */
  grant(term: number, durability: TermGrant['durability'] = 'archived', snapshot?: IndexSnapshot): TermGrant {
    const zones = ZONES as unknown as readonly ZoneId[]
    const disks = Object.fromEntries(ZONES.map((zone) => [zone, zone]))
    const grant = { type: 'TermGranted', at: this.nowMs, term: term as Term, zones, durability, disks } as const
    return snapshot === undefined ? grant : { ...grant, snapshot }
  }

  /** The reign of `term` over the log `bytes`, written by `history`, which `holders` have whole. */
  reign(term: number, bytes: Buffer, history: TermHistory, holders: readonly string[]): Reign {
    const place = { position: bytes.length, chain: chainOver(bytes, SEED) }
    return {
      term,
      grant: this.grant(term),
      disks: new Map(ZONES.map((zone) => [zone, zone])),
      tail: { source: holders[0] ?? 'archive', lastTerm: history.at(-1)?.term ?? 0, ...place, history },
      history: [...history, { term, begin: bytes.length }],
      base: { term: 0, position: 0, chain: SEED },
      archived: { position: 0, chain: SEED },
      dutyZone: 'zone-2',
      holders,
      electedAtMs: 0,
      predecessorsEndAtMs: 0,
    }
  }

  /** Puts log under its name into the object store, in objects of `bytesMax`. */
  archive(bytes: Buffer, term: number, begin: number, chainBefore: number, bytesMax = bytes.length): void {
    let chain = chainBefore
    for (let at = 0; at < bytes.length; ) {
      const end = entriesEnd(bytes, at, bytesMax)
      const payload = bytes.subarray(at, end)
      this.store.objects.set(logKey(TIMELINE, term, begin + at), frameOf(payload, term, begin + at, chain))
      chain = chainOver(payload, chain)
      at = end
    }
  }
}

export * from './testing-log.ts'
export { NatsPeer, NatsServer, type Published } from './testing-nats.ts'
export { type Disk, FakeSafekeeper } from './testing-safekeeper.ts'

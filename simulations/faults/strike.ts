/**
 * Makes faults happen to a cluster, and heals it again. What a fault does may depend on its data alone, never on what the
 * cluster is doing: then removing one from a plan leaves the others as they were.
 */
import type { SimCluster } from '../cluster/sim-cluster.ts'
import { type SimZone, safekeeperDirectory } from '../cluster/sim-zone.ts'
import { type Kernel, WORLD } from '../kernel/kernel.ts'
import type { Fault } from './fault.ts'
import { isOfLog } from './log-records.ts'
import { misplace } from './misplace.ts'
import { rot } from './rot.ts'

/** So long a failed sync may take to be told, by a safekeeper that is fetching what it missed. */
const NOTICED_WITHIN_MS = 5_000

export function strike(cluster: SimCluster, fault: Fault): void {
  const { kernel, network, bucket } = cluster
  switch (fault.kind) {
    case 'kill-zone':
      down(kernel, zoneOf(cluster, fault), fault.forMs, (zone) => zone.kill())
      break
    case 'lose-power':
      down(kernel, zoneOf(cluster, fault), fault.forMs, (zone) => zone.losePower())
      break
    case 'lose-disk':
      down(kernel, zoneOf(cluster, fault), fault.forMs, (zone) => zone.loseDisk())
      break
    case 'rot-disk':
      down(kernel, zoneOf(cluster, fault), fault.forMs, (zone) => {
        zone.losePower()
        rot(zone.disk, safekeeperDirectory(cluster.project.timeline), kernel.draws)
      })
      break
    case 'misplace-write':
      down(kernel, zoneOf(cluster, fault), fault.forMs, (zone) => {
        zone.losePower()
        misplace(zone.disk, safekeeperDirectory(cluster.project.timeline), kernel.draws)
      })
      break
    case 'lose-everything':
      for (const zone of cluster.zones) {
        down(kernel, zone, fault.forMs, () => (fault.disks ? zone.loseDisk() : zone.losePower()))
      }
      break
    case 'kill-postgres':
      cluster.killPostgres()
      break
    case 'stop-zone': {
      const zone = zoneOf(cluster, fault)
      // Whoever stops it starts it again some time after it is gone, however long that takes.
      void zone.stop().then(() => lasting(kernel, zone, 'down', fault.forMs, () => zone.start()))
      break
    }
    case 'rolling-restart':
      void cluster.rollingRestart(fault.pauseMs)
      break
    case 'pause-zone':
      zoneOf(cluster, fault).pause(kernel.nowMs + fault.forMs)
      break
    case 'cut': {
      const name = clientOf(cluster, fault)
      network.cut(name)
      kernel.after(WORLD, fault.forMs, () => network.endCut(name))
      break
    }
    case 'isolate':
      network.isolate(clientOf(cluster, fault), kernel.nowMs + fault.forMs)
      break
    case 'isolate-one-way':
      network.isolate(clientOf(cluster, fault), kernel.nowMs + fault.forMs, [fault.direction])
      break
    case 'repeat-messages':
      network.repeat(clientOf(cluster, fault), kernel.nowMs + fault.forMs)
      break
    case 'corrupt-frames':
      network.corrupt(clientOf(cluster, fault), kernel.nowMs + fault.forMs)
      break
    case 'break-connections':
      network.breakConnections()
      break
    case 'restart-broker':
      network.restartServer(kernel.nowMs + fault.forMs)
      break
    case 'slow':
      network.slow(clientOf(cluster, fault), fault.factor, kernel.nowMs + fault.forMs)
      break
    case 'store-outage':
      bucket.outage(kernel.nowMs + fault.forMs)
      break
    case 'slow-store':
      bucket.slow(fault.factor, kernel.nowMs + fault.forMs)
      break
    case 'rot-object':
      bucket.rot(kernel.draws)
      break
    case 'expire-credentials':
      bucket.expireCredentials(kernel.nowMs + fault.forMs)
      break
    case 'fail-sync':
      zoneOf(cluster, fault).disk.syncsToFail += fault.count
      break
    case 'fail-reads':
      zoneOf(cluster, fault).disk.readsToFail += fault.count
      break
    case 'fail-writes':
      zoneOf(cluster, fault).disk.writesToFail += fault.count
      break
    case 'lie-about-syncs': {
      const { disk } = zoneOf(cluster, fault)
      // One that forgets a vote lets two writers commit, and nothing that can be built on it would help.
      disk.liesAbout = isOfLog
      disk.syncsToLie = Number.POSITIVE_INFINITY
      lasting(kernel, disk, 'lying', fault.forMs, () => {
        disk.syncsToLie = 0
      })
      break
    }
    case 'full-disk': {
      const { disk } = zoneOf(cluster, fault)
      disk.isFull = true
      lasting(kernel, disk, 'full', fault.forMs, () => {
        disk.isFull = false
      })
      break
    }
    case 'set-clock':
      zoneOf(cluster, fault).clock.jump(fault.byMs)
      break
    case 'drift-clock': {
      const zone = zoneOf(cluster, fault)
      zone.drift(fault.ppm)
      lasting(kernel, zone, 'drifting', fault.forMs, () => zone.steady())
      break
    }
    case 'late-timers':
      zoneOf(cluster, fault).timersLate(fault.meanMs, kernel.nowMs + fault.forMs)
      break
    case 'order':
      cluster.order(fault.order, fault.times)
      break
    case 'presume-down': {
      const zone = zoneOf(cluster, fault)
      const { name } = zone
      cluster.tellEndpoint({ type: 'ZoneDown', at: 0, zone: name })
      lasting(kernel, zone, 'presumed down', fault.forMs, () =>
        cluster.tellEndpoint({ type: 'ZoneUp', at: 0, zone: name }),
      )
      break
    }
  }
}

/**
 * Ends every condition. Zones that are down come back; a safekeeper that has withdrawn for damage is restarted, as people do, and
 * so is one that withdraws a little later for what its disk did before.
 */
export function heal(cluster: SimCluster): void {
  cluster.network.heal()
  cluster.bucket.heal()
  cluster.settle()
  for (const zone of cluster.zones) {
    zone.disk.heal()
    zone.steady()
    zone.unload()
    if (isDamaged(zone)) zone.kill()
    zone.resume()
    zone.start()
  }
  cluster.kernel.after(WORLD, NOTICED_WITHIN_MS, () => {
    for (const zone of cluster.zones.filter(isDamaged)) {
      zone.kill()
      zone.start()
    }
  })
}

function isDamaged(zone: SimZone): boolean {
  return zone.safekeeper?.status().state === 'damaged'
}

function zoneOf({ zones }: SimCluster, { zone }: { readonly zone: number }): SimZone {
  return zones[zone % zones.length]!
}

function clientOf(cluster: SimCluster, fault: { readonly zone: number; readonly client: string }): string {
  return `${zoneOf(cluster, fault).name}${fault.client}`
}

function down(kernel: Kernel, zone: SimZone, forMs: number, end: (zone: SimZone) => void): void {
  end(zone)
  lasting(kernel, zone, 'down', forMs, () => zone.start())
}

/**
 * Calls `end` after `forMs`, unless a condition of this kind that began meanwhile is to last longer: then that one's end counts. So
 * to leave out one of two faults that overlap does not make the other shorter.
 */
function lasting(kernel: Kernel, of: object, condition: string, forMs: number, end: () => void): void {
  const untilMs = kernel.nowMs + forMs
  const ends = ENDS.get(of) ?? new Map<string, number>()
  ENDS.set(of, ends.set(condition, Math.max(ends.get(condition) ?? 0, untilMs)))
  kernel.after(WORLD, forMs, () => {
    if (ends.get(condition)! <= kernel.nowMs) end()
  })
}

/** Of what is being befallen, when each of its conditions ends. Nothing of it outlives the run that its keys belong to. */
const ENDS = new WeakMap<object, Map<string, number>>()

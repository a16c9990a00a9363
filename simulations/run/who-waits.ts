/** What a run that does not get on says: who is in which state. It only looks. */
import type { SimCluster } from '../cluster/sim-cluster.ts'

export function whoWaits(cluster: SimCluster): string {
  return cluster.zones.map((zone) => `${zone.name} ${zone.isUp ? `up, ${zone.describe()}` : 'down'}`).join('; ')
}

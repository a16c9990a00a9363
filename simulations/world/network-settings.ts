/** What kind of network a simulation has: how long messages take, and what becomes of those that a break overtakes. */
import type { Draws } from '../kernel/draws.ts'
import type { Latency } from './latency.ts'

export interface NetworkSettings {
  readonly latency: Latency
  readonly bytesPerMs: number
  /** Bytes that wait for one client; beyond, it is a slow consumer and is cut off. */
  readonly pendingBytesMax: number
  /** How often something of what was on its way survives a break. */
  readonly survivorShare: number
  /** How much later it arrives. */
  readonly lateMeanMs: number
  /** A client gives up a connection on which it heard nothing for this long; the server waits twice as long. */
  readonly silenceMaxMs: number
  /** To reconnect takes this long, in the mean. What a client publishes meanwhile goes out once it is connected. */
  readonly dialMeanMs: number
}

export const NETWORK_SETTINGS: NetworkSettings = {
  latency: { minMs: 0.05, meanMs: 0.15, tailShare: 0.005, tailMeanMs: 10 },
  // 1 Gbit/s.
  bytesPerMs: 125_000,
  // As the embedded broker's (broker/limits.ts).
  pendingBytesMax: 64 * 1024 * 1024,
  survivorShare: 0.5,
  lateMeanMs: 200,
  // Three pings at the interval of nats.ts.
  silenceMaxMs: 30_000,
  dialMeanMs: 0,
}

/** A network of this seed's own kind: quick or slow, even or with long tails, forgetful or not. */
export function drawNetworkSettings(draws: Draws): NetworkSettings {
  const meanMs = draws.pick('network.settings.mean', [0.05, 0.15, 0.5, 2])
  const tailShare = draws.pick('network.settings.tail', [0, 0.002, 0.02])
  return {
    ...NETWORK_SETTINGS,
    latency: { minMs: meanMs / 3, meanMs, tailShare, tailMeanMs: draws.pick('network.settings.tail-mean', [5, 50]) },
    // The smallest is little more than what a safekeeper is sent at once, so that some consumers are slow.
    pendingBytesMax: draws.pick('network.settings.pending', [128, 8 * 1024, 64 * 1024]) * 1024,
    survivorShare: draws.pick('network.settings.survivors', [0, 0.5, 1]),
    lateMeanMs: draws.pick('network.settings.late', [1, 200, 2_000]),
    dialMeanMs: draws.pick('network.settings.dial', [0, 5, 100]),
  }
}

/** A simulated network for tests, clients by name, and what they hear. Nothing outside of tests may use it. */
import type { Lane } from '../../runtime/bus/fast-lane.ts'
import type { Process } from '../kernel/kernel.ts'
import { Network } from './network.ts'
import type { NetworkSettings } from './network-settings.ts'
import { kernelOf, pass, processOf } from './testing.ts'

export const bytes = (text: string) => Buffer.from(text)
export const text = (data: Uint8Array) => Buffer.from(data).toString()

/** A network, and clients by name, each of a process with the same name. */
export function world(seed = 1, settings: Partial<NetworkSettings> = {}) {
  const kernel = kernelOf(seed)
  const network = new Network(kernel, settings)
  const processes = new Map<string, Process>()
  const processNamed = (name: string) => processes.get(name) ?? processes.set(name, processOf(name)).get(name)!
  const connect = (name: string) => network.connect(processNamed(name), name)
  return { kernel, network, processNamed, connect, pass: (ms: number) => pass(kernel, ms) }
}

/** What `bus` hears about `subject`, as text. */
export function heard(bus: Lane, subject: string) {
  const seen: string[] = []
  bus.subscribe(subject, ({ data }) => seen.push(text(data)))
  return seen
}

export const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, at) => String(from + at))

/** Reads what `settings.ts` wants to know of the host. Kept apart so that the choice of settings stays pure. */
import { statfsSync } from 'node:fs'
import { totalmem } from 'node:os'
import type { HostMemory } from './settings.ts'

/** Memory that this process may use, and the size of /dev/shm. */
export function hostMemory(): HostMemory {
  // 0 where no control group limits us, and close to 2^64 where one exists without a limit.
  const limit = process.constrainedMemory()
  const total = totalmem()
  return { memoryBytes: limit > 0 && limit < total ? limit : total, sharedMemoryBytes: sharedMemoryBytes() }
}

function sharedMemoryBytes(): number {
  try {
    const statistics = statfsSync('/dev/shm')
    return statistics.blocks * statistics.bsize
  } catch {
    return 0
  }
}

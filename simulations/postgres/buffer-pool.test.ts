/** Shared buffers that are fewer than the pages asked for at once. */
import { expect, test } from 'vitest'
import { SeededDraws } from '../kernel/draws.ts'
import { BufferPool } from './buffer-pool.ts'
import type { SimMount } from './mount.ts'

const READS_MAX = 1_000

/** Files without content, which are read at once: nothing but other promises comes in between. */
function emptyFiles(): { readonly mount: SimMount; readonly reads: () => number } {
  let reads = 0
  const read = async () => {
    if (++reads > READS_MAX) throw new Error('the same pages are read again and again')
    for (let turns = reads % 7; turns > 0; turns--) await undefined
    return Buffer.alloc(0)
  }
  return { mount: { lookup: async () => 1, read } as unknown as SimMount, reads: () => reads }
}

test('whoever loads a page gets it, however many others load theirs', async () => {
  const { mount, reads } = emptyFiles()
  const draws = new SeededDraws(1)
  const options = { mount, draws, name: 'pool', pagesMax: 2, flushWal: async () => {}, walEnd: () => 0 }
  const pool = new BufferPool(options)
  const clients = Array.from({ length: 8 }, (_, client) => client)
  await Promise.all(
    clients.map(async (client) => {
      for (let block = 0; block < 20; block++) pool.unpin(await pool.pin({ file: client, block }))
    }),
  )
  expect(reads()).toBe(8 * 20)
})

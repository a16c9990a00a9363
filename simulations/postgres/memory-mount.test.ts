import { describe, expect, test } from 'vitest'
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel } from '../kernel/kernel.ts'
import { MemoryMount } from './memory-mount.ts'
import { PAGE_BYTES } from './page.ts'

const page = (byte: number) => Buffer.alloc(PAGE_BYTES, byte)

/** What a crash left of a file whose first page was fsynced as 1 and then written as 2, and of one never fsynced. */
async function afterCrash(seed: number): Promise<{ first: number; second: number; hasUnsynced: boolean }> {
  const kernel = new Kernel(new SeededDraws(seed), 0)
  const mount = new MemoryMount(kernel)
  const story = async () => {
    const ino = await mount.create('a')
    await mount.write(ino, 0, page(1))
    await mount.fsync(ino)
    await mount.write(ino, 0, page(2))
    await mount.write(ino, PAGE_BYTES, page(3))
    await mount.create('b')
    mount.crash()
    const bytes = await mount.read(await mount.lookup('a'), 0, 2 * PAGE_BYTES)
    return { first: bytes[0]!, second: bytes[PAGE_BYTES] ?? 0, hasUnsynced: (await mount.lookup('b')) !== 0 }
  }
  const told = story()
  await kernel.run(1e6)
  return told
}

describe('a mount in memory', () => {
  test('keeps what was fsynced, and of the rest any combination', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 60; seed++) seen.add(JSON.stringify(Object.values(await afterCrash(seed))))
    expect([...seen].sort()).toEqual([
      '[1,0,false]',
      '[1,0,true]',
      '[1,3,false]',
      '[1,3,true]',
      '[2,0,false]',
      '[2,0,true]',
      '[2,3,false]',
      '[2,3,true]',
    ])
  })
})

import { expect, test } from 'vitest'
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel, WORLD } from '../kernel/kernel.ts'
import { initializeCluster } from './cluster.ts'
import { ControlFile } from './control.ts'
import { Life } from './life.ts'
import { MemoryMount } from './memory-mount.ts'
import { openServer } from './server.ts'
import { DEFAULT_SETTINGS } from './settings.ts'

test('a checkpoint names the files of the moment where redo begins, not later ones whose record may be lost', async () => {
  const kernel = new Kernel(new SeededDraws(1), 0)
  const mount = new MemoryMount(kernel)
  const story = async () => {
    await initializeCluster(mount, 1)
    const panic = (error: unknown) => Promise.reject(error)
    const life = new Life(WORLD)
    const server = await openServer({
      kernel,
      process: WORLD,
      life,
      mount,
      name: 'pg',
      settings: DEFAULT_SETTINGS,
      panic,
    })
    const { wal, relations } = server
    const flush = wal.flush.bind(wal)
    wal.flush = async (lsn) => {
      await flush(lsn)
      const [oldFile] = relations.files
      wal.insert({ kind: 'relation', relation: 0, file: 99_999, oldFile: oldFile! })
      relations.put(0, 99_999)
    }
    await server.checkpointer.checkpoint(false)
    return (await (await ControlFile.open(mount)).read()).files
  }
  const told = story()
  await kernel.run(10_000)
  expect(await told).toEqual([16_384])
})

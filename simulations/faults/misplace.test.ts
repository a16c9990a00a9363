import { expect, test } from 'vitest'
import { openDisk } from '../../runtime/safekeeper/disk-open.ts'
import { Keeper } from '../../runtime/safekeeper/keeper.ts'
import { FrameWriter, TIMELINE } from '../../runtime/safekeeper/testing.ts'
import { append, content, DIRECTORY, FIRST, SMALL } from '../../runtime/safekeeper/testing-disk.ts'
import { type Draws, SeededDraws } from '../kernel/draws.ts'
import { SimDisk } from '../world/sim-disk.ts'
import { kernelOf, processOf } from '../world/testing.ts'
import { misplace } from './misplace.ts'

const open = (disk: SimDisk) => {
  const files = disk.files(processOf('zone-1'))
  const opened = openDisk(files, DIRECTORY, TIMELINE, () => 'disk-1', SMALL)
  return { ...opened, keeper: new Keeper(files, DIRECTORY, 'zone-1', 'zone-1-1', opened) }
}

/** A disk that is believed, with some frames of some lengths, each flushed, after a loss of power. */
function written(draws: SeededDraws): { readonly disk: SimDisk; readonly text: string } {
  const disk = new SimDisk(kernelOf(1))
  const { keeper } = open(disk)
  keeper.remember({ term: 1, hadDisk: false })
  const writer = new FrameWriter(TIMELINE, 1)
  let text = ''
  for (let count = draws.between('test.frames', 1, 30); count > 0; count--) {
    const payload = String.fromCharCode(97 + (count % 26)).repeat(draws.between('test.length', 1, 200))
    append(keeper, writer, payload)
    keeper.log.flush()
    if (draws.chance('test.prepare', 0.3)) keeper.log.prepare()
    text += payload
  }
  disk.crash()
  return { disk, text }
}

test('wherever a write landed that had been flushed, the next opening says that something is lost', () => {
  const places = new Set<string>()
  for (let seed = 0; seed < 400; seed++) {
    const draws = new SeededDraws(seed)
    const { disk, text } = written(draws)
    misplace(disk, DIRECTORY, draws)
    const { damage, keeper, findings } = open(disk)
    expect([seed, damage !== undefined]).toEqual([seed, disk.misplaced === 1])
    expect(keeper.state.fresh).toBe(disk.misplaced === 1)
    expect(text.startsWith(content(keeper))).toBe(true)
    for (const found of findings) places.add(found.includes('control') ? 'control' : 'log')
    if (disk.misplaced === 0) places.add('nothing')
  }
  expect([...places].sort()).toEqual(['control', 'log', 'nothing'])
})

test('a write never lands where it belongs', () => {
  const { disk } = written(new SeededDraws(3))
  const first = <A>(name: string, choices: readonly A[]): A =>
    choices[name === 'disk.misplace.path' ? choices.indexOf(FIRST as A) : 0]!
  misplace(disk, DIRECTORY, { ...new SeededDraws(1), pick: first, between: () => 0 } as unknown as Draws)
  expect(disk.misplaced).toBe(1)
  expect(open(disk).damage).toContain('damaged from position 0 on')
})

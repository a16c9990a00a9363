/** The forks that README.md shows: their events are those of the run that it tells to record, in these very sources. */
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { memorySource } from '../../runtime/replay/byte-source.ts'
import { RunLog } from '../../runtime/replay/open-log.ts'
import { type Alteration, forkOf } from '../fork/fork.ts'
import { generatePlan } from '../plan/generate.ts'
import { SimulationLog } from '../report/simulation-log.ts'
import { runPlan } from '../run/run.ts'

useChecksum((bytes, before) => crc32(bytes, before))

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

function alterationOf(words: string): Alteration {
  const [, flag, json] = /--(drop|change|insert)(?: '(.*)')?/.exec(words)!
  if (flag === 'change') return { kind: 'change', fields: JSON.parse(json!) }
  return flag === 'insert' ? { kind: 'insert', what: JSON.parse(json!) } : { kind: 'drop' }
}

test('forks can be made as they are shown', async () => {
  expect(README).toMatch(/npx loch simulate --seed 42 --log run\.loch/)
  const chunks: Uint8Array[] = []
  const recording = new SimulationLog(generatePlan(42), (chunk) => chunks.push(chunk))
  recording.end(await runPlan(generatePlan(42), recording))
  const log = new RunLog(memorySource(Buffer.concat(chunks)))
  const shown = [...README.matchAll(/--fork run\.loch --at (\S+) (.*)/g)]
  expect(shown.length).toBeGreaterThan(3)
  const [, types] = /--type (\S+) --limit 5 +# find the event/.exec(README)!
  for (const [, at, words] of shown) {
    expect(types!.split(',')).toContain(log.event(forkOf(log, at!, alterationOf(words!)).place).type)
  }
})

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { RunEvent } from '../../events/run-log.ts'
import { reExecute } from './re-execute.ts'
import { openBytes, recordedRun, rewritten } from './testing.ts'

const bytes = await recordedRun()

const changedAt = (sequence: number, change: (event: RunEvent) => Partial<RunEvent>) =>
  reExecute(
    openBytes(rewritten(bytes, (event) => (event.sequence === sequence ? { ...event, ...change(event) } : event))).log,
  )

test('what today’s code decides is what was recorded', () => {
  expect(reExecute(openBytes(bytes).log)).toEqual({ executed: 11, skipped: 0, divergence: undefined })
})

describe('the first difference is shown field by field', () => {
  test('in the outcome', () => {
    const { divergence } = changedAt(18, () => ({ outcome: 'taken', reason: '' }))
    expect(divergence).toMatchObject({ sequence: 18, actor: 'timeline.main@zone-1', type: 'StartTerm' })
    expect(divergence?.differences).toEqual([
      { path: 'outcome', before: 'taken', after: 'refused' },
      { path: 'reason', before: '', after: 'the timeline is being deleted' },
    ])
  })

  test('in the state', () => {
    const { divergence } = changedAt(6, ({ changes }) => ({
      changes: [...changes, [['context', 'remembered', 'term'], 5]],
    }))
    expect(divergence?.differences).toEqual([{ path: 'snapshot.context.remembered.term', before: 5, after: 0 }])
  })

  test('in a fact', () => {
    const fact = (event: RunEvent) => ({ ...event.facts[0]!, payload: { ...event.facts[0]!.payload, term: 7 } })
    const { divergence } = changedAt(11, (event) => ({ facts: [fact(event)] }))
    expect(divergence?.differences).toEqual([{ path: 'facts.0.term', before: 7, after: 1 }])
  })

  test('in an effect', () => {
    const { divergence } = changedAt(14, ({ effects }) => ({ effects: effects.slice(1) }))
    expect(divergence?.sequence).toBe(14)
    expect(divergence?.differences.length).toBeGreaterThan(0)
    expect(divergence?.differences.every(({ path }) => path.startsWith('effects.'))).toBe(true)
  })
})

describe('golden logs', () => {
  const folder = new URL('./fixtures/', import.meta.url)
  const names = readdirSync(folder).filter((name) => name.endsWith('.loch'))

  test('there is one of every version', () => {
    expect(names).toContain('run-log-v1.loch')
  })

  test.each(names)('%s is read and decided as it was', (name) => {
    const { log } = openBytes(readFileSync(new URL(name, folder)))
    expect(log.problem).toBeUndefined()
    const { executed, skipped, divergence } = reExecute(log)
    expect({ skipped, divergence }).toEqual({ skipped: 0, divergence: undefined })
    expect(executed).toBeGreaterThan(10)
  })

  test('the newest is what is written today', () => {
    expect(readFileSync(new URL('run-log-v1.loch', folder)).equals(bytes)).toBe(true)
  })
})

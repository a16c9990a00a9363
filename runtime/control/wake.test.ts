import * as Effect from 'effect/Effect'
import * as Fiber from 'effect/Fiber'
import { describe, expect, it, vi } from 'vitest'
import { Damaged, FormatTooNew, type LochError, NoAnswer, Refused, StoreRefused, StoreUnavailable } from '../errors.ts'
import type { ZoneStatus } from './schemas.ts'
import { explainComputes, wakeUntilTaken } from './wake.ts'

const complaint = { component: 'endpoint.main', value: 'Wake', problem: 'no zone is up', remedy: 'Wait.' }
const patient = { explainAfterMs: Number.POSITIVE_INFINITY, refusedMsMax: Number.POSITIVE_INFINITY }

/** Fails with each of `errors` in turn, then is taken. */
function order(...errors: readonly LochError[]): Effect.Effect<string, LochError> {
  const left = [...errors]
  return Effect.suspend(() => {
    const error = left.shift()
    return error === undefined ? Effect.succeed('taken') : Effect.fail(error)
  })
}

describe('waking', () => {
  it('outlasts what passes', async () => {
    const passing = [new NoAnswer(complaint), new StoreUnavailable(complaint), new Refused(complaint)]
    const reports: string[] = []
    await Effect.runPromise(wakeUntilTaken(order(...passing), (line) => reports.push(line), patient))
    expect(reports).toEqual([])
  })

  it.each([Damaged, FormatTooNew, StoreRefused])('fails at once with what does not: %o', async (Permanent) => {
    const error = new Permanent(complaint)
    const attempt = Effect.flip(wakeUntilTaken(order(new NoAnswer(complaint), error), () => {}, patient))
    expect(await Effect.runPromise(attempt)).toBe(error)
  })

  it('fails with a refusal that lasts, counted anew after any other answer', async () => {
    const [early, late] = [new Refused(complaint), new Refused({ ...complaint, problem: 'it is disabled' })]
    const limits = { ...patient, refusedMsMax: 1 }
    const attempt = Effect.flip(wakeUntilTaken(order(early, new NoAnswer(complaint), late, late), () => {}, limits))
    expect(await Effect.runPromise(attempt)).toBe(late)
  })

  it('says what it waits for, once for each reason', async () => {
    const [one, other] = [new NoAnswer(complaint), new NoAnswer({ ...complaint, problem: 'the leader is busy' })]
    const reports: string[] = []
    const limits = { ...patient, explainAfterMs: 0 }
    await Effect.runPromise(wakeUntilTaken(order(one, one, other), (line) => reports.push(line), limits))
    expect(reports).toEqual([expect.stringContaining('no zone is up'), expect.stringContaining('the leader is busy')])
  })
})

describe('a compute that does not come', () => {
  it('is explained whenever the explanation changes', async () => {
    const compute = { id: 'main-1', state: 'attaching', problem: 'the store is down' } as ZoneStatus['computes'][number]
    const reports: string[] = []
    let computes: ZoneStatus['computes'] = []
    const statuses = vi.fn(async () => [{ computes } as unknown as ZoneStatus])
    const fiber = Effect.runFork(explainComputes(statuses, (line) => reports.push(line), 1))
    const calls = (count: number) => vi.waitFor(() => expect(statuses.mock.calls.length).toBeGreaterThan(count))
    await calls(3)
    computes = [compute]
    await calls(statuses.mock.calls.length + 3)
    await Effect.runPromise(Fiber.interrupt(fiber))
    expect(reports).toEqual([
      expect.stringContaining('no zone runs one yet'),
      expect.stringContaining('main-1 is attaching: the store is down'),
    ])
  })
})

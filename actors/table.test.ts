import * as Schema from 'effect/Schema'
import { describe, expect, test } from 'vitest'
import { variant } from '../events/envelope.ts'
import { compute } from './compute/machine.ts'
import { type BaseContext, type Change, defineActor, type RecordEffect, step } from './definition.ts'
import { endpoint } from './endpoint/machine.ts'
import { safekeeper } from './safekeeper/machine.ts'
import { ignored, refused, type Table, when } from './table.ts'
import { timeline } from './timeline/machine.ts'
import { zone } from './zone/machine.ts'

const LampEvent = Schema.Union([variant('Press', { force: Schema.Number }), variant('Smash', {}), variant('Lit', {})])
type LampEvent = typeof LampEvent.Type
type Press = Extract<LampEvent, { readonly type: 'Press' }>
interface LampContext extends BaseContext {
  readonly remembered: number
}
type LampEffect = RecordEffect<LampEvent> | { readonly type: 'click'; readonly force: number }

const guards = { isWeak: (_: LampContext, event: Press) => event.force < 1 }
const actions = {
  click: (_: LampContext, event: Press): Change<LampContext, LampEffect> => ({
    effects: [{ type: 'click', force: event.force }],
  }),
  light: (context: LampContext): Change<LampContext, LampEffect> => ({
    context: { ...context, remembered: context.remembered + 1 },
  }),
  recordLit: (_: LampContext, event: LampEvent): Change<LampContext, LampEffect> => ({
    effects: [{ type: 'record', event: { type: 'Lit', at: event.at } }],
  }),
}
type LampTable = Table<'off' | 'on.bright', LampEvent, typeof guards, typeof actions>

const on = {
  Press: { to: 'off', do: ['click', 'light'] },
  Smash: refused('it is hot', 'Fenced'),
  Lit: ignored('it is lit'),
} as const
const table: LampTable = {
  off: {
    Press: [when('isWeak', ignored('too weak')), { to: 'on.bright', do: ['click', 'light'] }],
    Smash: { do: ['recordLit'] },
    Lit: { do: ['recordLit'] },
  },
  'on.bright': on,
}
const lamp = (facts: ReadonlyArray<LampEvent['type']>) =>
  defineActor<LampEffect>()({
    kind: 'lamp',
    states: ['off', 'on.bright'] as const,
    schema: LampEvent,
    facts,
    unpublished: [],
    contextOf: (remembered: number): LampContext => ({ remembered, timers: {} }),
    onTimer: (_, at) => ({ type: 'Smash', at }),
    termOf: () => 0,
    summary: () => ({}),
    table,
    guards,
    actions,
  })

describe('the machine generated from a table', () => {
  const plain = lamp([])

  test('goes where the first verdict that holds says, nested states included', () => {
    const off = plain.begin(0)
    expect(off).toEqual({ state: 'off', context: { remembered: 0, timers: {} } })
    const lit = step(plain, off, { type: 'Press', at: 1, force: 2 })
    expect(lit).toMatchObject({
      snapshot: { state: 'on.bright', context: { remembered: 1 } },
      outcome: { kind: 'taken' },
    })
    expect(lit.effects).toEqual([{ type: 'click', force: 2 }])
    expect(step(plain, lit.snapshot, { type: 'Press', at: 2, force: 2 }).snapshot.state).toBe('off')
  })

  test('says why it ignores or refuses, and leaves the snapshot alone', () => {
    const off = plain.begin(0)
    const weak = step(plain, off, { type: 'Press', at: 1, force: 0 })
    expect(weak).toEqual({ snapshot: off, effects: [], outcome: { kind: 'ignored', reason: 'too weak' } })
    const hot = step(plain, { ...off, state: 'on.bright' }, { type: 'Smash', at: 1 })
    expect(hot.outcome).toEqual({ kind: 'refused', reason: 'it is hot', as: 'Fenced' })
  })

  test('calls it a defect when a command changes what only facts may change', () => {
    const journaled = lamp(['Lit'])
    expect(() => step(journaled, journaled.begin(0), { type: 'Press', at: 1, force: 2 })).toThrow(
      'only facts may change',
    )
    expect(() => step(journaled, journaled.begin(0), { type: 'Lit', at: 1 })).toThrow('record another')
  })

  test('cannot be written with a cell missing, or with an action that does not understand its event', () => {
    // @ts-expect-error: `Lit` is missing
    const missing: LampTable['off'] = { Press: {}, Smash: {} }
    // @ts-expect-error: `click` understands only `Press`
    const misunderstood: LampTable['off'] = { Press: {}, Smash: { do: ['click'] }, Lit: {} }
    // @ts-expect-error: there is no state `broken`
    const nowhere: LampTable['off'] = { Press: {}, Smash: { to: 'broken' }, Lit: {} }
    // @ts-expect-error: the last verdict must hold always
    const open: LampTable['off'] = { Press: [when('isWeak', {})], Smash: {}, Lit: {} }
    expect([missing, misunderstood, nowhere, open]).toHaveLength(4)
  })
})

test.each([zone, safekeeper, timeline, compute, endpoint])('the table of $kind has a row for each state', (actor) => {
  const listed = new Set(actor.states.map((state) => state.split('.')[0]))
  expect(new Set(Object.keys(actor.machine.states))).toEqual(listed)
})

/** `moveOf` leaves out work of XState's; what comes of an event must be what XState's own `transition` says. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { transition } from 'xstate'
import { machineOf, moveOf, nestedValue, stateName } from './machine-of.ts'

const TYPES = ['Add', 'Twice', 'Flip', 'Enter', 'Again', 'Ignore', 'Refuse', 'Unknown']
const STATES = ['idle', 'busy.slow', 'busy.fast']

interface Counter {
  readonly count: number
}

const add = (context: unknown, _: unknown, state: string) => {
  const count = (context as Counter).count + 1
  return { context: { count }, effects: [{ type: 'added', count, state }] }
}
const cells = {
  Add: { do: ['add'] },
  Twice: { do: ['add', 'add'] },
  Flip: [{ when: 'isOdd', to: 'idle', do: ['add'] }, { do: ['say'] }],
  Enter: { to: 'busy.fast', do: ['add'] },
  Again: { to: 'busy.slow' },
  Ignore: { ignored: 'nothing to do' },
  Refuse: [{ when: 'isOdd', refused: 'odd', as: 'Refused' as const }, { ignored: 'even' }],
}
const machine = machineOf({
  kind: 'counter',
  initial: 'idle',
  table: Object.fromEntries(STATES.map((state) => [state, cells])),
  guards: { isOdd: (context) => (context as Counter).count % 2 === 1 },
  actions: { add, say: () => ({ effects: [{ type: 'said' }] }) },
})

test('a move is what the transition of XState says', () => {
  const move = moveOf(machine)
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...TYPES), { maxLength: 20 }), (types) => {
      let [state, context]: [string, unknown] = ['idle', { count: 0 }]
      for (const type of types) {
        const before = machine.resolveState({ value: nestedValue(state), context })
        const [after, actions] = transition(machine, before, { type })
        const params = (of: string) => actions.filter((action) => action.type === of).map((action) => action.params)
        const [verdict] = params('verdict')
        const moved = move(state, context, { type })
        const expected = { state: stateName(after.value), context: after.context, effects: params('effect'), verdict }
        expect(moved).toEqual(expected)
        state = moved.state
        context = moved.context
      }
    }),
  )
})

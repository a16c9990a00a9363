/**
 * The zone's transition table. The states are what a zone thinks of itself: it cannot know what others think of it, but
 * a zone that has not seen a majority for as long as it takes to be declared down must assume that it was.
 */
import type { ZoneEvent, ZoneState } from '../../events/zone.ts'
import { ignored, type Table, when } from '../table.ts'
import type { actions, guards } from './decide.ts'

const stranger = when('isStranger', ignored('not a peer of this cluster'))
const olderLife = when('isOlderLife', ignored('sent by a former life of that zone'))
const hear = [stranger, olderLife, { do: ['hear', 'findLeader'] }] as const
const drain = { to: 'draining', do: ['findLeader', 'beat'] } as const

const tick = ['findLeader', 'findDown', 'beat'] as const
const together = when('seesMajority', { to: 'up', do: ['noteMajority', ...tick] as const })

export const table: Table<ZoneState, ZoneEvent, typeof guards, typeof actions> = {
  joining: {
    Heartbeat: hear,
    Tick: [together, { do: tick }],
    Drain: drain,
    Undrain: ignored('it does not drain'),
  },
  up: {
    Heartbeat: hear,
    Tick: [together, { to: 'suspected', do: tick }],
    Drain: drain,
    Undrain: ignored('it does not drain'),
  },
  suspected: {
    Heartbeat: hear,
    Tick: [together, when('isolatedLong', { to: 'down', do: tick }), { do: tick }],
    Drain: drain,
    Undrain: ignored('it does not drain'),
  },
  down: {
    Heartbeat: hear,
    Tick: [together, { do: tick }],
    Drain: drain,
    Undrain: ignored('it does not drain'),
  },
  draining: {
    Heartbeat: hear,
    Tick: { do: tick },
    Drain: ignored('it drains already'),
    Undrain: { to: 'joining', do: ['findLeader', 'beat'] },
  },
}

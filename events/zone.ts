/**
 * What is said to a zone about itself and its peers. Zones journal nothing: what they know is who was heard when, which
 * is worthless after a restart.
 */
import * as Schema from 'effect/Schema'
import { Count, variant } from './envelope.ts'
import { ZoneId } from './identifiers.ts'

export const ZoneState = Schema.Literals(['joining', 'up', 'suspected', 'down', 'draining'])
export type ZoneState = typeof ZoneState.Type

/** What a zone publishes about itself every heartbeat interval. */
export const Heartbeat = variant('Heartbeat', {
  from: ZoneId,
  /** Zones that the sender has heard within the suspicion time, itself included. */
  sees: Schema.Array(ZoneId),
  state: ZoneState,
  /** Differs for every life of the zone's process: computes of a former life are gone. */
  incarnation: Count,
})
export type Heartbeat = typeof Heartbeat.Type

export const ZoneEvent = Schema.Union([
  Heartbeat,
  variant('Tick', {}),
  /** Stop taking part in decisions, for maintenance. */
  variant('Drain', {}),
  variant('Undrain', {}),
])
export type ZoneEvent = typeof ZoneEvent.Type

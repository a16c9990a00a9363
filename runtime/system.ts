/**
 * The one loop of the control plane: receive → transition → persist → act. A System hosts actors of any kind; everything
 * it touches comes in through `SystemPorts` (system/ports.ts), so production and the simulator run this very file. No
 * clock, timer, random number or transport may be reached from here except through a port. The steps of the loop are in
 * system/hosted-actor.ts.
 *
 * Messages to an actor go to `loch.<project>.actor.<kind>.<id>`, what happened to it is published on
 * `loch.<project>.events.<kind>.<id>`; both carry envelopes (events/envelope.ts).
 */
import * as Effect from 'effect/Effect'
import type { ActorEffect, BaseContext, Definition } from '../actors/definition.ts'
import type { ActorEvent } from '../events/envelope.ts'
import { isLochError, type LochError } from './errors.ts'
import { HostedActor } from './system/hosted-actor.ts'
import type { ActorInspection, Perform, SystemPorts } from './system/ports.ts'

export { CONFLICTS_MAX, HostedActor, QUEUE_LENGTH_MAX } from './system/hosted-actor.ts'
export * from './system/ports.ts'

export class System {
  readonly #ports: SystemPorts
  readonly #actors = new Map<string, { inspect: () => ActorInspection; stop: () => Promise<void> }>()

  constructor(ports: SystemPorts) {
    this.#ports = ports
  }

  /**
   * Hosts `<definition.kind>.<id>`: folds its journal if it keeps one, and from then on takes its messages. Errors: those
   * of the journal (Damaged, FormatTooNew, StoreUnavailable, StoreRefused). Hosting an actor twice at once is a defect.
   */
  host<Input, State extends string, Context extends BaseContext, Event extends ActorEvent, Eff extends ActorEffect>(
    definition: Definition<Input, State, Context, Event, Eff>,
    id: string,
    input: Input,
    perform: Perform<State, Context, Event, Eff>,
  ): Effect.Effect<HostedActor<State, Context, Event, Eff>, LochError> {
    return Effect.suspend(() => {
      const actor = new HostedActor(this.#ports, definition, id, definition.begin(input), perform)
      if (this.#actors.has(actor.actor)) throw new Error(`${actor.actor} is hosted already`)
      this.#actors.set(actor.actor, actor)
      return Effect.tryPromise({ try: () => actor.open(), catch: asLochError }).pipe(
        Effect.tapError(() => Effect.sync(() => this.#actors.delete(actor.actor))),
        Effect.as(actor),
      )
    })
  }

  /** Ends hosting `<kind>.<id>`; does nothing if it is not hosted. Effects under way are not undone. */
  async release(actor: string): Promise<void> {
    await this.#actors.get(actor)?.stop()
    this.#actors.delete(actor)
  }

  /** What is hosted here, in the order in which hosting began. */
  inspect(): ReadonlyArray<ActorInspection> {
    return [...this.#actors.values()].map((actor) => actor.inspect())
  }

  /** Releases all. */
  async stop(): Promise<void> {
    await Promise.all([...this.#actors.keys()].map((actor) => this.release(actor)))
  }
}

/** Anything else than an error of the closed set is a defect, and stays one. */
function asLochError(error: unknown): LochError {
  if (isLochError(error)) return error
  throw error
}

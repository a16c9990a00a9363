/**
 * The NATS server of an instance that was not given one: opened, and opened again on the same port with the same
 * credentials when it dies, so that every client comes back by itself. If nats-server will not come back, the embedded
 * broker takes its place: to clients they are the same.
 */
import * as Effect from 'effect/Effect'
import type * as Scope from 'effect/Scope'
import { backoffMs } from '../../actors/backoff.ts'
import { type LocalBroker, openBroker } from '../bus/spawn.ts'
import { type AddressTaken, describe, type HostUnfit } from '../errors.ts'
import { generatePassword } from '../postgres/credentials.ts'

export interface KeptBroker {
  readonly kind: LocalBroker['kind']
  /** With credentials. */
  readonly url: string
}

/** Everybody on this host can connect to a local port, so even here nobody gets in without a password. */
const BROKER_USER = 'loch'
/** Attempts with nats-server before the embedded broker is tried. */
const NATS_SERVER_ATTEMPTS_MAX = 3

/** Closed with the scope. `directory` is for what nats-server must read, and only root may. */
export const keepBroker = Effect.fnUntraced(function* (
  directory: string,
  report: (line: string) => void,
): Effect.fn.Return<KeptBroker, AddressTaken | HostUnfit, Scope.Scope> {
  const credentials = { kind: 'password', user: BROKER_USER, password: generatePassword() } as const
  const first = yield* openBroker({ credentials, directory })

  const reopen = Effect.fnUntraced(function* (attempt: number): Effect.fn.Return<LocalBroker, never, Scope.Scope> {
    const prefer = attempt > NATS_SERVER_ATTEMPTS_MAX ? 'embedded' : 'auto'
    const opened = yield* Effect.result(openBroker({ credentials, directory, port: first.port, prefer }))
    if (opened._tag === 'Success') return opened.success
    report(describe(opened.failure))
    yield* Effect.sleep(backoffMs(attempt))
    return yield* reopen(attempt + 1)
  })

  const keep = Effect.fnUntraced(function* (broker: LocalBroker): Effect.fn.Return<never, never, Scope.Scope> {
    const reason = yield* Effect.promise(() => broker.died)
    report(`${reason}; starting it again on port ${first.port}`)
    return yield* keep(yield* reopen(1))
  })

  yield* Effect.forkScoped(keep(first))
  return { kind: first.kind, url: first.url }
})

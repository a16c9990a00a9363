/**
 * The NATS server of an instance that was not given one: opened, and opened again on the same port with the same
 * credentials when it dies, so that every client comes back by itself. If nats-server will not start, or dies again and
 * again, the embedded broker takes its place: to clients they are the same.
 */
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Scope from 'effect/Scope'
import { backoffMs } from '../../actors/backoff.ts'
import { type LocalBroker, type OpenBrokerOptions, openBroker } from '../bus/spawn.ts'
import { type AddressTaken, describe, type HostUnfit } from '../errors.ts'
import { generatePassword } from '../postgres/credentials.ts'

export interface KeptBroker {
  /** Of the one that runs now. */
  readonly kind: LocalBroker['kind']
  /** With credentials. */
  readonly url: string
}

export interface KeepOptions {
  /** For tests. */
  readonly start?: typeof openBroker
  /** A life of this length makes earlier deaths forgotten. */
  readonly calmAfterMs?: number
}

interface Opened {
  readonly broker: LocalBroker
  /** Its own, so that a dead one leaves nothing to be closed in the end. */
  readonly scope: Scope.Closeable
}

/** Everybody on this host can connect to a local port, so even here nobody gets in without a password. */
const BROKER_USER = 'loch'
/** Attempts with nats-server, after deaths in a row, before the embedded broker is tried. */
const NATS_SERVER_ATTEMPTS_MAX = 3
const CALM_AFTER_MS = 30_000

/** Closed with the scope. `directory` is for what nats-server must read, and only root may. */
export const keepBroker = Effect.fnUntraced(function* (
  directory: string,
  report: (line: string) => void,
  { start = openBroker, calmAfterMs = CALM_AFTER_MS }: KeepOptions = {},
): Effect.fn.Return<KeptBroker, AddressTaken | HostUnfit, Scope.Scope> {
  // One place for all of them among what is acquired: the one that was opened last is closed as late as the first would be.
  const home = yield* Scope.fork(yield* Scope.Scope)
  const credentials = { kind: 'password', user: BROKER_USER, password: generatePassword() } as const

  const open = Effect.fnUntraced(function* (
    prefer: 'auto' | 'embedded',
    options: OpenBrokerOptions = {},
  ): Effect.fn.Return<Opened, AddressTaken | HostUnfit> {
    const scope = yield* Scope.fork(home)
    const opening = Scope.provide(start({ credentials, directory, prefer, ...options }), scope)
    const broker = yield* Effect.onError(opening, () => Scope.close(scope, Exit.void))
    return { broker, scope }
  })

  let current = yield* open('auto').pipe(
    Effect.catch((error) => {
      report(describe(error))
      return open('embedded')
    }),
  )
  const { url, port } = current.broker

  /** `failures`: deaths and vain attempts since it last was calm. */
  const reopen = Effect.fnUntraced(function* (reason: string, failures: number): Effect.fn.Return<number> {
    const waitMs = failures === 0 ? 0 : backoffMs(failures)
    report(`${reason}; starting it again on port ${port} in ${waitMs} ms`)
    yield* Effect.sleep(waitMs)
    const opened = yield* Effect.result(open(failures < NATS_SERVER_ATTEMPTS_MAX ? 'auto' : 'embedded', { port }))
    if (opened._tag === 'Failure') return yield* reopen(describe(opened.failure), failures + 1)
    current = opened.success
    return failures + 1
  })

  const keep = Effect.gen(function* () {
    for (let failures = 0; ; ) {
      const bornMs = performance.now()
      const reason = yield* Effect.promise(() => current.broker.died)
      yield* Scope.close(current.scope, Exit.void)
      if (performance.now() - bornMs >= calmAfterMs) failures = 0
      failures = yield* reopen(reason, failures)
    }
  })

  yield* Effect.forkScoped(keep)
  return {
    get kind() {
      return current.broker.kind
    },
    url,
  }
})

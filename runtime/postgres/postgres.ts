/**
 * Postgres as a service of Effect: the promises of this folder, with their errors in the type and their clean-up tied to
 * a scope. No decision is taken here.
 */
import * as Context from 'effect/Context'
import * as Effect from 'effect/Effect'
import * as Layer from 'effect/Layer'
import type * as Scope from 'effect/Scope'
import type { AddressTaken, BadArgument, HostUnfit, PostgresFailed } from '../errors.ts'
import { isLochError } from '../errors.ts'
import { locateBinaries } from './binaries.ts'
import { type PostgresBinaries, prepareBinaries } from './binary-tree.ts'
import { type ClusterOptions, initializeCluster } from './cluster.ts'
import { type KillReport, killPostgresBelow } from './orphans.ts'
import { type PostgresProcess, type StartOptions, startPostgres } from './server.ts'
import { query, type SqlConnection, type StatementResult } from './sql.ts'
import { type UnprivilegedUser, unprivilegedUser } from './user.ts'

type Ours = 'binaries' | 'user'

interface Shape {
  readonly user: UnprivilegedUser
  readonly binaries: PostgresBinaries
  readonly initialize: (options: Omit<ClusterOptions, Ours>) => Effect.Effect<void, BadArgument | PostgresFailed>
  /** Spawned, and killed when the scope closes unless it was stopped before. Wait with `ready`. */
  readonly start: (
    options: Omit<StartOptions, Ours>,
  ) => Effect.Effect<PostgresProcess, AddressTaken | BadArgument | HostUnfit, Scope.Scope>
  readonly ready: (server: PostgresProcess) => Effect.Effect<void, AddressTaken | PostgresFailed>
  readonly killBelow: (prefix: string) => Effect.Effect<KillReport>
  readonly query: (connection: SqlConnection, text: string) => Effect.Effect<readonly StatementResult[], PostgresFailed>
}

export class Postgres extends Context.Service<Postgres, Shape>()('loch/Postgres') {}

/** Finds Postgres, makes it runnable in `directory` for as long as the layer lives, and offers it. */
export function postgresLayer(directory: string): Layer.Layer<Postgres, HostUnfit> {
  return Layer.effect(Postgres, provide(directory))
}

const provide = Effect.fnUntraced(function* (directory: string) {
  const user = yield* attempt<UnprivilegedUser, HostUnfit>(async () => unprivilegedUser())
  const binaries = yield* Effect.acquireRelease(
    attempt<PostgresBinaries, HostUnfit>(() => prepareBinaries({ source: locateBinaries(), directory, user })),
    (tree) => Effect.promise(tree.dispose),
  )
  const ours = { user, binaries }
  return Postgres.of({
    user,
    binaries,
    initialize: (options) => attempt((signal) => initializeCluster({ signal, ...options, ...ours })),
    start: (options) =>
      Effect.acquireRelease(
        attempt(() => startPostgres({ ...options, ...ours })),
        (server) => Effect.promise(server.kill),
      ),
    ready: (server) => attempt(() => server.ready),
    killBelow: (prefix) => Effect.promise(() => killPostgresBelow(prefix)),
    query: (connection, text) => attempt(() => query(connection, text)),
  })
})

/** A promise whose rejections are members of the closed set `E`; anything else is a defect of ours. */
function attempt<A, E>(work: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, E> {
  return Effect.tryPromise({ try: work, catch: (error) => error }).pipe(
    Effect.catch((error) => (isLochError(error) ? Effect.fail(error as E) : Effect.die(error))),
  )
}

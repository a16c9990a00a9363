/**
 * What a process leaves behind when it dies without warning: postmasters on a volume that nobody serves, and mounts that
 * do not answer. Both are found by their paths alone; nothing here looks into a mount. Postgres goes first, because a
 * mount is only known by its path as long as it is mounted.
 */
import * as Effect from 'effect/Effect'
import { unmountLazily } from '../fuse/mount.ts'
import { findStaleMounts } from '../fuse/mount-table.ts'
import { killPostgresBelow } from '../postgres/orphans.ts'

export interface Remains {
  readonly killed: readonly number[]
  readonly unmounted: readonly string[]
  /** What could not be removed, one line each. */
  readonly problems: readonly string[]
}

/** Removes everything below `prefix`, which no living process may be using. Never rejects. */
export async function removeRemains(prefix: string): Promise<Remains> {
  const unmounted: string[] = []
  const problems: string[] = []
  try {
    const { killed, stuck } = await killPostgresBelow(prefix)
    if (stuck.length > 0) problems.push(`Postgres processes ${stuck.join(', ')} do not die: they wait for a dead mount`)
    for (const { path } of findStaleMounts(prefix)) {
      const outcome = await Effect.runPromise(Effect.result(unmountLazily(path)))
      if (outcome._tag === 'Success') unmounted.push(path)
      else problems.push(`${path}: ${outcome.failure.problem}`)
    }
    return { killed, unmounted, problems }
  } catch (error) {
    problems.push(`${prefix}: ${error instanceof Error ? error.message : error}`)
    return { killed: [], unmounted, problems }
  }
}

/** One line, or undefined if there was nothing. */
export function describeRemains({ killed, unmounted, problems }: Remains): string | undefined {
  const parts = [
    ...(killed.length > 0 ? [`killed Postgres ${killed.join(', ')}`] : []),
    ...unmounted.map((path) => `unmounted ${path}`),
    ...problems,
  ]
  return parts.length === 0 ? undefined : `cleaned up after an earlier process: ${parts.join('; ')}`
}

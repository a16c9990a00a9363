/** Whether this host can run Loch at all, and why not: end-to-end tests are skipped with that reason, never silently. */
import * as Effect from 'effect/Effect'
import { checkHost } from '../control/host-check.ts'
import { describe } from '../errors.ts'

const outcome = await Effect.runPromise(Effect.result(checkHost))

/** Undefined if everything that Loch needs is here. */
export const skipReason: string | undefined = outcome._tag === 'Success' ? undefined : describe(outcome.failure)

if (skipReason !== undefined) console.warn(`end-to-end tests are skipped: ${skipReason}`)

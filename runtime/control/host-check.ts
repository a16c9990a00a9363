/**
 * What Loch needs of the host, asked before anything is written to it, so that a host that will not do is told so by one
 * clear error instead of by a half-made start.
 */
import * as Effect from 'effect/Effect'
import { HostUnfit, isLochError, type LochError } from '../errors.ts'
import { checkFuseUsable } from '../fuse/mount.ts'
import { locateBinaries } from '../postgres/binaries.ts'
import { findProgram } from '../postgres/command.ts'
import { unprivilegedUser } from '../postgres/user.ts'

/** util-linux has all of them; a bare container may have none. */
const PROGRAMS = ['mount', 'umount', 'setpriv', 'flock'] as const

/** Errors: HostUnfit, MountFailed. */
export const checkHost: Effect.Effect<void, LochError> = Effect.suspend(() => {
  try {
    unprivilegedUser()
    for (const program of PROGRAMS) requireProgram(program)
    locateBinaries()
    return checkFuseUsable()
  } catch (error) {
    return isLochError(error) ? Effect.fail(error as LochError) : Effect.die(error)
  }
})

function requireProgram(program: string): void {
  if (findProgram(program) !== undefined) return
  throw new HostUnfit({
    component: 'host',
    value: program,
    problem: 'this program is not installed',
    remedy: 'Install util-linux (apt-get install util-linux).',
  })
}

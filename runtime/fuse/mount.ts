/**
 * Mounting and unmounting a volume. mount(8) does the system call, since Node has none, with the device's descriptor
 * handed over as its descriptor 3. Nothing here may touch a path inside a mount: the thread that would have to answer
 * may be the one that asks. Unmounting is always lazy for the same reason.
 */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { type HostUnfit, isLochError, MountFailed } from '../errors.ts'
import { mountError, openDevice } from './host.ts'

export interface Mount {
  readonly path: string
  /** /dev/fuse of this mount. Give it to the serving thread; it belongs to this mount until `close`. */
  readonly fd: number
  /**
   * Detaches the mount from the file tree. Programs that still use it are served on; when the last has gone, and the
   * waker is closed, the device reads as gone.
   */
  readonly unmount: Effect.Effect<void, MountFailed>
  /** Closes the device; the kernel then fails whatever still waits. Only after the serving thread has stopped. */
  readonly close: () => void
}

/** `allow_other`: Postgres runs as another user; `default_permissions`: the kernel checks modes and owners. */
const MOUNT_OPTIONS = 'rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,nosuid,nodev'

/** Mounts an unserved volume at `path`, making the directory if needed. `name` shows as the device in mount tables. */
export function mountVolume(path: string, name: string): Effect.Effect<Mount, HostUnfit | MountFailed> {
  return attempt(path, () => {
    const fd = openDevice()
    try {
      fs.mkdirSync(path, { recursive: true, mode: 0o755 })
      runMount(fd, path, name)
    } catch (error) {
      fs.closeSync(fd)
      throw error
    }
    return { path, fd, unmount: unmountLazily(path), close: () => fs.closeSync(fd) }
  })
}

function runMount(fd: number, path: string, name: string): void {
  // -i: no helper program. The working directory must not lie in a mount.
  const { error, status, stderr } = spawnSync(
    'mount',
    ['-i', '-t', 'fuse', '-o', `fd=3,${MOUNT_OPTIONS}`, name, path],
    { cwd: '/', stdio: ['ignore', 'ignore', 'pipe', fd], encoding: 'utf8' },
  )
  if (error || status !== 0) throw mountError(path, error, stderr)
}

/** Detaches whatever is mounted at `path`, dead or alive, without looking at it. */
export function unmountLazily(path: string): Effect.Effect<void, MountFailed> {
  return Effect.suspend(() => {
    const { error, status, stderr } = spawnSync('umount', ['-l', '-i', '-c', path], {
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    })
    if (!error && status === 0) return Effect.void
    return Effect.fail(notUnmounted(path, error, stderr))
  })
}

function notUnmounted(path: string, error: Error | undefined, stderr: string | null): MountFailed {
  return new MountFailed({
    component: 'FUSE',
    value: path,
    problem: `umount(8) refused: ${error?.message ?? stderr?.trim() ?? 'no reason given'}`,
    remedy: `Run \`umount -l ${path}\` as root.`,
    cause: error,
  })
}

/** Succeeds if volumes can be mounted here. It mounts one for a moment: containers forbid it in too many ways to list. */
export function checkFuseUsable(): Effect.Effect<void, HostUnfit | MountFailed> {
  return Effect.suspend(() => {
    const directory = fs.mkdtempSync(join(tmpdir(), 'loch-fuse-check-'))
    return mountVolume(directory, 'loch-check').pipe(
      Effect.flatMap((mount) => mount.unmount.pipe(Effect.ensuring(Effect.sync(mount.close)))),
      Effect.ensuring(Effect.sync(() => fs.rmdirSync(directory))),
    )
  })
}

function attempt<A>(path: string, body: () => A): Effect.Effect<A, HostUnfit | MountFailed> {
  return Effect.suspend((): Effect.Effect<A, HostUnfit | MountFailed> => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      if (isLochError(error)) return Effect.fail(error as HostUnfit | MountFailed)
      return Effect.fail(
        new MountFailed({
          component: 'FUSE',
          value: path,
          problem: `the mount point cannot be prepared (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
          remedy: `Remove what is dead there with \`umount -l ${path}\`, and check that the directory can be made.`,
          cause: error,
        }),
      )
    }
  })
}

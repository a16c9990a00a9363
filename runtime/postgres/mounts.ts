/**
 * Read-only bind mounts, by mount(8): Node has no mount(2). What is mounted where is read from /proc/self/mountinfo,
 * never by stat on the place itself, because a dead FUSE mount would block the caller.
 */
import { readFileSync } from 'node:fs'
import { runCommand } from './command.ts'

/** True if anything is mounted exactly at the absolute, resolved path. */
export function isMounted(path: string): boolean {
  return mountPoints(readFileSync('/proc/self/mountinfo', 'utf8')).includes(path)
}

/** True if anything is mounted at the absolute, resolved path or below it. */
export function hasMountsBelow(path: string): boolean {
  return mountPoints(readFileSync('/proc/self/mountinfo', 'utf8')).some(
    (point) => point === path || point.startsWith(`${path}/`),
  )
}

/** The fifth field of each line of mountinfo (proc(5)), with its octal escapes undone. */
export function mountPoints(mountinfo: string): readonly string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((field) => field !== undefined)
    .map((field) =>
      field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
}

/** Returns what mount(8) complains of, or undefined once `source` shows read-only at `target`. */
export async function bindReadOnly(source: string, target: string): Promise<string | undefined> {
  const result = await runCommand(['mount', '-o', 'bind,ro', '--', source, target])
  return result.code === 0 ? undefined : result.stderr.trim() || `mount ended with code ${result.code}`
}

/** Unmounts what is mounted at `target`; false if it is busy or the kernel refuses. Never lazily: busy means in use. */
export async function unmount(target: string): Promise<boolean> {
  const result = await runCommand(['umount', '--', target])
  return result.code === 0
}

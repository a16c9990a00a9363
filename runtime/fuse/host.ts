/**
 * What FUSE needs of the host, and how its absence is reported: each missing thing with the command that provides it.
 * Whoever reads these errors is setting Loch up, often in a container, and has no other hint of what is missing.
 */
import * as fs from 'node:fs'
import { HostUnfit, MountFailed } from '../errors.ts'

const DEVICE_PATH = '/dev/fuse'
/** Bit of CAP_SYS_ADMIN in CapEff (capabilities(7)). */
const CAP_SYS_ADMIN = 21n

function unfit(value: string, problem: string, remedy: string, cause?: unknown): HostUnfit {
  return new HostUnfit({ component: 'FUSE', value, problem, remedy, cause })
}

/** What is asked of the host; a test answers for hosts that it does not run on. */
export interface HostFacts {
  readonly userId: () => number | undefined
  /** The text of /proc/self/status. */
  readonly processStatus: () => string
  /** Opens a device for reading and writing; throws what node:fs throws. */
  readonly open: (path: string) => number
}

const thisHost: HostFacts = {
  userId: () => process.geteuid?.(),
  processStatus: () => fs.readFileSync('/proc/self/status', 'utf8'),
  open: (path) => fs.openSync(path, 'r+'),
}

/** Opens /dev/fuse, which is how a FUSE connection begins. Throws HostUnfit. */
export function openDevice(host = thisHost): number {
  const missing = missingPrivilege(host)
  if (missing) throw missing
  try {
    return host.open(DEVICE_PATH)
  } catch (error) {
    throw unopened(error as NodeJS.ErrnoException)
  }
}

function missingPrivilege(host: HostFacts): HostUnfit | undefined {
  const userId = host.userId()
  if (userId !== 0) {
    return unfit(`user id ${userId}`, 'mounting a volume needs root', 'Run Loch as root, e.g. with sudo.')
  }
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(host.processStatus())?.[1]
  if (mask === undefined || ((BigInt(`0x${mask}`) >> CAP_SYS_ADMIN) & 1n) === 1n) return undefined
  return unfit(
    'CAP_SYS_ADMIN',
    'root lacks the capability to mount, as is usual in containers',
    'In Docker add: --cap-add SYS_ADMIN --device /dev/fuse --security-opt apparmor=unconfined',
  )
}

function unopened(error: NodeJS.ErrnoException): HostUnfit {
  switch (error.code) {
    case 'ENOENT':
    case 'ENODEV':
    case 'ENXIO':
      return unfit(
        DEVICE_PATH,
        'the device does not exist',
        'Run `modprobe fuse`; in Docker add: --device /dev/fuse',
        error,
      )
    case 'EPERM':
    case 'EACCES':
      return unfit(
        DEVICE_PATH,
        'the device may not be opened, as is usual in containers',
        'In Docker add: --device /dev/fuse --cap-add SYS_ADMIN',
        error,
      )
    default:
      return unfit(DEVICE_PATH, `the device cannot be opened (${error.code})`, 'Run `modprobe fuse`.', error)
  }
}

/** Why mount(8) failed on `path`: the host's fault if no other path would do, else this mount's. */
export function mountError(path: string, spawnError: Error | undefined, stderr: string): HostUnfit | MountFailed {
  if (spawnError) {
    return unfit('mount', 'the program mount(8) cannot be run', 'Install the package util-linux.', spawnError)
  }
  if (/unknown filesystem type/.test(stderr)) {
    return unfit('fuse', 'the kernel has no FUSE file system', 'Run `modprobe fuse`.', stderr)
  }
  if (/permission denied|not permitted|must be superuser/i.test(stderr)) {
    return unfit(
      path,
      'mounting is forbidden, as is usual in containers',
      'In Docker add: --cap-add SYS_ADMIN --device /dev/fuse --security-opt apparmor=unconfined',
      stderr,
    )
  }
  return new MountFailed({
    component: 'FUSE',
    value: path,
    problem: `mount(8) refused: ${stderr.trim() || 'no reason given'}`,
    remedy: 'Check that the directory exists and that nothing dead is mounted there (`umount -l` removes that).',
  })
}

/**
 * INIT: what the kernel and this server agree on for the life of the mount. With a kernel that is too
 * old every operation on the mount fails, and the driver gets HostUnfit.
 */
import { HostUnfit } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import {
  BACKGROUND_REQUESTS_MAX,
  InitFlag,
  KERNEL_PAGE_BYTES,
  PROTOCOL_MAJOR,
  PROTOCOL_MINOR_MAX,
  PROTOCOL_MINOR_MIN,
  TRANSFER_BYTES_MAX,
} from './protocol.ts'
import { InitIn, InitOut, OUT } from './structs.ts'

const WANTED_FLAGS = Object.values(InitFlag).reduce((all, flag) => all | flag, 0)

/** Reply to INIT. Throws HostUnfit for a kernel older than 5.4. */
export function negotiate(x: Exchange): number {
  const major = x.u32(InitIn.major)
  const minor = x.u32(InitIn.minor)
  const offered = x.u32(InitIn.flags)
  const tooOld = minor < PROTOCOL_MINOR_MIN || (offered & InitFlag.maxPages) === 0
  if (major < PROTOCOL_MAJOR || (major === PROTOCOL_MAJOR && tooOld)) {
    throw new HostUnfit({
      component: 'FUSE',
      value: `protocol ${major}.${minor}`,
      problem: `the kernel is too old: ${PROTOCOL_MAJOR}.${PROTOCOL_MINOR_MIN} is needed`,
      remedy: 'Run Loch on Linux 5.4 or newer.',
    })
  }
  const { out } = x
  out.fill(0, OUT, OUT + InitOut.bytes)
  out.writeUInt32LE(PROTOCOL_MAJOR, OUT + InitOut.major)
  // A newer major is told ours and asks again; the rest of this reply is then ignored.
  out.writeUInt32LE(Math.min(minor, PROTOCOL_MINOR_MAX), OUT + InitOut.minor)
  out.writeUInt32LE(x.u32(InitIn.maxReadahead), OUT + InitOut.maxReadahead)
  out.writeUInt32LE((offered & WANTED_FLAGS) >>> 0, OUT + InitOut.flags)
  out.writeUInt16LE(BACKGROUND_REQUESTS_MAX, OUT + InitOut.maxBackground)
  out.writeUInt16LE((BACKGROUND_REQUESTS_MAX * 3) / 4, OUT + InitOut.congestionThreshold)
  out.writeUInt32LE(TRANSFER_BYTES_MAX, OUT + InitOut.maxWrite)
  out.writeUInt32LE(1, OUT + InitOut.timeGranularity)
  out.writeUInt16LE(TRANSFER_BYTES_MAX / KERNEL_PAGE_BYTES, OUT + InitOut.maxPages)
  return InitOut.bytes
}

/**
 * The one file that is not in the volume: `.loch-wake`, a regular file that the kernel must know so that a notification
 * about it wakes the serving thread (wake.ts). It cannot be opened, changed or replaced, and directory listings omit it,
 * because initdb refuses a directory that is not empty.
 */

import { ROOT_INO, S_IFREG } from './protocol.ts'
import type { ServedNode } from './served-volume.ts'
import { ATTR_OUT_BYTES, ENTRY_OUT_BYTES, OUT, writeAttrOut, writeEntryOut } from './structs.ts'

export const WAKE_FILE_NAME = '.loch-wake'
/** Above every inode of a volume, which are u32 in the log. */
export const WAKE_INO = 2 ** 32 + 1
const WAKE_FILE_VALID_SECONDS = 86_400

const wakeFile: ServedNode = {
  ino: WAKE_INO,
  mode: S_IFREG | 0o600,
  uid: 0,
  gid: 0,
  size: 0,
  nlink: 1,
  target: '',
  mtimeMs: 0,
  ctimeMs: 0,
  children: undefined,
}

/** True if (parent, name) is the wake file's. */
export function isWakeFile(parent: number, name: string): boolean {
  return parent === ROOT_INO && name === WAKE_FILE_NAME
}

export function wakeEntryReply(out: Buffer): number {
  writeEntryOut(out, OUT, wakeFile, WAKE_FILE_VALID_SECONDS)
  return ENTRY_OUT_BYTES
}

export function wakeAttributesReply(out: Buffer): number {
  writeAttrOut(out, OUT, wakeFile, WAKE_FILE_VALID_SECONDS)
  return ATTR_OUT_BYTES
}

/** What the users of the host's files share: what went wrong with a call, and one call that Node has no name for. */
import { closeSync, constants, fsyncSync, openSync } from 'node:fs'

/** The errno name of `error`, or undefined if it is not from the system. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Makes the names in `folder` durable. */
export function syncDirectory(folder: string): void {
  const file = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/**
 * What a safekeeper writes down before it withdraws, for whoever opens its disk next: that a sync failed, or that the log held
 * frames which cannot be read. Without it the next life would take the rest for all there was. It decides nothing of the life itself.
 */
import { describe, isLochError, type LochError } from '../errors.ts'
import { noteFailedSync } from './disk-open.ts'
import type { Keeper } from './keeper.ts'
import type { SafekeeperPorts } from './ports.ts'
import { LogLost } from './segment-reader.ts'

/** Returns, in sentences for people, what could not be written down. */
export function noteBeforeWithdrawal(
  error: LochError,
  keeper: Keeper,
  { files, directory, report }: Pick<SafekeeperPorts, 'files' | 'directory' | 'report'>,
  isWithdrawn: boolean,
): readonly string[] {
  const unnoted = keeper.log.failure ? noteFailedSync(files, directory) : ''
  if (unnoted !== '') report(`a failed sync could not be noted: ${unnoted}`)
  const untold = error instanceof LogLost && !isWithdrawn ? distrust(keeper, directory) : ''
  return [unnoted, untold].filter((sentence) => sentence !== '')
}

function distrust(keeper: Keeper, directory: string): string {
  try {
    keeper.distrust()
    return ''
  } catch (error) {
    const why = isLochError(error) ? describe(error) : String(error)
    return `That could not be noted (${why}): move ${directory} away before this zone is started.`
  }
}

/**
 * Errors on their way across a process or a wire: an error of the closed set becomes data, and data becomes the same
 * error again. What is not in the set is a defect of ours and is reported as one, never dressed up as advice.
 */
import * as errors from '../errors.ts'
import type { ErrorReport } from './schemas.ts'

type ErrorClass = new (complaint: errors.Complaint) => errors.LochError

/** By tag. The compiler refuses a set with a member missing. */
const CLASSES: { readonly [Tag in errors.LochError['_tag']]: ErrorClass } = {
  BadArgument: errors.BadArgument,
  AddressTaken: errors.AddressTaken,
  HostUnfit: errors.HostUnfit,
  FormatTooNew: errors.FormatTooNew,
  StoreUnavailable: errors.StoreUnavailable,
  StoreRefused: errors.StoreRefused,
  ObjectMissing: errors.ObjectMissing,
  Damaged: errors.Damaged,
  Conflict: errors.Conflict,
  BusUnavailable: errors.BusUnavailable,
  NoAnswer: errors.NoAnswer,
  Fenced: errors.Fenced,
  QuorumLost: errors.QuorumLost,
  DiskFailed: errors.DiskFailed,
  MountFailed: errors.MountFailed,
  PostgresFailed: errors.PostgresFailed,
  Refused: errors.Refused,
}

const DEFECT_TAG = 'Defect'

/** Any failure as data; `tag` is `Defect` for what is not in the closed set. */
export function reportOf(error: unknown): ErrorReport {
  if (errors.isLochError(error)) {
    const { _tag: tag, component, value, problem, remedy } = error
    return { tag, component, value, problem, remedy }
  }
  return {
    tag: DEFECT_TAG,
    component: 'loch',
    value: error instanceof Error ? error.name : typeof error,
    problem: error instanceof Error ? error.message : String(error),
    remedy: 'This is a mistake in Loch: please report it, with what led to it and the logs.',
  }
}

/** The error that a report was made of. A defect elsewhere, or a tag of a newer Loch, is a refusal to us. */
export function errorFrom({ tag, component, value, problem, remedy }: ErrorReport): errors.LochError {
  const known = Object.hasOwn(CLASSES, tag) ? CLASSES[tag as errors.LochError['_tag']] : errors.Refused
  return new known({ component, value, problem, remedy })
}

/** One line for people. */
export function describeReport({ component, value, problem, remedy }: ErrorReport): string {
  return `${component}: ${problem}${value === '' ? '' : ` (${value})`}. ${remedy}`
}

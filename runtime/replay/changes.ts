/**
 * What differs between two values, as data: the recorder stores it, a cursor shows it, re-execution reports it. Contexts of
 * actors share what did not change, so equal references are never looked into, and recording an event costs what it changed.
 * Lists are compared place by place for people, and replaced whole in a recording. Nothing here knows what the values mean.
 */
import type { Change } from '../../events/run-log.ts'

export interface Difference {
  /** Dotted: `context.remembered.term`. */
  readonly path: string
  /** Undefined where there is nothing. */
  readonly before: unknown
  readonly after: unknown
}

type Fields = Readonly<Record<string, unknown>>

/** What turns `before` into `after`. */
export function changesBetween(before: unknown, after: unknown): Change[] {
  const changes: Change[] = []
  collect(before, after, [], changes)
  return changes
}

function collect(before: unknown, after: unknown, path: readonly string[], changes: Change[]): void {
  if (before === after) return
  if (!isFields(before) || !isFields(after)) {
    if (!isEqual(before, after)) changes.push([path, after])
    return
  }
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) changes.push([[...path, key]])
  for (const [key, value] of Object.entries(after)) {
    if (Object.hasOwn(before, key)) collect(before[key], value, [...path, key], changes)
    else changes.push([[...path, key], value])
  }
}

/** The inverse; `value` is left as it is. */
export function applyChanges<T>(value: T, changes: ReadonlyArray<Change>): T {
  let result: unknown = value
  for (const change of changes) result = applyAt(result, change, 0)
  return result as T
}

function applyAt(value: unknown, change: Change, depth: number): unknown {
  const key = change[0][depth]
  if (key === undefined) return change[1]
  const fields = { ...(value as Fields) } as Record<string, unknown>
  if (change.length === 1 && depth === change[0].length - 1) delete fields[key]
  else fields[key] = applyAt(fields[key], change, depth + 1)
  return fields
}

/** For people: every leaf that differs, in the order of the fields. */
export function differences(before: unknown, after: unknown, path = ''): Difference[] {
  if (isEqual(before, after)) return []
  const [left, right] = [branches(before), branches(after)]
  const whole = [{ path: path === '' ? 'value' : path, before, after }]
  if (left === undefined || right === undefined || Array.isArray(before) !== Array.isArray(after)) return whole
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])]
  const parts = keys.flatMap((key) => differences(left[key], right[key], path === '' ? key : `${path}.${key}`))
  // A key without a value is not the same as no key.
  return parts.length > 0 ? parts : whole
}

export function isEqual(left: unknown, right: unknown): boolean {
  if (left === right || Object.is(left, right)) return true
  const [a, b] = [branches(left), branches(right)]
  if (a === undefined || b === undefined || Array.isArray(left) !== Array.isArray(right)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key], b[key]))
}

/** The parts of an object or list; undefined for what has none. */
function branches(value: unknown): Fields | undefined {
  if (Array.isArray(value) || isFields(value)) return value as Fields
  return undefined
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

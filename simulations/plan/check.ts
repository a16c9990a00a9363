/**
 * Checks of data that somebody wrote, as small functions that are put together: each takes a value and the way to it, and
 * returns what is wrong, or nothing. They never repair anything, because a plan that is not what it says shows another run.
 */
import { BadArgument } from '../../runtime/errors.ts'

/** @throws BadArgument; `path` is the way to `value` from the outermost one, like `faults[3].zone`. */
export type Check = (value: unknown, path: string) => void

const VALUE_LENGTH_MAX = 80

export function refuse(path: string, value: unknown, problem: string, remedy: string): never {
  const text = value === undefined ? 'absent' : JSON.stringify(value)
  const shown = text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text
  throw new BadArgument({ component: path === '' ? 'plan' : `plan: ${path}`, value: shown, problem, remedy })
}

export function number(low: number, high: number): Check {
  return (value, path) => {
    if (typeof value === 'number' && value >= low && value <= high) return
    refuse(path, value, 'this is not a number that can be used', `Write a number from ${low} to ${high}.`)
  }
}

export function whole(low: number, high: number): Check {
  return (value, path) => {
    if (Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high) return
    refuse(path, value, 'this is not a number that can be used', `Write a whole number from ${low} to ${high}.`)
  }
}

export const share = number(0, 1)

export const flag: Check = (value, path) => {
  if (typeof value !== 'boolean') refuse(path, value, 'this is neither true nor false', 'Write true or false.')
}

export const words: Check = (value, path) => {
  if (typeof value !== 'string' || value === '') refuse(path, value, 'this is no text', 'Write one in quotes.')
}

/** An object whose fields somebody else knows. */
export const anything: Check = (value, path) => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  refuse(path, value, 'this is not an object', 'Write { ... }.')
}

export function oneOf(choices: readonly (string | number)[]): Check {
  return (value, path) => {
    if (choices.includes(value as string)) return
    const known = choices.map((choice) => JSON.stringify(choice)).join(', ')
    refuse(path, value, 'this is none of the choices', `Write one of ${known}.`)
  }
}

export function list(item: Check, lengthMax: number): Check {
  return (value, path) => {
    if (!Array.isArray(value)) refuse(path, value, 'this is not a list', 'Write [ ... ].')
    if (value.length > lengthMax) {
      refuse(path, value.length, 'this list is too long', `Leave it at ${lengthMax} entries.`)
    }
    for (const [index, one] of value.entries()) item(one, `${path}[${index}]`)
  }
}

/** All of `fields` and no others. */
export function fields<K extends string>(checks: Readonly<Record<K, Check>>, optional: readonly K[] = []): Check {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      refuse(path, value, 'this is not an object', 'Write { ... }.')
    }
    const given = value as Readonly<Record<string, unknown>>
    const way = (name: string) => (path === '' ? name : `${path}.${name}`)
    for (const name of Object.keys(given)) {
      if (Object.hasOwn(checks, name)) continue
      refuse(
        way(name),
        given[name],
        'there is no such field',
        `Remove it; known are ${Object.keys(checks).join(', ')}.`,
      )
    }
    for (const [name, check] of Object.entries<Check>(checks)) {
      if (Object.hasOwn(given, name)) check(given[name], way(name))
      else if (!optional.includes(name as K)) {
        refuse(way(name), undefined, 'this field is missing', 'Add it; `--save-plan` writes whole plans.')
      }
    }
  }
}

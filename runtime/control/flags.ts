/**
 * Kinds of command-line flags: how each is written, shown in help, and turned into a value. What a flag means is not
 * known here; which flags a command has stands in command-table.ts. A value that cannot be understood is answered with
 * the flag's name, the value and an example, because that is all its writer needs.
 */
import { BadArgument } from '../errors.ts'

export interface Flag<T> {
  /** What stands for the value in help; absent for switches, which take none. */
  readonly placeholder?: string
  readonly help: string
  /** Without the flag. */
  readonly initial: T
  /** @throws BadArgument; `flag` is the name as typed, for the error. */
  readonly parse: (text: string, flag: string) => T
}

export type Flags = Readonly<Record<string, Flag<unknown>>>
export type ValuesOf<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never }

export interface ListenAddress {
  /** A name or an address without brackets. */
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
}

export function toggle(help: string): Flag<boolean> {
  return { help, initial: false, parse: () => true }
}

export function text<T extends string | undefined>(placeholder: string, initial: T, help: string): Flag<string | T> {
  return {
    placeholder,
    help,
    initial,
    parse: (value, flag) => {
      if (value === '') throw bad(flag, value, 'the value is empty', `Write ${flag} ${placeholder}.`)
      return value
    },
  }
}

export function choice<const C extends string, T extends C | undefined>(
  choices: readonly C[],
  initial: T,
  help: string,
): Flag<C | T> {
  return {
    placeholder: choices.join('|'),
    help,
    initial,
    parse: (value, flag) => {
      const chosen = choices.find((candidate) => candidate === value)
      if (chosen === undefined) throw bad(flag, value, 'this is none of the choices', `Choose ${choices.join(' or ')}.`)
      return chosen
    },
  }
}

export function count<T extends number | undefined>(
  initial: T,
  minimum: number,
  maximum: number,
  help: string,
): Flag<number | T> {
  return {
    placeholder: 'N',
    help,
    initial,
    parse: (value, flag) => {
      const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
      if (number >= minimum && number <= maximum) return number
      throw bad(flag, value, 'this number cannot be used', `Write a whole number from ${minimum} to ${maximum}.`)
    },
  }
}

/** Powers of 1,024, as Postgres reads its own settings. */
const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/** A number of bytes: `512MB`, `1GB`, `1.5GiB`. */
export function size(initial: number, minimum: number, help: string): Flag<number> {
  return { placeholder: 'SIZE', help, initial, parse: (value, flag) => parseSize(value, minimum, flag) }
}

function parseSize(value: string, minimum: number, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(value)
  const bytes = match === null ? Number.NaN : Math.round(Number(match[1]) * SIZE_UNITS[match[2]!.toLowerCase()]!)
  if (!Number.isSafeInteger(bytes)) throw bad(flag, value, 'this is not a size', 'Write for example 512MB or 1GB.')
  if (bytes >= minimum) return bytes
  throw bad(flag, value, 'this is too small to work with', `Write at least ${Math.ceil(minimum / 2 ** 20)}MB.`)
}

/** `host:port`, `[::1]:port`, or a port alone, which listens on the loopback address. */
export function listen(initial: ListenAddress, help: string): Flag<ListenAddress> {
  return { placeholder: 'HOST:PORT', help, initial, parse: parseListen }
}

const LOOPBACK = '127.0.0.1'

export function parseListen(value: string, flag: string): ListenAddress {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@[\]]+)):)?(\d{1,5})$/.exec(value)
  const port = match === null ? Number.NaN : Number(match[3])
  if (match !== null && port <= 65_535) return { host: match[1] ?? match[2] ?? LOOPBACK, port }
  throw bad(
    flag,
    value,
    'this is not an address to listen on',
    'Write HOST:PORT, for example 127.0.0.1:5624 or [::1]:5624.',
  )
}

export function formatListen(address: ListenAddress): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

/** A value that `check` accepts; what it refuses, it refuses with a BadArgument, which gets the flag's name. */
export function checked(placeholder: string, check: (value: string) => void, help: string): Flag<string | undefined> {
  return {
    placeholder,
    help,
    initial: undefined,
    parse: (value, flag) => {
      try {
        check(value)
      } catch (error) {
        if (error instanceof BadArgument) throw bad(flag, error.value, error.problem, error.remedy)
        throw error
      }
      return value
    },
  }
}

export function bad(flag: string, value: string, problem: string, remedy: string): BadArgument {
  return new BadArgument({ component: flag, value, problem, remedy })
}

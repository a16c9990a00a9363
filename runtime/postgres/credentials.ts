/**
 * The superuser's password: made once, kept in a file that root alone reads, and shown as part of a connection URL. It is
 * never put on a command line or in a log, where other users of the host could read it.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { DiskFailed } from '../errors.ts'

export interface ConnectionAddress {
  readonly user: string
  readonly password?: string
  /** A name, an IPv4 or IPv6 address, or the absolute path of a socket directory. */
  readonly host: string
  readonly port: number
  readonly database: string
}

/** 192 bits, which no one guesses; 32 characters. */
const PASSWORD_BYTES = 24

/** 32 characters of A-Z a-z 0-9 - _, beginning with a letter so that no program takes it for a flag. */
export function generatePassword(): string {
  for (;;) {
    const password = randomBytes(PASSWORD_BYTES).toString('base64url')
    if (/^[A-Za-z]/.test(password)) return password
  }
}

/**
 * The password in the file, or undefined if there is none.
 * @throws DiskFailed when the file cannot be read or is empty.
 */
export function readPassword(path: string): string | undefined {
  const text = onDisk(path, () => (existsSync(path) ? readFileSync(path, 'utf8') : undefined))
  if (text === undefined) return undefined
  const password = text.replace(/\r?\n$/, '')
  if (password !== '') return password
  throw new DiskFailed({
    component: 'password file',
    value: path,
    problem: 'the file is empty',
    remedy: "Write the superuser's password into it, or set a new one with ALTER ROLE over the local socket.",
  })
}

/** Replaces the file (0600) as a whole, durably. @throws DiskFailed */
export function writePassword(path: string, password: string): void {
  place(path, password, renameSync)
}

/**
 * The password in the file, which is created with a new one if absent. Of two that create it at once, both get the
 * password of the one that came first.
 * @throws DiskFailed
 */
export function ensurePassword(path: string): string {
  const existing = readPassword(path)
  if (existing !== undefined) return existing
  const password = generatePassword()
  place(path, password, (temporary, target) => {
    try {
      linkSync(temporary, target)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
    unlinkSync(temporary)
  })
  return readPassword(path) ?? password
}

/**
 * A connection URL as libpq and its relatives read it ("Connection URIs" in the manual of libpq). An address that means
 * "all" is replaced by the loopback address, since nobody can connect to it.
 */
export function connectionUrl(address: ConnectionAddress): string {
  const password = address.password === undefined ? '' : `:${encodeURIComponent(address.password)}`
  const identity = `${encodeURIComponent(address.user)}${password}`
  const database = encodeURIComponent(address.database)
  if (address.host.startsWith('/')) {
    return `postgresql://${identity}@/${database}?host=${encodeURIComponent(address.host)}&port=${address.port}`
  }
  const host = reachable(address.host)
  return `postgresql://${identity}@${host.includes(':') ? `[${host}]` : host}:${address.port}/${database}`
}

/** An address that means "all" is none that one can connect to. */
export function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '*' || host === '') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

function place(path: string, password: string, put: (temporary: string, target: string) => void): void {
  onDisk(path, () => {
    const temporary = `${path}.${randomBytes(6).toString('hex')}`
    const file = openSync(temporary, 'wx', 0o600)
    try {
      writeFileSync(file, `${password}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    put(temporary, path)
    const directory = openSync(dirname(path), 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  })
}

function onDisk<A>(path: string, work: () => A): A {
  try {
    return work()
  } catch (cause) {
    throw new DiskFailed({
      component: 'password file',
      value: path,
      problem: cause instanceof Error ? cause.message : String(cause),
      remedy: 'Check that the directory exists, is writable for root, and has space.',
      cause,
    })
  }
}

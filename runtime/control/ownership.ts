/**
 * Which process owns a directory: the one named by the newest file `owner.<n>` in it. A claim is made by creating the
 * next file, which succeeds for one claimant only, and is void when its process is dead. A process is named by pid, start
 * time and boot, since pids are given again. Processes must share one pid namespace to see each other.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Refused } from '../errors.ts'
import { processStartTicks } from '../postgres/processes.ts'
import { readJson, writeWhole } from './small-files.ts'

export interface Ownership {
  /** Ends the claim. Harmless when repeated. */
  readonly release: () => void
}

/** Names a process unmistakably. */
export interface ProcessName {
  readonly pid: number
  /** Clock ticks between boot and its start. */
  readonly startTicks: number
  readonly boot: string
}

const CLAIM = /^owner\.(\d{1,15})$/

/**
 * @throws Refused, naming the pid of the living owner; what node:fs throws. `shown` is for the error, `meanwhile` for tests:
 * it is called between the look and the claim.
 */
export function claimOwnership(directory: string, shown: string, meanwhile: () => void = () => {}): Ownership {
  const own = ownName()
  for (;;) {
    const claims = listClaims(directory)
    const newest = claims.at(-1) ?? 0
    const owner = newest === 0 ? undefined : readOwner(claimPath(directory, newest))
    if (owner !== undefined && isAlive(owner)) throw ownedBy(shown, owner.pid)
    meanwhile()
    const path = claimPath(directory, newest + 1)
    if (!create(path, JSON.stringify(own))) continue
    // A name is free again once its claim was superseded: if that happened since the look, there is a newer claim now.
    if ((listClaims(directory).at(-1) ?? 0) > newest + 1) {
      rmSync(path, { force: true })
      continue
    }
    // Superseded: they can mislead nobody any more.
    for (const claim of claims) rmSync(claimPath(directory, claim), { force: true })
    return { release: () => release(path) }
  }
}

/** The living owner, or undefined. */
export function findOwner(directory: string): ProcessName | undefined {
  const newest = listClaims(directory).at(-1)
  const owner = newest === undefined ? undefined : readOwner(claimPath(directory, newest))
  return owner !== undefined && isAlive(owner) ? owner : undefined
}

export function ownName(): ProcessName {
  return { pid: process.pid, startTicks: processStartTicks(process.pid) ?? 0, boot: bootId() }
}

export function isAlive(name: ProcessName): boolean {
  return name.boot === bootId() && processStartTicks(name.pid) === name.startTicks
}

/** In ascending order. */
function listClaims(directory: string): readonly number[] {
  let names: readonly string[]
  try {
    names = readdirSync(directory)
  } catch {
    return []
  }
  return names
    .map((name) => Number(CLAIM.exec(name)?.[1] ?? 0))
    .filter((claim) => claim > 0)
    .sort((left, right) => left - right)
}

/** Whole or not at all: a link to a file that is complete. False if the name is taken. */
function create(path: string, text: string): boolean {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(temporary, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** The file stays, so that its number is never given again; it only stops naming a process. */
function release(path: string): void {
  try {
    const owner = readOwner(path)
    if (owner?.pid === process.pid) writeWhole(path, '{}', 0o600)
  } catch {
    // The directory is gone, and the claim with it.
  }
}

function readOwner(path: string): ProcessName | undefined {
  const value = readJson(path)
  if (typeof value !== 'object' || value === null) return undefined
  if (!('pid' in value && 'startTicks' in value && 'boot' in value)) return undefined
  const { pid, startTicks, boot } = value
  if (typeof pid !== 'number' || typeof startTicks !== 'number' || typeof boot !== 'string') return undefined
  return { pid, startTicks, boot }
}

function claimPath(directory: string, claim: number): string {
  return join(directory, `owner.${claim}`)
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

function ownedBy(shown: string, pid: number): Refused {
  return new Refused({
    component: 'data directory',
    value: shown,
    problem: `another Loch uses it: process ${pid}`,
    remedy: `Stop that one first (loch stop --data ${shown}), or name another directory with --data.`,
  })
}

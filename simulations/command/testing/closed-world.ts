/**
 * Shuts the real world out while a run goes on: whatever would read the clock, chance, files or the network throws, and is
 * remembered, because a run may catch what is thrown. setImmediate stays, by which the kernel lets promises run.
 */
import childProcess from 'node:child_process'
import crypto from 'node:crypto'
import dns from 'node:dns'
import fs from 'node:fs'
import fsPromises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'

export interface ClosedWorld {
  /** What was called, with the stack of each call. */
  readonly touched: readonly string[]
  readonly open: () => void
}

const DOORS: ReadonlyArray<readonly [string, object, readonly string[]]> = [
  ['Date', Date, ['now']],
  ['Math', Math, ['random']],
  ['performance', Object.getPrototypeOf(performance), ['now']],
  ['process', process, ['hrtime', 'uptime', 'cpuUsage', 'memoryUsage']],
  ['global', globalThis, ['setTimeout', 'setInterval', 'fetch']],
  ['timers', timers, ['setTimeout', 'setInterval']],
  ['timers/promises', timersPromises, ['setTimeout', 'setInterval']],
  ['webcrypto', Object.getPrototypeOf(globalThis.crypto), ['getRandomValues', 'randomUUID']],
  ['crypto', crypto, ['randomUUID', 'randomBytes', 'randomInt', 'randomFillSync', 'getRandomValues', 'webcrypto']],
  ['fs', fs, functionsOf(fs)],
  ['fs/promises', fsPromises, functionsOf(fsPromises)],
  ['net', net, ['connect', 'createConnection', 'createServer']],
  ['dns', dns, ['lookup', 'resolve']],
  ['child_process', childProcess, ['spawn', 'fork', 'exec', 'execFile', 'spawnSync', 'execFileSync']],
]

function functionsOf(module: object): readonly string[] {
  return Object.entries(module).flatMap(([name, value]) =>
    typeof value === 'function' && /^[a-z]/.test(name) ? [name] : [],
  )
}

export function closeTheWorld(): ClosedWorld {
  const touched: string[] = []
  const undo: Array<() => void> = []
  const refuse = (what: string) => {
    const error = new Error(`${what} in a run`)
    touched.push(error.stack ?? error.message)
    throw error
  }
  for (const [door, target, names] of DOORS) {
    for (const name of names) {
      const before = Object.getOwnPropertyDescriptor(target, name)
      if (before === undefined || !before.configurable) continue
      const value = () => refuse(`${door}.${name}`)
      Object.defineProperty(target, name, { value, configurable: true, writable: true })
      undo.push(() => Object.defineProperty(target, name, before))
    }
  }
  const RealDate = globalThis.Date
  // A date of a given moment is arithmetic; without one it is the clock.
  const proxy = new Proxy(RealDate, {
    construct: (target, parts) => (parts.length === 0 ? refuse('new Date') : Reflect.construct(target, parts)),
    apply: () => refuse('Date'),
  })
  globalThis.Date = proxy
  undo.push(() => {
    globalThis.Date = RealDate
  })
  syncBuiltinESMExports()
  return {
    touched,
    open: () => {
      for (const one of undo.reverse()) one()
      syncBuiltinESMExports()
    },
  }
}

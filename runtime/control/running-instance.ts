/**
 * `run/status.json`: how the command line finds the Loch that runs on a data directory. Written by the supervisor once
 * NATS is there, readable by root only because the address carries credentials. What it says is only an address book;
 * the state of anything is asked for over NATS.
 */
import { rmSync } from 'node:fs'
import { resolve } from 'node:path'
import * as Schema from 'effect/Schema'
import { Count } from '../../events/envelope.ts'
import { dataPaths } from '../data-directory.ts'
import { Refused } from '../errors.ts'
import { findOwner, isAlive } from './ownership.ts'
import { readJson, writeWhole } from './small-files.ts'

export const RunningInstance = Schema.Struct({
  pid: Count,
  startTicks: Count,
  boot: Schema.String,
  project: Schema.String,
  instance: Schema.String,
  /** Absolute path of the data directory. */
  data: Schema.String,
  /** With credentials. */
  natsUrl: Schema.String,
  listen: Schema.Struct({ host: Schema.String, port: Count }),
  objectStore: Schema.String,
})
export type RunningInstance = typeof RunningInstance.Type

const isRunningInstance = Schema.is(RunningInstance)

export function writeRunningInstance(path: string, instance: RunningInstance): void {
  writeWhole(path, `${JSON.stringify(instance, null, 2)}\n`, 0o600)
}

export function removeRunningInstance(path: string): void {
  rmSync(path, { force: true })
}

/** The Loch whose supervisor lives, or undefined. */
export function findRunningInstance(data: string): RunningInstance | undefined {
  const found = readJson(dataPaths(data).status)
  return isRunningInstance(found) && isAlive(found) ? found : undefined
}

/** @throws Refused if none runs there. `command` is who asks, as typed. */
export function requireRunningInstance(data: string, command: string): RunningInstance {
  const found = findRunningInstance(data)
  if (found !== undefined) return found
  const starting = findOwner(dataPaths(data).run)
  if (starting !== undefined) throw notYet(command, data, starting.pid)
  throw new Refused({
    component: `loch ${command}`,
    value: resolve(data),
    problem: 'no Loch runs on this data directory, or you may not read it',
    remedy: `Start it: loch up --data ${data}. If it runs, name its directory with --data, and ask as root.`,
  })
}

function notYet(command: string, data: string, pid: number): Refused {
  return new Refused({
    component: `loch ${command}`,
    value: resolve(data),
    problem: `the Loch on this data directory is still starting, or already stopping: process ${pid}`,
    remedy: 'Ask again when it says that it is ready.',
  })
}

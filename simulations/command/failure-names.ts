/**
 * How the files of failures are called that a command leaves where it was called. A plan and a log are named after where the
 * failed plan came from: its seed, or its file. None is called as a file that the command was given to read, or told to
 * write: a failure must not overwrite what led to it.
 */
import { basename, extname, resolve } from 'node:path'
import type { Plan } from '../plan/plan.ts'
import type { SimulateFlags } from './flags.ts'

type Files = Pick<SimulateFlags, 'plan' | 'fork' | 'save-plan' | 'log' | 'report'>

const SHORTEST = '-shortest'

export class FailureNames {
  readonly #files: Files
  readonly #taken: ReadonlySet<string>

  constructor(files: Files) {
    this.#files = files
    const taken = [files.plan, files.fork, files['save-plan'], files.log, files.report]
    this.#taken = new Set(taken.filter((file) => file !== undefined).map((file) => resolve(file)))
  }

  shortestPlan(plan: Plan): string {
    const { plan: file } = this.#files
    return this.#free(file === undefined ? `${ofSeed(plan)}.json` : `${stem(file)}${SHORTEST}.json`)
  }

  /** `shown`: the file of the plan that it is of; without, that of a seed. */
  log(plan: Plan, shown: string | undefined): string {
    return this.#free(`${shown === undefined ? ofSeed(plan) : stem(shown)}.loch`)
  }

  /** Whether the plan was shrunk before, by its name: it cannot become shorter. */
  isShortest(plan: Plan): boolean {
    const { plan: file } = this.#files
    if (file === undefined) return false
    return file.endsWith(`${SHORTEST}.json`) || resolve(file) === resolve(`${ofSeed(plan)}.json`)
  }

  #free(name: string): string {
    return this.#taken.has(resolve(name)) ? this.#free(next(name)) : name
  }
}

/** Of the plan of a fork, and so of all that comes of it: one that no other fork has. It may be a fork of a fork. */
export function forkedPlanName({ seed }: Plan, log: string, isTaken: (name: string) => boolean): string {
  const from = stem(log)
  let name = `${from.startsWith(`loch-fork-${seed}`) ? stem(next(log)) : `loch-fork-${seed}`}.json`
  while (isTaken(name)) name = next(name)
  return name
}

function ofSeed({ seed }: Plan): string {
  return `loch-seed-${seed}`
}

function stem(file: string): string {
  return basename(file, extname(file))
}

/** `a.json`, `a-2.json`, `a-3.json`; the number of a seed is none of these. */
function next(name: string): string {
  const [, first, number] = /^(loch-(?:fork|seed)-\d+|.*?)(?:-(\d{1,3}))?$/.exec(stem(name))!
  return `${first}-${Number(number ?? 1) + 1}${extname(name)}`
}

/**
 * Runs mutated code in processes of its own: a copy of the compiled code for each mutation, beside it, so that packages are
 * found. The compiled code is copied at once, because a build may replace it while the mutations run. The copies are removed when
 * the process ends, and those of processes that were killed by the next one.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compiledFile, edit, editsOf, type Mutation } from '../mutations/mutation.ts'
import type { Failure } from '../mutations/run-mutations.ts'
import { GivenUp } from '../shrink/attempts.ts'
import { type Job, MutantProcess } from './mutant-process.ts'
import type { StoppableLaboratory } from './mutations.ts'

const WORKER = 'simulations/command/mutant-worker.js'
const LAYERS = ['events', 'actors', 'runtime', 'simulations']
/** With the process whose it is; the launcher (bin/loch.mjs) knows the name as well. */
const SCRATCH = '.dist-mutants-'
const UNMUTATED = 'unmutated'
/** A process keeps what its runs leave behind, so it is replaced now and then. */
const SEEDS_A_PROCESS = 200

export class ProcessLaboratory implements StoppableLaboratory {
  readonly #scratch: string
  /** Plans are no code, and so not in `dist`. */
  readonly #plans: string
  readonly #processes = new Set<MutantProcess>()
  #isStopped = false

  /** `dist`: the compiled code; if this is run from it, it need not be given. */
  constructor(dist = fileURLToPath(new URL('../..', import.meta.url))) {
    this.#plans = join(dist, '..', 'simulations')
    this.#scratch = join(dist, '..', `${SCRATCH}${process.pid}`)
    removeUnfinished(join(dist, '..'))
    process.on('exit', this.#abandon)
    copyCode(dist, join(this.#scratch, UNMUTATED))
  }

  firstFailure(mutation: Mutation | undefined, from: number, to: number): Promise<Failure | undefined> {
    const needs = mutation?.needs ?? {}
    return this.#inCode(mutation, async (directory) => {
      for (let first = from; first <= to; first += SEEDS_A_PROCESS) {
        const last = Math.min(to, first + SEEDS_A_PROCESS - 1)
        const failure = await this.#run(directory, { from: first, to: last, needs })
        if (failure) return failure
      }
      return undefined
    })
  }

  failureOf(mutation: Mutation | undefined, plan: string, seed?: number): Promise<Failure | undefined> {
    const file = join(this.#plans, `${plan}.json`)
    return this.#inCode(mutation, (directory) => this.#run(directory, { file, seed }))
  }

  stop(): void {
    this.#isStopped = true
    for (const one of this.#processes) one.stop()
  }

  close(): void {
    process.off('exit', this.#abandon)
    rmSync(this.#scratch, { recursive: true, force: true })
  }

  readonly #abandon = (): void => {
    this.stop()
    this.close()
  }

  async #inCode<A>(mutation: Mutation | undefined, work: (directory: string) => Promise<A>): Promise<A> {
    const directory = mutation ? this.#mutant(mutation) : join(this.#scratch, UNMUTATED)
    try {
      return await work(directory)
    } finally {
      if (mutation) rmSync(directory, { recursive: true, force: true })
    }
  }

  async #run(directory: string, job: Job): Promise<Failure | undefined> {
    if (this.#isStopped) throw new GivenUp()
    const one = new MutantProcess(join(directory, WORKER), job)
    this.#processes.add(one)
    try {
      return await one.firstFailure()
    } finally {
      this.#processes.delete(one)
    }
  }

  #mutant(mutation: Mutation): string {
    const directory = join(this.#scratch, mutation.name)
    copyCode(join(this.#scratch, UNMUTATED), directory)
    for (const one of editsOf(mutation)) {
      const path = join(directory, compiledFile(one))
      writeFileSync(path, edit(readFileSync(path, 'utf8'), one))
    }
    return directory
  }
}

/** What others left that were killed. */
function removeUnfinished(root: string): void {
  for (const name of readdirSync(root)) {
    const pid = name.startsWith(SCRATCH) ? name.slice(SCRATCH.length) : undefined
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(root, name), { recursive: true, force: true })
  }
}

function copyCode(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const layer of LAYERS) {
    const isCode = (path: string) => !path.endsWith('.d.ts')
    cpSync(join(from, layer), join(to, layer), { recursive: true, filter: isCode })
  }
}

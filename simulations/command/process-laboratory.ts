/**
 * Runs mutated code in processes of its own: a copy of the compiled code for each mutation, below the repository, so that packages
 * are found. A process that says nothing for long hangs, and is ended; that and a crash count as failures of the seed that
 * was its turn.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { compiledFile, type Mutation, mutate, type Needs } from '../mutations/mutation.ts'
import type { Failure, Laboratory } from '../mutations/run-mutations.ts'

const WORKER = 'simulations/command/mutant-worker.js'
const LAYERS = ['events', 'actors', 'runtime', 'simulations']
const UNMUTATED = 'unmutated'
/** A process keeps what its runs leave behind, so it is replaced now and then. */
const SEEDS_A_PROCESS = 200
/** The longest runs take a few seconds. */
const SILENCE_MS_MAX = 120_000

export class ProcessLaboratory implements Laboratory {
  readonly #dist: string
  readonly #scratch: string

  /** `dist`: the compiled code; if this is run from it, it need not be given. */
  constructor(dist = fileURLToPath(new URL('../..', import.meta.url))) {
    this.#dist = dist
    this.#scratch = join(dist, '..', `.dist-mutants-${process.pid}`)
    this.#copy(UNMUTATED)
  }

  async firstFailure(mutation: Mutation | undefined, from: number, to: number): Promise<Failure | undefined> {
    const directory = mutation ? this.#mutant(mutation) : join(this.#scratch, UNMUTATED)
    try {
      for (let first = from; first <= to; first += SEEDS_A_PROCESS) {
        const failure = await runSeeds(
          directory,
          first,
          Math.min(to, first + SEEDS_A_PROCESS - 1),
          mutation?.needs ?? {},
        )
        if (failure) return failure
      }
      return undefined
    } finally {
      if (mutation) rmSync(directory, { recursive: true, force: true })
    }
  }

  close(): void {
    rmSync(this.#scratch, { recursive: true, force: true })
  }

  #mutant(mutation: Mutation): string {
    const directory = this.#copy(mutation.name)
    const path = join(directory, compiledFile(mutation))
    writeFileSync(path, mutate(readFileSync(path, 'utf8'), mutation))
    return directory
  }

  #copy(name: string): string {
    const directory = join(this.#scratch, name)
    mkdirSync(directory, { recursive: true })
    for (const layer of LAYERS) {
      const isCode = (path: string) => !path.endsWith('.d.ts')
      cpSync(join(this.#dist, layer), join(directory, layer), { recursive: true, filter: isCode })
    }
    return directory
  }
}

interface Line {
  readonly seed: number
  readonly violation?: string
}

async function runSeeds(directory: string, from: number, to: number, needs: Needs): Promise<Failure | undefined> {
  const child = spawn(process.execPath, [join(directory, WORKER), String(from), String(to), JSON.stringify(needs)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const complaint = lastLinesOf(child)
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  let seed = from
  let isSilent = false
  const hang = () => {
    isSilent = true
    child.kill('SIGKILL')
  }
  let silence = setTimeout(hang, SILENCE_MS_MAX)
  for await (const text of createInterface({ input: child.stdout! })) {
    clearTimeout(silence)
    silence = setTimeout(hang, SILENCE_MS_MAX)
    const line = parse(text)
    if (line?.violation !== undefined) {
      clearTimeout(silence)
      child.kill('SIGKILL')
      await exited
      return { seed: line.seed, violation: line.violation }
    }
    if (line) seed = line.seed + 1
  }
  clearTimeout(silence)
  const code = await exited
  if (isSilent) return { seed, violation: 'the run does not end' }
  return code === 0 ? undefined : { seed, violation: `the process of the run ended: ${complaint()}` }
}

/** Whatever else is printed is not for us. */
function parse(text: string): Line | undefined {
  return text.startsWith('{"seed":') ? (JSON.parse(text) as Line) : undefined
}

const COMPLAINT_CHARACTERS_MAX = 1_000

function lastLinesOf(child: ChildProcess): () => string {
  let text = ''
  child.stderr!.on('data', (data: Buffer) => {
    text = (text + data.toString()).slice(-COMPLAINT_CHARACTERS_MAX)
  })
  return () => text.trim()
}

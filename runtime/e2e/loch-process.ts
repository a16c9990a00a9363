/**
 * A whole Loch as a user starts it (`loch up --json`), for end-to-end tests and benchmarks: started, killed without
 * mercy, started again on the same data. It is driven from outside only: command line, SQL and signals.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { removeRemains } from '../control/remains.ts'
import { removeTree } from '../control/remove-tree.ts'
import { instanceOf } from '../data-directory.ts'

export interface Ready {
  readonly url: string
  readonly nats: string
  readonly data: string
  readonly pid: number
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
/** The launcher of the source tree, also when this file was compiled to dist/. */
const launcher = join(root.endsWith('dist') ? dirname(root) : root, 'bin', 'loch.mjs')

export class LochProcess {
  readonly data: string
  readonly port: number
  private readonly flags: readonly string[]
  private readonly env: Readonly<Record<string, string>>
  private child: ChildProcess | undefined
  ready: Ready | undefined
  output = ''

  private constructor(
    data: string,
    port: number,
    flags: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.env = env
    this.data = data
    this.port = port
    this.flags = flags
  }

  static async create(flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<LochProcess> {
    return new LochProcess(mkdtempSync(join(tmpdir(), 'loch-')), await freePort(), flags, env)
  }

  /** Eight hexadecimal digits that name the data directory on this host. */
  get instance(): string {
    return instanceOf(realpathSync(this.data))
  }

  zonePid(name: string): number {
    const pid = this.status().zones.find(({ zone }) => zone === name)?.pid
    if (pid === undefined) throw new Error(`${name} has no process`)
    return pid
  }

  /** Deletes what lies on this host, all but the object store. Call it when nothing runs. */
  loseLocalDisks(): void {
    for (const name of readdirSync(this.data)) {
      if (name !== 'objects') removeTree(join(this.data, name))
    }
  }

  get url(): string {
    if (!this.ready) throw new Error('Loch was not started')
    return this.ready.url
  }

  /** Starts Loch and waits for its ready line. Rejects with all it printed if it ends first. */
  async start(timeoutMs = 90_000): Promise<Ready> {
    const args = [launcher, 'up', '--data', this.data, '--listen', `127.0.0.1:${this.port}`, '--json', ...this.flags]
    const env = { ...process.env, ...this.env }
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.child = child
    this.output = ''
    child.stderr.on('data', (chunk) => {
      this.output += chunk
    })
    this.ready = await new Promise<Ready>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not ready after ${timeoutMs} ms: ${this.output}`)), timeoutMs)
      let lines = ''
      child.stdout.on('data', (chunk) => {
        lines += chunk
        this.output += chunk
        const line = lines.split('\n').find((text) => text.includes('"ready":true'))
        if (!line) return
        clearTimeout(timer)
        resolve(JSON.parse(line) as Ready)
      })
      child.once('exit', (code, signal) => {
        clearTimeout(timer)
        reject(new Error(`loch ended with ${code ?? signal}: ${this.output}`))
      })
    })
    return this.ready
  }

  /** SIGTERM, and wait until it is gone. */
  async stop(): Promise<void> {
    const child = this.child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await gone
  }

  /** kill -9 of the supervisor, every zone and every Postgres of this instance, at once. */
  async killAll(): Promise<void> {
    await until(() => {
      // Again each time: one that was just being started may have been missed.
      const alive = this.processes()
      for (const { pid } of alive) tryKill(pid)
      return alive.length === 0
    }, 20_000)
  }

  /** All processes of this instance: those that name its data directory, and postmasters on its mounts. */
  processes(): ReadonlyArray<{ readonly pid: number; readonly command: string }> {
    const found: Array<{ pid: number; command: string }> = []
    const { instance } = this
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      if (!Number.isInteger(pid) || pid === process.pid) continue
      const command = commandOf(pid)
      // Backends overwrite their arguments; they work in the mount. One that waits for a lock outlives its postmaster.
      const directory = workingDirectoryOf(pid)
      if (directory.startsWith(`/run/loch/${instance}/`)) found.push({ pid, command })
      else if (
        command.includes(this.data) ||
        (command.includes('/run/loch/') && command.includes(`port=${this.port}`))
      ) {
        found.push({ pid, command })
      }
    }
    return found
  }

  status(): LochStatus {
    const result = spawnSync(process.execPath, [launcher, 'status', '--data', this.data, '--json'], {
      encoding: 'utf8',
    })
    if (result.status !== 0) throw new Error(`loch status: ${result.stderr}${result.stdout}`)
    return JSON.parse(result.stdout) as LochStatus
  }

  command(...args: readonly string[]): {
    readonly status: number | null
    readonly stdout: string
    readonly stderr: string
  } {
    return spawnSync(process.execPath, [launcher, ...args], { encoding: 'utf8' })
  }

  /** Stops what runs, and removes what a killed instance leaves behind: mounts, sockets, the data directory. */
  async dispose(): Promise<void> {
    await this.stop()
    await this.killAll()
    const runtime = join('/run/loch', this.instance)
    await removeRemains(runtime)
    removeTree(runtime)
    removeTree(this.data)
  }
}

/** What the tests read of `loch status --json`; control/schemas.ts has the whole. */
export interface LochStatus {
  readonly broker: string
  readonly zones: ReadonlyArray<{
    readonly zone: string
    readonly state: string
    readonly pid?: number
    readonly memoryBytes?: number
    readonly computes: ReadonlyArray<{
      readonly id: string
      readonly role: string
      readonly state: string
      readonly term: number
      readonly durability: string
      readonly positions: { readonly end: number; readonly durable: number; readonly archived: number }
      readonly postgresPid?: number
    }>
  }>
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** By name only: the mount itself is not touched. */
function workingDirectoryOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already, which is what was wanted.
  }
}

/** Waits for a condition, never for time; rejects after `timeoutMs`. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`condition did not hold within ${timeoutMs} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/**
 * Real mounts for tests, each served by a process of its own (mount-main.ts), and programs that use them. Nothing here or
 * in a test may touch a path of a mount itself: a server with a mistake would hang the test and not fail it.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import * as Effect from 'effect/Effect'
import { type Compiled, compile, linesOf } from '../../object-store/testing/compile.ts'
import { type CommandResult, runCommand } from '../../postgres/command.ts'
import { checkFuseUsable } from '../mount.ts'

/** A program on a mount that takes longer hangs. */
const PROGRAM_WITHIN_MS = 20_000

/** Why this host cannot mount, or undefined if it can. */
export async function whatPreventsMounts(): Promise<string | undefined> {
  const usable = await Effect.runPromise(Effect.result(checkFuseUsable()))
  return usable._tag === 'Success' ? undefined : `${usable.failure.problem} (${usable.failure.value})`
}

export function compileMountMain(): Compiled {
  return compile(fileURLToPath(new URL('./mount-main.ts', import.meta.url)))
}

export class MountProcess {
  readonly path: string
  readonly child: ChildProcess
  readonly #lines: string[] = []
  #arrived = () => {}

  constructor(compiled: Compiled, path: string) {
    this.path = path
    this.child = compiled.spawn([path])
    void this.#listen()
  }

  static async start(compiled: Compiled, path: string): Promise<MountProcess> {
    const server = new MountProcess(compiled, path)
    await server.line('mounted')
    return server
  }

  order(line: string): void {
    this.child.stdin!.write(`${line}\n`)
  }

  /** The next line that begins with `start`; lines before it are passed over. */
  async line(start: string): Promise<string> {
    for (;;) {
      const found = this.#lines.findIndex((line) => line.startsWith(start))
      if (found >= 0) return this.#lines.splice(0, found + 1).at(-1)!
      if (this.child.exitCode !== null) throw new Error(`the server ended before it said "${start}"`)
      await new Promise<void>((resolve) => {
        this.#arrived = resolve
      })
    }
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await exited
  }

  async #listen(): Promise<void> {
    for await (const line of linesOf(this.child)) {
      this.#lines.push(line)
      this.#arrived()
    }
    this.#arrived()
  }
}

/** Runs a script of sh with `path` as $1; one that hangs is killed, and its result says so by its signal. */
export function shell(path: string, script: string, ...more: readonly string[]): Promise<CommandResult> {
  const signal = AbortSignal.timeout(PROGRAM_WITHIN_MS)
  return runCommand(['sh', '-euc', script, 'sh', path, ...more], { signal })
}

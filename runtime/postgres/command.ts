/**
 * Runs a short-lived program to its end and returns what it said. Nothing here knows what the program is; a program
 * that outlives its answer (the postmaster) is started in `server.ts`. The working directory is always `/`: a child
 * whose working directory lay on a Loch mount would keep that mount busy, and could not be started on a dead one.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

export interface CommandResult {
  /** Exit code; null if a signal ended the program; 127 if it could not be started. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** Aborting kills the program (SIGKILL). */
  readonly signal?: AbortSignal
}

/** Output beyond this is dropped: these programs print a page, and a runaway one must not take our memory. */
const OUTPUT_BYTES_MAX = 256 * 1024

/** Where programs are looked for when PATH does not say, as in a service manager's bare environment. */
const STANDARD_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The environment of every child: C messages (they are parsed), UTC, and nothing inherited but the search path. */
export const BASE_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: STANDARD_PATH,
  LC_ALL: 'C',
  TZ: 'UTC',
  HOME: '/',
}

/** Never rejects: a program that cannot be started is reported like one that failed, with code 127. */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: '/',
      env: { ...BASE_ENVIRONMENT, ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      killSignal: 'SIGKILL',
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    let stdout = ''
    let stderr = ''
    let startFailure = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < OUTPUT_BYTES_MAX) stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < OUTPUT_BYTES_MAX) stderr += text
    })
    // A program that exits without reading its input closes the pipe: that is its right, and its code tells the story.
    child.stdin.on('error', () => {})
    child.stdin.end(options.stdin ?? '')
    child.on('error', (error) => {
      startFailure = error.message
      if (child.pid === undefined) resolve({ code: 127, signal: null, stdout, stderr: startFailure })
    })
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr: stderr || startFailure }))
  })
}

/** Absolute path of an executable in PATH or the standard directories, or undefined. */
export function findProgram(name: string): string | undefined {
  const directories = `${process.env['PATH'] ?? ''}:${STANDARD_PATH}`.split(':').filter((part) => part.startsWith('/'))
  for (const directory of directories) {
    const path = join(directory, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not in this directory: the next one may have it.
    }
  }
  return undefined
}

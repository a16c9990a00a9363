/**
 * Where commands print. Results go to stdout and complaints to stderr, synchronously, so that nothing is lost when the
 * process exits right after; a reader that closes the pipe (`loch logs | head`) ends the process quietly.
 */
import { writeSync } from 'node:fs'
import { DiskFailed } from '../errors.ts'

export interface Output {
  /** Machine-readable output was asked for. */
  readonly json: boolean
  readonly text: (text: string) => void
  /** With a line break at its end. */
  readonly line: (line: string) => void
  readonly complain: (line: string) => void
  /** To stdout as they are. */
  readonly bytes: (bytes: Uint8Array) => void
}

export function standardOutput(json: boolean): Output {
  return {
    json,
    text: (text) => writeAll(process.stdout.fd, text),
    line: (line) => writeAll(process.stdout.fd, `${line}\n`),
    complain: (line) => writeAll(process.stderr.fd, `${line}\n`),
    bytes: (bytes) => writeAll(process.stdout.fd, bytes),
  }
}

/** How long to wait when a pipe is full. Its reader decides how fast we print. */
const FULL_PIPE_WAIT_MS = 5
const sleeper = new Int32Array(new SharedArrayBuffer(4))

function writeAll(file: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(file, bytes, written)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code === 'EPIPE') process.exit(0)
      if (code !== 'EAGAIN') throw cannotWrite(file, code, error)
      Atomics.wait(sleeper, 0, 0, FULL_PIPE_WAIT_MS)
    }
  }
}

function cannotWrite(file: number, code: unknown, cause: unknown): DiskFailed {
  return new DiskFailed({
    component: 'output',
    value: file === process.stderr.fd ? 'stderr' : 'stdout',
    problem: `it cannot be written (${code ?? cause})`,
    remedy: 'Make room where it goes, or send it elsewhere.',
    cause,
  })
}

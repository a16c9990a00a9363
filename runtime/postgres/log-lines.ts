/**
 * Reads Postgres's stderr: cuts it into lines, keeps the last ones, and tells from them why a start failed. The English
 * text is stable: `settings.ts` fixes lc_messages. Only strings here; who reads the pipe is `server.ts`.
 */

/** Enough for the FATAL line with its HINT and what led to it, little enough for an error message. */
const TAIL_LINES_MAX = 40
/** A line longer than this (a logged statement) is cut, so that a log without newlines cannot take our memory. */
const LINE_LENGTH_MAX = 16 * 1024

/** Cuts chunks into lines and passes on each line that is worth reading. */
export class LogLines {
  readonly #onLine: (line: string) => void
  readonly #tail: string[] = []
  #rest = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(chunk: string): void {
    const parts = (this.#rest + chunk).split('\n')
    this.#rest = (parts.pop() ?? '').slice(0, LINE_LENGTH_MAX)
    for (const line of parts) this.#take(line)
  }

  /** The pipe has ended: what is left is a line too. */
  end(): void {
    if (this.#rest !== '') this.#take(this.#rest)
    this.#rest = ''
  }

  /** The last lines passed on, oldest first. */
  get tail(): readonly string[] {
    return this.#tail
  }

  #take(line: string): void {
    if (isNoise(line)) return
    this.#tail.push(line)
    if (this.#tail.length > TAIL_LINES_MAX) this.#tail.shift()
    this.#onLine(line)
  }
}

/** Lines that our own polling causes: of a starting server for its first answer, of a standby for more WAL. */
const NOISE = [
  /FATAL: {2}the database system is (starting up|not yet accepting connections)$/,
  /DETAIL: {2}Consistent recovery state has not been yet reached\.$/,
  /LOG: {2}waiting for WAL to become available at /,
]

export function isNoise(line: string): boolean {
  return NOISE.some((pattern) => pattern.test(line))
}

/** True for the lines by which Postgres says that it takes connections: the moment to ask it. */
export function saysReady(line: string): boolean {
  return /LOG: {2}database system is ready to accept (read-only )?connections$/.test(line)
}

/** The address of a line that says that somebody else holds it, or undefined. */
export function takenAddress(line: string): string | undefined {
  const match = /could not bind \S+ address "([^"]*)": Address already in use/.exec(line)
  return match?.[1]
}

/** Why the server gave up: the text of its last PANIC or FATAL line, with the HINT and DETAIL that belong to it. */
export function fatalText(lines: readonly string[]): string | undefined {
  const at = lines.findLastIndex((line) => /(^|\W)(PANIC|FATAL): {2}/.test(line))
  if (at < 0) return undefined
  const first = lines[at]!.replace(/^.*?(PANIC|FATAL): {2}/, '$1: ')
  const more = lines
    .slice(at + 1)
    .map((line) => /(?:^|\W)(HINT|DETAIL): {2}(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => `${match[1]}: ${match[2]}`)
  return [first, ...more.slice(0, 2)].join(' ')
}

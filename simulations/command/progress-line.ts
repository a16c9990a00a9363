/**
 * One line on stderr that says how far a campaign has got: rewritten in place on a terminal, printed anew now and then
 * elsewhere. Stdout is kept for results.
 */
export interface ProgressOptions {
  readonly isTerminal: boolean
  /** Of the terminal. */
  readonly columns: number
  readonly write: (text: string) => void
  /** In so many characters if possible: what is more is cut off. */
  readonly line: (room: number) => string
}

const REWRITE_INTERVAL_MS = 250
const PRINT_INTERVAL_MS = 10_000
const CLEAR_LINE = '\r\u001b[2K'

export class ProgressLine {
  readonly #options: ProgressOptions
  readonly #timer: NodeJS.Timeout

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.show(), options.isTerminal ? REWRITE_INTERVAL_MS : PRINT_INTERVAL_MS)
  }

  show(): void {
    const { isTerminal, columns, write, line } = this.#options
    // A line that wraps cannot be rewritten.
    const room = isTerminal ? columns - 1 : Number.POSITIVE_INFINITY
    write(isTerminal ? `${CLEAR_LINE}${line(room).slice(0, room)}` : `${line(room)}\n`)
  }

  /** Makes room for something that stays. */
  clear(): void {
    if (this.#options.isTerminal) this.#options.write(CLEAR_LINE)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.clear()
  }
}

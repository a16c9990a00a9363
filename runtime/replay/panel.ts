/**
 * Lines that the terminal view shows instead of the events: scrolled, and never cut without a mark that says how many more there
 * are. What stands in them is its maker's business; nothing here knows of logs.
 */

/** For a window so wide. */
export type Lines = (columns: number) => readonly string[]

/** To the side, in columns: a name of the diagram and its distance to the next. */
const SHIFT_COLUMNS = 22

export class Panel {
  readonly #lines: Lines
  /** The first line and column that are shown. */
  #top = 0
  #left = 0
  /** Lines that were shown last. */
  #rows = 1

  constructor(lines: Lines) {
    this.#lines = lines
  }

  /** False if the key is none that scrolls. */
  scroll(key: string): boolean {
    switch (key) {
      case 'up':
        this.#top = Math.max(0, this.#top - 1)
        return true
      case 'down':
        this.#top++
        return true
      case 'pageup':
        this.#top = Math.max(0, this.#top - this.#rows)
        return true
      case 'pagedown':
        this.#top += this.#rows
        return true
      case 'home':
        this.#top = 0
        return true
      case 'end':
        this.#top = Number.MAX_SAFE_INTEGER
        return true
      case 'left':
        this.#left = Math.max(0, this.#left - SHIFT_COLUMNS)
        return true
      case 'right':
        this.#left += SHIFT_COLUMNS
        return true
      default:
        return false
    }
  }

  /** At most so many lines, the last of which tells of those that there is no room for. */
  render(columns: number, rows: number): readonly string[] {
    const lines = this.#lines(columns)
    const isWhole = lines.length <= rows
    this.#rows = isWhole ? rows : Math.max(1, rows - 1)
    const last = lines.length - Math.min(this.#rows, lines.length)
    this.#top = Math.min(this.#top, last)
    const widest = Math.max(0, ...lines.map((line) => line.length))
    this.#left = Math.min(this.#left, Math.max(0, widest - columns))
    const shown = lines.slice(this.#top, this.#top + this.#rows).map((line) => line.slice(this.#left))
    return isWhole || rows < 2 ? shown : [...shown, moreLine(this.#top, last - this.#top)]
  }
}

function moreLine(above: number, below: number): string {
  if (above === 0) return `… ${below} more`
  return below === 0 ? `… ${above} above` : `… ${below} more, ${above} above`
}

/** Text cut into lines that fit a window. Nothing is left out here; who has too little room says so elsewhere. */

const SEPARATOR = '  '

/** As many items on each line as it has room for. */
export function packed(items: readonly string[], columns: number): readonly string[] {
  const lines: string[] = []
  for (const item of items) {
    const last = lines.at(-1)
    const longer = `${last}${SEPARATOR}${item}`
    if (last === undefined || longer.length > columns) lines.push(item)
    else lines[lines.length - 1] = longer
  }
  return lines
}

/** Between words, but for words that are wider than a line. */
export function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = []
  let rest = text
  while (rest.length > columns) {
    const space = rest.lastIndexOf(' ', columns)
    const end = space > 0 ? space : columns
    lines.push(rest.slice(0, end))
    rest = rest.slice(end).trimStart()
  }
  return [...lines, rest]
}

/** Wherever a line is full, so that each character stays where it is while more is typed. */
export function filled(text: string, columns: number): readonly string[] {
  const lines: string[] = []
  for (let at = 0; at === 0 || at < text.length; at += columns) lines.push(text.slice(at, at + columns))
  return lines
}

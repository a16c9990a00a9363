/** Columns of text for a terminal, each as wide as its widest cell. Results of SQL have a table of their own. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  // A column that nobody has anything to say in is left out.
  const used = header.map((_, column) => rows.length === 0 || rows.some((row) => row[column] !== ''))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .filter((_, column) => used[column])
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

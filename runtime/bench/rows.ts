/**
 * The benchmark's result: one row a measure, with the bound that its median must hold, as a table for people and as JSON
 * for machines. Pure.
 */
export interface Row {
  readonly measure: string
  /** One a round. */
  readonly values: readonly number[]
  readonly unit: string
  /** At least (`min`) or at most (`max`); absent for what is only reported. */
  readonly bound?: { readonly min: number } | { readonly max: number }
}

export function holds(row: Row): boolean {
  const value = median(row.values)
  if (!row.values.every(Number.isFinite) || !Number.isFinite(value)) return false
  if (!row.bound) return true
  return 'min' in row.bound ? value >= row.bound.min : value <= row.bound.max
}

export function toJson(row: Row): string {
  const { measure, values, unit, bound = null } = row
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return JSON.stringify({ measure, value: median(values), least, most, values, unit, bound, holds: holds(row) })
}

/** Markdown, so that the result can be stored as it is printed. */
export function toTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const cells = [
      row.measure,
      `${format(median(row.values))} ${row.unit}`,
      range(row.values),
      boundOf(row),
      verdict(row),
    ]
    return `| ${cells.map((cell) => cell.trim()).join(' | ')} |`
  })
  return ['| measure | median | range | bound | holds |', '| --- | --- | --- | --- | --- |', ...lines].join('\n')
}

function boundOf({ bound }: Row): string {
  if (!bound) return '–'
  return 'min' in bound ? `≥ ${bound.min}` : `≤ ${bound.max}`
}

/** What holds no bound holds nothing. A figure that could not be had is a failure all the same. */
function verdict(row: Row): string {
  if (!holds(row)) return 'NO'
  return row.bound ? 'yes' : '–'
}

function range(values: readonly number[]): string {
  return values.length < 2 ? '–' : `${format(Math.min(...values))} – ${format(Math.max(...values))}`
}

function format(value: number): string {
  if (!Number.isFinite(value)) return 'not measured'
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * The benchmark's result: one row a measure, with the bound it must hold, as a table for people and as JSON for
 * machines. Pure.
 */
export interface Row {
  readonly measure: string
  readonly value: number
  readonly unit: string
  /** At least (`min`) or at most (`max`); absent for what is only reported. */
  readonly bound?: { readonly min: number } | { readonly max: number }
}

export function holds(row: Row): boolean {
  if (!Number.isFinite(row.value)) return false
  if (!row.bound) return true
  return 'min' in row.bound ? row.value >= row.bound.min : row.value <= row.bound.max
}

export function boundText(row: Row): string {
  if (!row.bound) return 'reported'
  return 'min' in row.bound ? `≥ ${row.bound.min}` : `≤ ${row.bound.max}`
}

export function toJson(row: Row): string {
  return JSON.stringify({
    measure: row.measure,
    value: row.value,
    unit: row.unit,
    bound: row.bound ?? null,
    holds: holds(row),
  })
}

/** Markdown, so that the result can be stored as it is printed. */
export function toTable(rows: readonly Row[]): string {
  const lines = rows.map(
    (row) => `| ${row.measure} | ${format(row.value)} ${row.unit} | ${boundText(row)} | ${holds(row) ? 'yes' : 'NO'} |`,
  )
  return ['| measure | value | bound | holds |', '| --- | --- | --- | --- |', ...lines].join('\n')
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

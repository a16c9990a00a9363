/** Prints results of `sql.ts` as psql does, for people at a terminal. Pure text: knows nothing of connections. */
import type { SqlField, StatementResult } from './sql.ts'

/** Oids of types whose values are aligned right: int8, int2, int4, oid, float4, float8, money, numeric (pg_type.dat). */
const RIGHT_ALIGNED: readonly number[] = [20, 21, 23, 26, 700, 701, 790, 1700]

/** A character that takes two columns of a terminal (East Asian wide and most emoji). */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
const ZERO_WIDTH = /\p{Mn}|\p{Me}|[\u200b-\u200d]/u

/**
 * One result as text without a final newline: notices, then the table with its row count, or the command tag.
 * Values with line breaks continue on further lines, marked by `+` as in psql; NULL is empty.
 */
export function formatTable(result: StatementResult): string {
  const notices = result.notices.map((notice) => `${notice.severity}:  ${notice.message}`)
  const table = isTable(result) ? tableLines(result) : [result.command]
  return [...notices, ...table].filter((line) => line !== '').join('\n')
}

/** A SELECT of no columns is still a table. */
function isTable(result: StatementResult): boolean {
  return result.fields.length > 0 || result.rows.length > 0
}

function tableLines(result: StatementResult): readonly string[] {
  const header = result.fields.map((field) => clean(field.name))
  const body = result.rows.map((row) => result.fields.map((_, column) => cellLines(row[column] ?? null)))
  const widths = header.map((name, column) => Math.max(width(name), ...body.map((row) => widest(row[column]!))))
  const count = result.rows.length
  return [
    header
      .map((name, column) => ` ${center(name, widths[column]!)} `)
      .join('|')
      .trimEnd(),
    widths.map((columns) => '-'.repeat(columns + 2)).join('+'),
    ...body.flatMap((row) => rowLines(row, result.fields, widths)),
    count === 1 ? '(1 row)' : `(${count} rows)`,
  ]
}

function rowLines(
  row: readonly (readonly string[])[],
  fields: readonly SqlField[],
  widths: readonly number[],
): string[] {
  const height = Math.max(1, ...row.map((lines) => lines.length))
  return Array.from({ length: height }, (_, line) =>
    row
      .map((lines, column) => {
        const mark = line + 1 < lines.length ? '+' : ' '
        return ` ${pad(lines[line] ?? '', widths[column]!, isRightAligned(fields[column]))}${mark}`
      })
      .join('|')
      .trimEnd(),
  )
}

function isRightAligned(field: SqlField | undefined): boolean {
  return field !== undefined && RIGHT_ALIGNED.includes(field.typeId)
}

function cellLines(value: string | null): readonly string[] {
  return value === null ? [''] : value.split('\n').map(clean)
}

/** Control characters could move the cursor or recolour the terminal: they are shown by their code. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`
  })
}

function widest(lines: readonly string[]): number {
  return Math.max(...lines.map(width))
}

function width(text: string): number {
  let columns = 0
  for (const character of text) columns += ZERO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return columns
}

function pad(text: string, columns: number, right: boolean): string {
  const blanks = ' '.repeat(columns - width(text))
  return right ? blanks + text : text + blanks
}

function center(text: string, columns: number): string {
  const blanks = columns - width(text)
  const left = Math.floor(blanks / 2)
  return ' '.repeat(left) + text + ' '.repeat(blanks - left)
}

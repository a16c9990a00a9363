import { expect, test } from 'vitest'
import type { StatementResult } from './sql.ts'
import { formatTable } from './sql-table.ts'

const result = (changes: Partial<StatementResult>): StatementResult => ({
  fields: [],
  rows: [],
  command: '',
  notices: [],
  ...changes,
})
const int = 23
const text = 25

test('numbers stand right, text left, NULL is empty and the rows are counted', () => {
  const fields = [
    { name: 'id', typeId: int },
    { name: 'name', typeId: text },
  ]
  const rows = [
    ['1', 'Ada'],
    ['1000', null],
  ]
  expect(formatTable(result({ fields, rows })).split('\n')).toEqual([
    '  id  | name',
    '------+------',
    '    1 | Ada',
    ' 1000 |',
    '(2 rows)',
  ])
})

test('a value of several lines goes on below itself, marked by a plus', () => {
  const fields = [
    { name: 'a', typeId: text },
    { name: 'b', typeId: text },
  ]
  const lines = formatTable(result({ fields, rows: [['one\ntwo', 'x']] })).split('\n')
  expect(lines.slice(2)).toEqual([' one+| x', ' two |', '(1 row)'])
})

test('wide characters take two columns, and control characters cannot reach the terminal', () => {
  const fields = [{ name: 'a', typeId: text }]
  const lines = formatTable(result({ fields, rows: [['日本'], ['\u001b[31m'], ['e\u0301']] })).split('\n')
  expect(lines[1]).toBe('-'.repeat(10))
  expect(lines[2]).toBe(' 日本')
  expect(lines[3]).toBe(' \\x1B[31m')
})

test('a statement without rows shows its tag, after its notices; a table without rows is still a table', () => {
  const notices = [{ severity: 'NOTICE', message: 'careful' }]
  expect(formatTable(result({ command: 'CREATE TABLE', notices }))).toBe('NOTICE:  careful\nCREATE TABLE')
  expect(formatTable(result({ fields: [{ name: 'a', typeId: text }], command: 'SELECT 0' }))).toContain('(0 rows)')
})

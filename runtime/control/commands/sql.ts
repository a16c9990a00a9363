/**
 * `loch sql`: runs SQL without psql. The text is the argument, or standard input. People get tables as psql prints them;
 * --json prints one line per statement: `{command, fields, rows, notices}`, values as Postgres prints them, rows as
 * arrays because two columns may have one name.
 */

import { dataPaths } from '../../data-directory.ts'
import { BadArgument } from '../../errors.ts'
import { reachable, readPassword } from '../../postgres/credentials.ts'
import { query, type StatementResult } from '../../postgres/sql.ts'
import { formatTable } from '../../postgres/sql-table.ts'
import type { Command } from '../cli.ts'
import { requireRunningInstance } from '../running-instance.ts'

export const sqlCommand: Command<'sql'> = async ({ values, operands }, output) => {
  const { listen } = requireRunningInstance(values.data, 'sql')
  const text = operands[0] ?? (await readInput())
  const password = readPassword(dataPaths(values.data).password)
  const { user, database } = values
  const connection = { ...listen, host: reachable(listen.host), user, database }
  const results = await query({ ...connection, ...(password === undefined ? {} : { password }) }, text)
  for (const result of results) output.line(output.json ? toJson(result) : formatTable(result))
}

export function toJson({ command, fields, rows, notices }: StatementResult): string {
  return JSON.stringify({ command, fields: fields.map(({ name }) => name), rows, notices })
}

async function readInput(): Promise<string> {
  if (process.stdin.isTTY) {
    throw new BadArgument({
      component: 'loch sql',
      value: '',
      problem: 'there is no SQL to run',
      remedy: "Give it as an argument (loch sql 'select 1') or on standard input (loch sql < file.sql).",
    })
  }
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

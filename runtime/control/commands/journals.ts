/** `loch journals`: the journals of all actors, or the events of one, oldest first. */
import type { Command } from '../cli.ts'
import { withLoch } from '../connection.ts'
import { textTable } from '../text-table.ts'

export const journalsCommand: Command<'journals'> = ({ values, operands }, output) =>
  withLoch(values.data, 'journals', async (client) => {
    const journal = operands[0]
    if (journal === undefined) {
      const { journals } = await client.journals.list()
      if (output.json) for (const entry of journals) output.line(JSON.stringify(entry))
      else
        output.line(
          textTable(
            ['JOURNAL', 'ACTOR'],
            journals.map((entry) => [entry.journal, entry.actor]),
          ),
        )
      return
    }
    const { events, more } = await client.journals.read({ journal, after: values.after, limit: values.limit })
    for (const event of events) {
      const { sequence, at, type, payload } = event
      const shown = `${String(sequence).padStart(6)}  ${new Date(at).toISOString()}  ${type}  ${JSON.stringify(payload)}`
      output.line(output.json ? JSON.stringify(event) : shown)
    }
    const last = events.at(-1)?.sequence
    if (more && last !== undefined) output.complain(`There are more: loch journals --after ${last} ${journal}`)
  })

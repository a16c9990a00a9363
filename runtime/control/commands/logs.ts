/** `loch logs`: the end of a log of the running Loch, and with --follow what is added to it, until Ctrl-C. */
import type { Command } from '../cli.ts'
import { withLoch } from '../connection.ts'

/** Quick enough for somebody who watches, and a request every so often is nothing to the supervisor. */
const FOLLOW_POLL_MS = 250

export const logsCommand: Command<'logs'> = ({ values }, output) =>
  withLoch(values.data, 'logs', async (client) => {
    const log = values.zone
    const print = (lines: readonly string[]) => {
      for (const line of lines) output.line(output.json ? JSON.stringify({ log, line }) : line)
    }
    let { lines, cursor } = await client.logs.tail({ log, lines: values.lines })
    print(lines)
    while (values.follow) {
      // Where lines came there may be more: who reads slower than is written loses what is rotated away twice.
      if (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, FOLLOW_POLL_MS))
      ;({ lines, cursor } = await client.logs.tail({ log, lines: FOLLOW_LINES, cursor }))
      print(lines)
    }
  })

const FOLLOW_LINES = 1_000

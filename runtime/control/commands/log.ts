/**
 * `loch log export`: what the actors of all zones heard and did, as one file on stdout for `loch replay`, or with --json as one
 * event a line. It reads the data directory and needs no running Loch.
 */
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../../events/checksum.ts'
import { dataPaths } from '../../data-directory.ts'
import { BadArgument } from '../../errors.ts'
import { recordedEvents, writeRunLog } from '../../replay/export.ts'
import { eventJson } from '../../replay/rows.ts'
import { parseDuration, parseTime } from '../../replay/times.ts'
import type { Command } from '../cli.ts'

export const logCommand: Command<'log'> = async ({ values, operands }, output) => {
  if (operands[0] !== 'export') {
    throw new BadArgument({
      component: 'loch log',
      value: operands[0] ?? '',
      problem: operands[0] === undefined ? 'what to do is missing' : 'this cannot be done',
      remedy: 'Write `loch log export > run.loch`.',
    })
  }
  const sinceMs = values.since === undefined ? Number.NEGATIVE_INFINITY : sinceOf(values.since)
  useChecksum((bytes, before) => crc32(bytes, before))
  const events = recordedEvents(dataPaths(values.data).zones, sinceMs, output.complain)
  if (output.json) {
    for await (const { event } of events) output.line(JSON.stringify(eventJson(event)))
    return
  }
  if (process.stdout.isTTY === true) {
    throw new BadArgument({
      component: 'loch log export',
      value: 'the terminal',
      problem: 'a run log is no text',
      remedy: 'Write `loch log export > run.loch`, or --json for text.',
    })
  }
  await writeRunLog(events, output.bytes)
}

function sinceOf(text: string): number {
  const now = Date.now()
  const ago = parseDuration(text)
  const at = ago === undefined ? parseTime(text, now) : now - ago
  if (at !== undefined) return at
  throw new BadArgument({
    component: '--since',
    value: text,
    problem: 'this is neither a time nor a duration',
    remedy: 'Write for example 10m, 2h, 3d, or 2026-01-31T12:00:00Z.',
  })
}

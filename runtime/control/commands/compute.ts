/** `loch compute start|stop|status`: orders to an endpoint, and the computes that run for it. */
import { BadArgument } from '../../errors.ts'
import type { Command } from '../cli.ts'
import { withLoch } from '../connection.ts'
import { textTable } from '../text-table.ts'
import { COMPUTE_COLUMNS, computeRow } from './status.ts'

export const computeCommand: Command<'compute'> = ({ values, operands }, output) => {
  const verb = operands[0] ?? 'status'
  if (verb !== 'start' && verb !== 'stop' && verb !== 'status') throw unknownVerb(verb)
  const request = values.endpoint === undefined ? {} : { endpoint: values.endpoint }
  return withLoch(values.data, 'compute', async (client) => {
    if (verb === 'status') {
      const { computes } = await client.computes.status(request)
      const table = textTable(
        COMPUTE_COLUMNS,
        computes.map((compute) => computeRow(compute.zone, compute)),
      )
      output.line(output.json ? JSON.stringify({ computes }) : computes.length === 0 ? 'No computes.' : table)
      return
    }
    const answer = await (verb === 'start' ? client.computes.start(request) : client.computes.stop(request))
    const note = answer.note === '' ? '' : ` (${answer.note})`
    output.line(output.json ? JSON.stringify(answer) : `Endpoint ${answer.endpoint} is ${answer.state}${note}.`)
  })
}

function unknownVerb(verb: string): BadArgument {
  return new BadArgument({
    component: 'loch compute',
    value: verb,
    problem: 'there is no such order',
    remedy: 'Write loch compute start, stop or status.',
  })
}

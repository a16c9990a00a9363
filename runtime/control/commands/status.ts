/** `loch status`: what runs, zone by zone. With --json the answer of the control API, and NATS's address besides. */
import type { Command } from '../cli.ts'
import { withLoch } from '../connection.ts'
import type { ComputeStatus, LochStatus, ZoneStatus } from '../schemas.ts'
import { textTable } from '../text-table.ts'

export const statusCommand: Command<'status'> = ({ values }, output) =>
  withLoch(values.data, 'status', async (client, instance) => {
    const status = await client.status()
    if (output.json) output.line(JSON.stringify({ ...status, nats: instance.natsUrl }))
    else output.text(formatStatus(status))
  })

export function formatStatus(status: LochStatus): string {
  const computes = status.zones.flatMap((zone) => zone.computes.map((compute) => ({ zone: zone.zone, compute })))
  const head = [
    `Project ${status.project} of Loch ${status.version}, instance ${status.instance}, process ${status.pid} (${megabytes(status.memoryBytes)})`,
    `Clients ${status.listen}   NATS ${status.broker}   Objects ${status.objectStore}   Data ${status.data}`,
  ]
  const zones = textTable(
    ['ZONE', 'STATE', 'LEADER', 'PID', 'MEMORY', 'RESTARTS', 'SAFEKEEPERS (TERM FLUSHED ARCHIVED)', 'PROBLEM'],
    status.zones.map(zoneRow),
  )
  const running = textTable(
    COMPUTE_COLUMNS,
    computes.map(({ zone, compute }) => computeRow(zone, compute)),
  )
  return `${[...head, '', zones, '', computes.length === 0 ? 'No computes.' : running].join('\n')}\n`
}

/** Of `computeRow`. */
export const COMPUTE_COLUMNS: readonly string[] = [
  'COMPUTE',
  'ZONE',
  'ROLE',
  'STATE',
  'TERM',
  'PID',
  'POSTGRES',
  'END',
  'DURABLE',
  'ARCHIVED',
  'DURABILITY',
  'PROBLEM',
]

function zoneRow(zone: ZoneStatus): readonly string[] {
  const safekeepers = zone.safekeepers.map(
    ({ timeline, state, term, flushed, archived }) => `${timeline} ${state} (${term} ${flushed} ${archived})`,
  )
  return [
    zone.zone,
    zone.state,
    zone.leader ? 'yes' : '',
    String(zone.pid ?? ''),
    zone.memoryBytes === undefined ? '' : megabytes(zone.memoryBytes),
    String(zone.restarts),
    safekeepers.join(', '),
    zone.problem ?? '',
  ]
}

export function computeRow(zone: string, compute: ComputeStatus): readonly string[] {
  const { end, durable, archived } = compute.positions
  return [
    compute.id,
    zone,
    compute.role,
    compute.state,
    String(compute.term),
    String(compute.pid),
    String(compute.postgresPid ?? ''),
    ...[end, durable, archived].map(String),
    compute.durability,
    compute.problem ?? '',
  ]
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`
}

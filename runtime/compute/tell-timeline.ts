/** A reign's word to its timeline, which answers once its journal has it. One door, so that no fact lacks its cause. */
import type { TimelineCommand } from '../../events/timeline.ts'
import { askActor } from '../system/ask.ts'
import { run } from '../system/run.ts'
import type { ReignPorts } from './reign-ports.ts'

/** Without the time, which is now. Distributes over the union. */
type Untimed<Command> = Command extends TimelineCommand ? Omit<Command, 'at'> : never

/** Rejects with what the timeline refuses with; NoAnswer while nobody hosts it. */
export async function tellTimeline(ports: ReignPorts, command: Untimed<TimelineCommand>): Promise<void> {
  const { bus, project, timeline, nowMs, newId, cause } = ports
  await run(askActor(bus, project, `timeline.${timeline}`, { ...command, at: nowMs() }, newId, cause))
}

/**
 * `loch stop`: asks the supervisor to stop, over NATS like everybody, and waits until its process is gone. A supervisor
 * that does not answer is sent SIGTERM. That nothing runs is no error: what was wanted is so.
 */
import { isLochError, NoAnswer } from '../../errors.ts'
import type { Command } from '../cli.ts'
import { withLoch } from '../connection.ts'
import { isAlive } from '../ownership.ts'
import { findRunningInstance, type RunningInstance } from '../running-instance.ts'

/** The supervisor's own patience with its zones (supervisor.ts), and room for the rest. */
const GONE_WITHIN_MS = 60_000
const POLL_MS = 20

export const stopCommand: Command<'stop'> = async ({ values }, output) => {
  const instance = findRunningInstance(values.data)
  if (instance === undefined) {
    output.line(output.json ? JSON.stringify({ stopped: true, wasRunning: false }) : 'Nothing runs there.')
    return
  }
  const { pid } = instance
  if (!output.json) output.complain(`Stopping process ${pid} ...`)
  const begin = performance.now()
  await requestStop(values.data, instance)
  await gone(instance)
  const elapsedMs = Math.round(performance.now() - begin)
  const result = { stopped: true, wasRunning: true, pid, elapsedMs }
  output.line(output.json ? JSON.stringify(result) : `Stopped in ${elapsedMs} ms.`)
}

async function requestStop(data: string, instance: RunningInstance): Promise<void> {
  try {
    await withLoch(data, 'stop', (client) => client.stop())
  } catch (error) {
    if (!isLochError(error)) throw error
    // Its NATS is gone, or it hangs, or it is gone already.
    if (isAlive(instance)) process.kill(instance.pid, 'SIGTERM')
  }
}

async function gone(instance: RunningInstance): Promise<void> {
  const deadline = performance.now() + GONE_WITHIN_MS
  while (isAlive(instance)) {
    if (performance.now() > deadline) {
      throw new NoAnswer({
        component: 'loch stop',
        value: `process ${instance.pid}`,
        problem: `it has not ended within ${GONE_WITHIN_MS / 1_000} s`,
        remedy: `See logs/loch.log in ${instance.data}. kill -9 ${instance.pid} loses nothing that was committed.`,
      })
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

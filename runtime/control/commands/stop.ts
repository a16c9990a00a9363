/**
 * `loch stop`: asks the supervisor to stop, over NATS like everybody, and waits until its process is gone. A supervisor
 * that does not answer is sent SIGTERM. That nothing runs is no error: what was wanted is so.
 */
import { dataPaths } from '../../data-directory.ts'
import { isLochError, NoAnswer } from '../../errors.ts'
import type { Command } from '../cli.ts'
import { withLoch } from '../connection.ts'
import { findOwner, isAlive, type ProcessName } from '../ownership.ts'
import { findRunningInstance } from '../running-instance.ts'

/** The supervisor's own patience with its zones (supervisor.ts), and room for the rest. */
const GONE_WITHIN_MS = 60_000
const POLL_MS = 20

export const stopCommand: Command<'stop'> = async ({ values }, output) => {
  const paths = dataPaths(values.data)
  // One that is just starting owns the directory, and cannot be asked over NATS yet.
  const supervisor = findRunningInstance(values.data) ?? findOwner(paths.run)
  if (supervisor === undefined) {
    output.line(output.json ? JSON.stringify({ stopped: true, wasRunning: false }) : 'Nothing runs there.')
    return
  }
  const { pid } = supervisor
  if (!output.json) output.complain(`Stopping process ${pid} ...`)
  const begin = performance.now()
  await requestStop(values.data, supervisor)
  await gone(supervisor, paths.logs)
  const elapsedMs = Math.round(performance.now() - begin)
  const result = { stopped: true, wasRunning: true, pid, elapsedMs }
  output.line(output.json ? JSON.stringify(result) : `Stopped in ${elapsedMs} ms.`)
}

async function requestStop(data: string, supervisor: ProcessName): Promise<void> {
  try {
    await withLoch(data, 'stop', (client) => client.stop())
  } catch (error) {
    if (!isLochError(error)) throw error
    // It is starting, its NATS is gone, or it hangs, or it is gone already.
    if (isAlive(supervisor)) process.kill(supervisor.pid, 'SIGTERM')
  }
}

async function gone(supervisor: ProcessName, logs: string): Promise<void> {
  const deadline = performance.now() + GONE_WITHIN_MS
  while (isAlive(supervisor)) {
    if (performance.now() > deadline) {
      throw new NoAnswer({
        component: 'loch stop',
        value: `process ${supervisor.pid}`,
        problem: `it has not ended within ${GONE_WITHIN_MS / 1_000} s`,
        remedy: `See ${logs}/loch.log. kill -9 ${supervisor.pid} loses nothing that was committed.`,
      })
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

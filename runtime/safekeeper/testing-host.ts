/**
 * A program for host.test.ts: starts a zone's safekeepers in their thread and waits to be killed or told to stop. Node 20
 * cannot load TypeScript in a worker, so the test compiles this.
 */
import { describe, isLochError } from '../errors.ts'
import { startSafekeepers } from './host.ts'

// Compiled along, because it is only named as a file.
export type {} from './worker.ts'

const [natsUrl = '', objectStore = '', directory = '', zone = ''] = process.argv.slice(2)

try {
  const safekeepers = await startSafekeepers({
    project: 'test',
    zone,
    zones: [zone],
    timelines: ['main'],
    natsUrl,
    objectStore,
    directory,
    report: (line) => process.stdout.write(`report ${line}\n`),
  })
  void safekeepers.failed.then((error) => process.stdout.write(`failed ${error.message}\n`))
  process.stdout.write('ready\n')
  process.stdin.on('data', async (line) => {
    if (String(line).startsWith('add')) await safekeepers.add('other')
    if (String(line).startsWith('stop')) {
      await safekeepers.stop()
      process.stdout.write('stopped\n')
      const late = await safekeepers.statuses().catch((error: Error) => error.message)
      await safekeepers.stop()
      process.stdout.write(`stopped again, ${late}\n`)
      process.exit(0)
    }
    process.stdout.write(`statuses ${JSON.stringify(await safekeepers.statuses())}\n`)
  })
} catch (error) {
  process.stdout.write(`refused ${isLochError(error) ? describe(error) : String(error)}\n`)
  process.exit(1)
}

/** `loch up`: the only command that is not a client of the control API, since it is what serves it. */

import { up } from '../../main.ts'
import { parseStoreUrl } from '../../object-store/open.ts'
import { run } from '../../system/run.ts'
import { readyBanner, readyLine } from '../banner.ts'
import type { Command } from '../cli.ts'
import { DEFAULT_DATA, natsFromEnvironment } from '../command-table.ts'
import { standardProgress } from '../progress.ts'

export const upCommand: Command<'up'> = async ({ values }, output) => {
  const objectStore = values['object-store']
  // Before anything is touched; the store itself is opened later.
  if (objectStore !== undefined) parseStoreUrl(objectStore)
  const options = {
    data: values.data,
    isDefaultData: values.data === DEFAULT_DATA,
    listen: values.listen,
    objectStore,
    nats: values.nats ?? natsFromEnvironment(),
    cacheBytes: values['cache-size'],
    zones: values.zones,
    durability: values.durability,
    project: values.project ?? 'main',
  }
  const progress = standardProgress(output.json)
  await run(
    up(options, {
      progress,
      ready: (report) => (output.json ? output.line(readyLine(report)) : output.text(readyBanner(report))),
    }),
  )
}

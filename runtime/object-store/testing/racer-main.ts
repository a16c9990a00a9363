/**
 * One of several processes that want the same names of a file store: `node racer-main.js ROOT WRITER COUNT MODE`. Prints
 * "ready", waits for a line on its standard input, creates race/0 ... race/COUNT-1 and prints what it was told for each,
 * as JSON. MODE: now (createNow), later (create), mend (replaceTorn).
 */
import { once } from 'node:events'
import * as Effect from 'effect/Effect'
import { openFileStore } from '../file.ts'
import type { Creation } from '../object-store.ts'
import { bodyOf, isWhole } from './whole.ts'

const [root = '', writer = '', count = '0', mode = ''] = process.argv.slice(2)
const store = await Effect.runPromise(openFileStore(root))

console.log('ready')
await once(process.stdin, 'data')

const told: Creation[] = []
for (let at = 0; at < Number(count); at++) told.push(await creation(`race/${at}`, [bodyOf(writer, at)]))
console.log(JSON.stringify(told))
process.exit(0)

async function creation(key: string, body: ReadonlyArray<Uint8Array>): Promise<Creation> {
  switch (mode) {
    case 'now':
      return store.createNow(key, body)
    case 'later':
      return Effect.runPromise(store.create(key, body))
    case 'mend':
      return store.replaceTorn(key, isWhole, body)
    default:
      throw new RangeError(`unknown mode ${mode}`)
  }
}

/** A serving volume with its sealer, for tests that decide when each segment is stored, and whether. Never used by Loch. */
import { Driver, segmentName, TERM } from '../volume/testing.ts'
import { Sealer } from './sealer.ts'
import type { FromVolume } from './volume-messages.ts'

type SealMessage = Extract<FromVolume, { kind: 'seal' }>

export class SealBench {
  readonly driver: Driver
  readonly sealer: Sealer
  /** On their way to the store, in the order in which they were captured. */
  readonly flying: SealMessage[] = []

  /** With an empty relation `base/5/1` and an empty logged file `small`. */
  constructor(slotCount: number) {
    this.driver = Driver.serving({ slotCount })
    this.driver.makeDirectories('base', 'base/5')
    this.driver.make('base/5/1')
    this.driver.make('small')
    this.sealer = new Sealer(this.driver.volume, TERM, (message) => this.flying.push(message as SealMessage))
  }

  /** The main thread stored that segment, or could not. */
  finish(ok: boolean, at = 0): void {
    const [message] = this.flying.splice(at, 1) as [SealMessage]
    const { seal, number, buffer, length } = message
    if (ok) this.driver.objects.put(segmentName(TERM, number), new Uint8Array(buffer, 0, length))
    this.sealer.finish(seal, ok, buffer)
  }
}

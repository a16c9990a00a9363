/** For tests of the log on disk: opening, filling and reading one. Small limits make several files of a little text. */
import { type FrameHeader, readFrameHeader } from '../../events/frame.ts'
import type { LogLimits } from './disk-log.ts'
import { openDisk } from './disk-open.ts'
import { Keeper } from './keeper.ts'
import { type FrameWriter, type MemoryDisk, TIMELINE } from './testing.ts'

export const DIRECTORY = '/zone-1'
export const FIRST = `${DIRECTORY}/0000000000000000.log`
export const SMALL: LogLimits = { segmentBytes: 1_000, keptBytesMin: 2_500, preparedBytes: 700 }
export const LARGE: LogLimits = { segmentBytes: 1_000_000, keptBytesMin: 1_000_000, preparedBytes: 4_096 }

export interface Opened {
  readonly keeper: Keeper
  readonly findings: readonly string[]
  readonly damage: string | undefined
}

export function open(disk: MemoryDisk, limits = LARGE): Opened {
  const opened = openDisk(disk, DIRECTORY, TIMELINE, () => 'disk-1', limits)
  return { ...opened, keeper: new Keeper(disk, DIRECTORY, 'zone-1', 'zone-1-1', opened) }
}

export function append({ log }: Keeper, writer: FrameWriter, payload: string): void {
  const frame = writer.frame(payload)
  log.append(readFrameHeader(frame, 0) as FrameHeader, frame)
}

/** All bytes of the log, each frame checked. */
export function content({ log }: Keeper): string {
  const target = Buffer.alloc(100_000)
  let text = ''
  for (let position = log.begin.position; position < log.end; ) {
    const frame = log.readFrame(position, target, 0)
    if (frame.begin !== position) throw new Error(`a frame begins at ${frame.begin}, not at ${position}`)
    text += target.toString('latin1', 0, frame.length)
    position += frame.length
  }
  return text
}

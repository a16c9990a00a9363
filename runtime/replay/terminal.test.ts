import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { runView, type Terminal } from './terminal.ts'
import { openBytes, recordedRun } from './testing.ts'

const bytes = await recordedRun()
const [ALTERNATE_SCREEN, MAIN_SCREEN] = ['\u001b[?1049h', '\u001b[?1049l']

function opened() {
  const events = new EventEmitter()
  const written: string[] = []
  const did: unknown[] = []
  const stdin = Object.assign(new PassThrough(), { setRawMode: (isRaw: boolean) => void did.push(isRaw) })
  const stdout = Object.assign(new EventEmitter(), {
    columns: 80,
    rows: 24,
    write: (text: string) => written.push(text) > 0,
  })
  const kill = (...what: readonly unknown[]) => void did.push(what)
  const terminal = Object.assign(events, { pid: 7, stdin, stdout, kill }) as unknown as Terminal & EventEmitter
  const view = runView(openBytes(bytes), terminal)
  return { events, stdin, stdout, written, did, view }
}

test.each(['SIGTERM', 'SIGHUP', 'SIGINT'])('%s ends it as ever, once the terminal is as it was', (signal) => {
  const { events, written, did } = opened()
  expect(written[0]).toBe(ALTERNATE_SCREEN)
  events.emit(signal, signal)
  expect(written.at(-1)).toBe(MAIN_SCREEN)
  expect(did).toEqual([true, false, [7, signal]])
  expect(events.listenerCount(signal)).toBe(0)
})

test.each(['q', '\u0003'])('%j ends it, and nobody listens any more', async (key) => {
  const { events, stdin, stdout, written, did, view } = opened()
  stdin.write(key)
  await view
  expect(written.at(-1)).toBe(MAIN_SCREEN)
  expect(did).toEqual([true, false])
  expect([events.listenerCount('SIGTERM'), stdout.listenerCount('resize')]).toEqual([0, 0])
})

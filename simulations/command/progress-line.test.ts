import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ProgressLine } from './progress-line.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function progress(isTerminal: boolean) {
  const written: string[] = []
  let seeds = 0
  const line = () => `${++seeds} seeds and so on`
  return { written, shown: new ProgressLine({ isTerminal, columns: 10, write: (text) => written.push(text), line }) }
}

describe('the line of progress', () => {
  test('is rewritten on a terminal, and never wraps', () => {
    const { written, shown } = progress(true)
    vi.advanceTimersByTime(500)
    expect(written).toEqual(['\r\u001b[2K1 seeds a', '\r\u001b[2K2 seeds a'])
    shown.clear()
    shown.stop()
    vi.advanceTimersByTime(60_000)
    expect(written.slice(2)).toEqual(['\r\u001b[2K', '\r\u001b[2K'])
  })

  test('knows how much room there is', () => {
    const rooms: number[] = []
    for (const isTerminal of [true, false]) {
      const options = { isTerminal, columns: 80, write: () => {}, line: (room: number) => `${rooms.push(room)}` }
      const shown = new ProgressLine(options)
      shown.show()
      shown.stop()
    }
    expect(rooms).toEqual([79, Number.POSITIVE_INFINITY])
  })

  test('is printed every ten seconds elsewhere', () => {
    const { written, shown } = progress(false)
    vi.advanceTimersByTime(9_999)
    expect(written).toEqual([])
    vi.advanceTimersByTime(10_001)
    expect(written).toEqual(['1 seeds and so on\n', '2 seeds and so on\n'])
    shown.clear()
    shown.stop()
    vi.advanceTimersByTime(60_000)
    expect(written).toHaveLength(2)
  })
})

/**
 * The terminal around the view (view.ts): raw keys in, whole pages out, on the alternate screen. Whatever ends it, but for a
 * SIGKILL, the terminal is restored.
 */
import type { EventEmitter } from 'node:events'
import { emitKeypressEvents, type Key } from 'node:readline'
import type { Cursor } from './cursor.ts'
import { View } from './view.ts'

const ALTERNATE_SCREEN = '\u001b[?1049h'
const MAIN_SCREEN = '\u001b[?1049l'
const CLEAR = '\u001b[2J\u001b[H'
const ENDING_SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT'] as const
const COLUMNS_DEFAULT = 80
const ROWS_DEFAULT = 24

/** What of a process the view needs. */
export interface Terminal extends Pick<EventEmitter, 'on' | 'off'> {
  readonly pid: number
  readonly stdin: Pick<NodeJS.ReadStream, 'on' | 'off' | 'setRawMode' | 'resume' | 'pause'>
  readonly stdout: Pick<NodeJS.WriteStream, 'on' | 'off' | 'write' | 'columns' | 'rows'>
  readonly kill: (pid: number, signal: NodeJS.Signals) => void
}

/** Resolves when the reader quits. */
export function runView(cursor: Cursor, terminal: Terminal = process): Promise<void> {
  const { stdin, stdout } = terminal
  const view = new View(cursor)
  const draw = () => {
    stdout.write(CLEAR + view.render(stdout.columns ?? COLUMNS_DEFAULT, stdout.rows ?? ROWS_DEFAULT))
  }
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      stdin.off('keypress', onKey)
      stdout.off('resize', draw)
      for (const signal of ENDING_SIGNALS) terminal.off(signal, onSignal)
      stdin.setRawMode(false)
      stdin.pause()
      stdout.write(MAIN_SCREEN)
      settle()
    }
    const onKey = (text: string | undefined, key: Key) => {
      try {
        if (key.ctrl === true && key.name === 'c') return end(resolve)
        view.press(key.name ?? '', text ?? '')
        if (view.isDone) return end(resolve)
        draw()
      } catch (error) {
        end(() => reject(error))
      }
    }
    // As it would have ended without us, once the terminal is as it was.
    const onSignal = (signal: NodeJS.Signals) => end(() => terminal.kill(terminal.pid, signal))
    for (const signal of ENDING_SIGNALS) terminal.on(signal, onSignal)
    emitKeypressEvents(stdin as NodeJS.ReadStream)
    stdin.setRawMode(true)
    stdin.resume()
    stdin.on('keypress', onKey)
    stdout.on('resize', draw)
    stdout.write(ALTERNATE_SCREEN)
    draw()
  })
}

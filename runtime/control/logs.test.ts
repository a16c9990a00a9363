import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tailLog } from './log-files.ts'
import { RotatingLog } from './rotating-log.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'loch-logs-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('a log', () => {
  it('never takes more than two files of its bound', () => {
    const log = new RotatingLog(join(root, 'a.log'), 100)
    for (let line = 0; line < 50; line++) log.write(`line ${line} of some length\n`)
    log.close()
    expect(statSync(join(root, 'a.log')).size).toBeLessThanOrEqual(100)
    expect(statSync(join(root, 'a.log.1')).size).toBeLessThanOrEqual(100)
    expect(tailLog(root, 'a', 1).lines).toEqual(['line 49 of some length'])
  })

  it('is read on in the new file after it was rotated', () => {
    const log = new RotatingLog(join(root, 'a.log'), 100)
    log.write(`${'x'.repeat(80)}\n`)
    const { cursor } = tailLog(root, 'a', 10)
    log.write(`${'y'.repeat(80)}\n`)
    log.close()
    expect(tailLog(root, 'a', 10, cursor).lines).toEqual(['y'.repeat(80)])
  })

  it('that was rotated meanwhile is read to its end first, an unfinished line included', () => {
    const log = new RotatingLog(join(root, 'a.log'), 100)
    log.write('one\n')
    let { cursor } = tailLog(root, 'a', 10)
    log.write(`two\nthree\n${'half'.repeat(10)}`)
    log.write(`${'y'.repeat(80)}\n`)
    log.close()
    const read: string[] = []
    for (let more = true; more; ) {
      const tail = tailLog(root, 'a', 1, cursor)
      more = tail.lines.length > 0
      read.push(...tail.lines)
      cursor = tail.cursor
    }
    expect(read).toEqual(['two', 'three', 'half'.repeat(10), 'y'.repeat(80)])
  })

  it('is found while its new file is not there yet', () => {
    const log = new RotatingLog(join(root, 'a.log'), 100)
    log.write('one\n')
    const { cursor } = tailLog(root, 'a', 10)
    log.write('two\n')
    log.close()
    renameSync(join(root, 'a.log'), join(root, 'a.log.1'))
    const tail = tailLog(root, 'a', 10, cursor)
    expect(tail.lines).toEqual(['two'])
    const next = new RotatingLog(join(root, 'a.log'), 100)
    next.write('three\n')
    next.close()
    expect(tailLog(root, 'a', 10, tail.cursor).lines).toEqual(['three'])
  })

  it('is followed through bytes that are no text', () => {
    const log = new RotatingLog(join(root, 'a.log'))
    log.write('one\n')
    const { cursor } = tailLog(root, 'a', 10)
    log.write(Buffer.from([0xff, 0xfe, 0x0a]))
    log.write('two\nthree\n')
    log.close()
    const tail = tailLog(root, 'a', 2, cursor)
    expect(tail.lines[1]).toBe('two')
    expect(tailLog(root, 'a', 2, tail.cursor).lines).toEqual(['three'])
  })

  it('whose file a cursor no longer knows is read from its beginning', () => {
    const log = new RotatingLog(join(root, 'a.log'), 100)
    log.write('one\n')
    log.close()
    const { ino } = statSync(join(root, 'a.log'))
    expect(tailLog(root, 'a', 10, `${ino}:1000`).lines).toEqual(['one'])
    expect(tailLog(root, 'a', 10, `${ino + 1}:1`).lines).toEqual(['one'])
  })

  it('is followed line by line without loss or repetition, characters of several bytes included', () => {
    const log = new RotatingLog(join(root, 'a.log'))
    const written = Array.from({ length: 20 }, (_, line) => `zeile ${line} äöü €`)
    log.write('before\n')
    let { cursor } = tailLog(root, 'a', 1)
    const read: string[] = []
    for (const line of written) {
      log.write(`${line}\nincompl`)
      const tail = tailLog(root, 'a', 1, cursor)
      read.push(...tail.lines)
      cursor = tail.cursor
      log.write('ete\n')
    }
    for (let more = true; more; ) {
      const tail = tailLog(root, 'a', 1, cursor)
      more = tail.lines.length > 0
      read.push(...tail.lines)
      cursor = tail.cursor
    }
    log.close()
    expect(read).toEqual(written.flatMap((line) => [line, 'incomplete']))
  })
})

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { claimOwnership, ownName } from './control/ownership.ts'
import { dataPaths, FORMAT_VERSION, openDataDirectory } from './data-directory.ts'
import { BadArgument, Damaged, FormatTooNew, Refused } from './errors.ts'
import { processStartTicks } from './postgres/processes.ts'

let root: string
let children: ChildProcess[]

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'loch-data-'))
  children = []
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(root, { recursive: true, force: true })
})

const data = () => join(root, 'data')
const open = () => openDataDirectory(data(), join(root, 'run'))

/** A claim as another process would have made it. */
function claimAs(pid: number, number = 1, startTicks = processStartTicks(pid) ?? 0): void {
  writeFileSync(join(dataPaths(data()).run, `owner.${number}`), JSON.stringify({ ...ownName(), pid, startTicks }))
}

async function livingProcess(): Promise<number> {
  const child = spawn('sleep', ['60'])
  children.push(child)
  await new Promise((resolve) => child.once('spawn', resolve))
  return child.pid!
}

async function deadProcess(): Promise<number> {
  const child = spawn('true')
  await new Promise((resolve) => child.once('exit', resolve))
  return child.pid!
}

describe('a data directory', () => {
  it('is made for root alone, with its format, and with a public directory for what Postgres must reach', () => {
    const directory = open()
    expect(statSync(directory.path).mode & 0o777).toBe(0o700)
    expect(readFileSync(join(directory.path, 'format'), 'utf8')).toBe(`loch ${FORMAT_VERSION}\n`)
    expect(directory.instance).toMatch(/^[0-9a-f]{8}$/)
    expect(directory.runtimePath).toBe(join(root, 'run', directory.instance))
    expect(statSync(directory.runtimePath).mode & 0o777).toBe(0o755)
  })

  it('leaves nothing outside of itself when it is released, and nothing of the next owner’s', () => {
    const first = open()
    mkdirSync(join(first.runtimePath, 'zone-1', 'socket'), { recursive: true })
    first.release()
    expect(readdirSync(join(root, 'run'))).toEqual([])
    const second = open()
    first.release()
    expect(readdirSync(join(root, 'run'))).toEqual([second.instance])
    second.release()
  })

  it('is the same instance by whatever path it is reached', () => {
    const first = open()
    first.release()
    const second = openDataDirectory(join(root, 'x', '..', 'data'), join(root, 'run'))
    expect(second.instance).toBe(first.instance)
    second.release()
  })

  it('of a newer format is refused and left as it is', () => {
    open().release()
    writeFileSync(join(data(), 'format'), `loch ${FORMAT_VERSION + 1}\n`)
    const before = readdirSync(join(data(), 'run'))
    expect(open).toThrow(FormatTooNew)
    expect(readdirSync(join(data(), 'run'))).toEqual(before)
  })

  it('with a format file that is no such thing is refused as damaged', () => {
    open().release()
    writeFileSync(join(data(), 'format'), '')
    expect(open).toThrow(Damaged)
  })

  it('of which only the object store was kept is taken, with what is in it', () => {
    open().release()
    mkdirSync(join(data(), 'objects'))
    writeFileSync(join(data(), 'objects', 'kept'), 'all that matters')
    for (const name of readdirSync(data())) if (name !== 'objects') rmSync(join(data(), name), { recursive: true })
    open().release()
    expect(readFileSync(join(data(), 'objects', 'kept'), 'utf8')).toBe('all that matters')
    expect(readFileSync(join(data(), 'format'), 'utf8')).toBe(`loch ${FORMAT_VERSION}\n`)
  })

  it('that is somebody else’s is refused before its mode is touched', () => {
    mkdirSync(data(), { mode: 0o755 })
    writeFileSync(join(data(), 'thesis.tex'), 'years of work')
    expect(open).toThrow(BadArgument)
    expect(statSync(data()).mode & 0o777).toBe(0o755)
  })
})

describe('ownership of a data directory', () => {
  it('is refused while its owner lives, naming the pid', async () => {
    open().release()
    const pid = await livingProcess()
    claimAs(pid, 7)
    expect(open).toThrow(Refused)
    expect(open).toThrow(expect.objectContaining({ problem: expect.stringContaining(String(pid)) as string }))
  })

  it('is refused to the owner itself a second time, and given again after release', () => {
    const directory = open()
    expect(open).toThrow(Refused)
    directory.release()
    directory.release()
    open().release()
  })

  it('passes on from a dead owner', async () => {
    open().release()
    claimAs(await deadProcess(), 7)
    open()
    expect(readdirSync(join(data(), 'run')).filter((name) => name.startsWith('owner.'))).toEqual(['owner.8'])
  })

  it('is refused to one who was so slow that the claim it wanted to make is free again', async () => {
    open().release()
    claimAs(await deadProcess(), 7)
    const { run } = dataPaths(data())
    const pid = await livingProcess()
    let looks = 0
    const slow = () =>
      claimOwnership(run, data(), () => {
        if (++looks > 1) return
        // Another superseded the dead owner and died, and a third superseded it in turn.
        claimAs(pid, 9)
        for (const name of ['owner.1', 'owner.7']) rmSync(join(run, name), { force: true })
      })
    expect(slow).toThrow(expect.objectContaining({ problem: expect.stringContaining(String(pid)) as string }))
    expect(readdirSync(run).filter((name) => name.startsWith('owner.'))).toEqual(['owner.9'])
  })

  it('passes on when the pid lives but belongs to another process now', async () => {
    open().release()
    claimAs(await livingProcess(), 7, 1)
    open().release()
  })

  it('passes on when the owner lived before the last boot', async () => {
    open().release()
    const pid = await livingProcess()
    const claim = { pid, startTicks: processStartTicks(pid), boot: 'another boot' }
    writeFileSync(join(dataPaths(data()).run, 'owner.7'), JSON.stringify(claim))
    open().release()
  })
})

/** Which answers of /dev/fuse are ordinary life. Where there is no device, a plain file gives the errors that it would. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { KernelDevice } from './device.ts'
import { LateReplies } from './late-replies.ts'
import { DEVICE_GONE } from './served-volume.ts'

const { failures } = vi.hoisted(() => ({ failures: [] as string[] }))

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>()
  const orFail =
    <Args extends unknown[], A>(work: (...args: Args) => A) =>
    (...args: Args): A => {
      const code = failures.shift()
      if (code !== undefined) throw Object.assign(new Error(code), { code })
      return work(...args)
    }
  return { ...real, readSync: orFail(real.readSync), writeSync: orFail(real.writeSync) }
})

let directory: string
let path: string
let descriptor: number

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'loch-device-'))
  path = join(directory, 'device')
  fs.writeFileSync(path, 'request')
  descriptor = fs.openSync(path, 'r+')
})
afterEach(() => {
  failures.length = 0
  fs.closeSync(descriptor)
  fs.rmSync(directory, { recursive: true })
})

describe('reading', () => {
  test('fills the buffer with one request', () => {
    const request = Buffer.alloc(100)
    expect(new KernelDevice(descriptor).read(request)).toBe(7)
    expect(request.toString('latin1', 0, 7)).toBe('request')
  })

  test.each(['ENOENT', 'EINTR', 'EAGAIN'])('takes %s as no request after all', (code) => {
    failures.push(code)
    expect(new KernelDevice(descriptor).read(Buffer.alloc(100))).toBe(0)
  })

  test.each(['ENODEV', 'ECONNABORTED', 'EPERM'])('takes %s as the end of the mount', (code) => {
    failures.push(code)
    expect(new KernelDevice(descriptor).read(Buffer.alloc(100))).toBe(DEVICE_GONE)
  })

  test('names every other answer as one of a kernel that Loch does not know', () => {
    failures.push('EINVAL')
    expect(() => new KernelDevice(descriptor).read(Buffer.alloc(100))).toThrow(
      expect.objectContaining({
        _tag: 'HostUnfit',
        component: 'FUSE device',
        value: `/dev/fuse (descriptor ${descriptor})`,
        problem: expect.stringContaining('EINVAL'),
        remedy: expect.stringContaining('uname -r'),
      }),
    )
  })
})

describe('replying', () => {
  test('sends the first bytes of the buffer as one write', () => {
    expect(new KernelDevice(descriptor).reply(Buffer.from('replyrest'), 5)).toBe(true)
    expect(fs.readFileSync(path, 'latin1')).toBe('replyst')
  })

  test.each(['ENOENT', 'ENODEV', 'ECONNABORTED', 'EPERM'])('to nobody (%s) is no error', (code) => {
    failures.push(code)
    expect(new KernelDevice(descriptor).reply(Buffer.alloc(16), 16)).toBe(false)
  })

  test('with a message that the kernel rejects is a defect that must show', () => {
    failures.push('EINVAL')
    expect(() => new KernelDevice(descriptor).reply(Buffer.alloc(16), 16)).toThrow(
      expect.objectContaining({ _tag: 'HostUnfit', problem: expect.stringContaining('EINVAL') }),
    )
  })

  test('late says whether somebody still waited', () => {
    const late = new LateReplies(new KernelDevice(descriptor))
    expect(late.replyError(0x0605_0403, 0x0102_0304, 5)).toBe(true)
    const sent = fs.readFileSync(path)
    expect([sent.length, sent.readUInt32LE(0), sent.readInt32LE(4)]).toEqual([16, 16, -5])
    expect(sent.readBigUInt64LE(8)).toBe(0x0102_0304_0605_0403n)
    failures.push('ENOENT')
    expect(late.replyEmpty(1, 0)).toBe(false)
  })
})

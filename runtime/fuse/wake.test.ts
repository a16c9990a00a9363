import { describe, expect, test } from 'vitest'
import { WakeFlag, Waker } from './wake.ts'
import { WAKE_INO } from './wake-file.ts'

function bench(delivered = true) {
  const sent: Buffer[] = []
  const device = {
    read: () => 0,
    reply: (bytes: Buffer, length: number) => {
      sent.push(Buffer.from(bytes.subarray(0, length)))
      return delivered
    },
  }
  const flag = new WakeFlag()
  return { sent, flag, waker: new Waker(device, '/nowhere', flag) }
}

describe('a wake', () => {
  test('is a FUSE_NOTIFY_RETRIEVE of no bytes of the wake file', () => {
    const { sent, waker } = bench()
    waker.wake()
    const [message] = sent
    expect(message!.length).toBe(48)
    expect([message!.readUInt32LE(0), message!.readInt32LE(4), message!.readBigUInt64LE(8)]).toEqual([48, 5, 0n])
    // notify_unique, nodeid, offset, size
    expect(message!.readBigUInt64LE(16 + 8)).toBe(BigInt(WAKE_INO))
    expect([message!.readBigUInt64LE(16 + 16), message!.readUInt32LE(16 + 24)]).toEqual([0n, 0])
  })

  test('is sent once until the woken thread has taken notice', () => {
    const { sent, flag, waker } = bench()
    for (let at = 0; at < 5; at++) waker.wake()
    expect(sent).toHaveLength(1)
    // The other thread has its own view of the same memory.
    new WakeFlag(flag.memory).clearWake()
    waker.wake()
    expect(sent).toHaveLength(2)
  })

  test('that cannot be sent leaves the next one to try', () => {
    const { sent, waker } = bench(false)
    waker.wake()
    waker.wake()
    expect(sent).toHaveLength(2)
  })

  test('needs the wake file to be there', async () => {
    await expect(bench().waker.pin()).rejects.toThrow('ENOENT')
  })
})

import { describe, expect, test } from 'vitest'
import { type HostFacts, mountError, openDevice } from './host.ts'

/** Bit 21 is CAP_SYS_ADMIN. */
const withCapabilities = (mask: string) =>
  `Name:\tnode\nCapPrm:\t${mask}\nCapEff:\t${mask}\nCapBnd:\t000001ffffffffff\n`
const ALL = '000001ffffffffff'
/** What Docker leaves to root by default. */
const DOCKER = '00000000a80425fb'

function answerOf(changes: Partial<HostFacts>): unknown {
  const host = { userId: () => 0, processStatus: () => withCapabilities(ALL), open: () => 7, ...changes }
  try {
    return openDevice(host)
  } catch (error) {
    return error
  }
}

const failing = (code: string) => () => {
  throw Object.assign(new Error(`${code}: open '/dev/fuse'`), { code })
}

describe('opening the device', () => {
  test('succeeds for root with the capability to mount', () => {
    expect(answerOf({})).toBe(7)
    expect(answerOf({ processStatus: () => withCapabilities('0000000000200000') })).toBe(7)
  })

  test('asks for root, before anything else', () => {
    expect(answerOf({ userId: () => 1000, open: failing('ENOENT') })).toMatchObject({
      _tag: 'HostUnfit',
      component: 'FUSE',
      value: 'user id 1000',
      problem: expect.stringContaining('needs root'),
      remedy: expect.stringContaining('sudo'),
    })
  })

  test('says which flags a container lacks when its root may not mount', () => {
    expect(answerOf({ processStatus: () => withCapabilities(DOCKER) })).toMatchObject({
      _tag: 'HostUnfit',
      component: 'FUSE',
      value: 'CAP_SYS_ADMIN',
      remedy: expect.stringContaining('--cap-add SYS_ADMIN --device /dev/fuse'),
    })
  })

  test.each([
    ['ENOENT', 'does not exist', 'modprobe fuse'],
    ['ENODEV', 'does not exist', 'modprobe fuse'],
    ['ENXIO', 'does not exist', 'modprobe fuse'],
    ['EPERM', 'may not be opened', '--device /dev/fuse'],
    ['EACCES', 'may not be opened', '--device /dev/fuse'],
    ['EMFILE', 'cannot be opened (EMFILE)', 'modprobe fuse'],
  ])('explains %s of /dev/fuse', (code, problem, remedy) => {
    expect(answerOf({ open: failing(code) })).toMatchObject({
      _tag: 'HostUnfit',
      component: 'FUSE',
      value: '/dev/fuse',
      problem: expect.stringContaining(problem),
      remedy: expect.stringContaining(remedy),
      cause: { code },
    })
  })
})

describe('a refusal of mount(8)', () => {
  test.each([
    ['mount: unknown filesystem type fuse.', 'HostUnfit', 'fuse', 'modprobe fuse'],
    ['mount: /m: permission denied.', 'HostUnfit', '/m', '--cap-add SYS_ADMIN'],
    ['mount: /m: mount(2) system call failed: Operation not permitted.', 'HostUnfit', '/m', '--cap-add SYS_ADMIN'],
    ['mount: /m: must be superuser to use mount.', 'HostUnfit', '/m', '--cap-add SYS_ADMIN'],
    ['mount: /m: mount point is not a directory.', 'MountFailed', '/m', 'Check that the directory exists'],
    ['', 'MountFailed', '/m', 'umount -l'],
  ])('"%s" is %s', (stderr, tag, value, remedy) => {
    const error = mountError('/m', undefined, stderr)
    expect(error).toMatchObject({ _tag: tag, component: 'FUSE', value, remedy: expect.stringContaining(remedy) })
    expect(error.problem).not.toBe('')
  })

  test('is told from its absence', () => {
    const cause = new Error('spawn mount ENOENT')
    expect(mountError('/m', cause, '')).toMatchObject({
      _tag: 'HostUnfit',
      value: 'mount',
      remedy: expect.stringContaining('util-linux'),
      cause,
    })
  })
})

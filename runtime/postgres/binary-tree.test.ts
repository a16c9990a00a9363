import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PackagedBinaries } from './binaries.ts'
import { type Placement, type PostgresBinaries, prepareBinaries } from './binary-tree.ts'
import { runCommand } from './command.ts'
import { bindReadOnly, hasMountsBelow, unmount } from './mounts.ts'
import { packageWithoutLinks, whatIsMissing } from './testing.ts'
import { asUser, unprivilegedUser } from './user.ts'

const missing = whatIsMissing()

describe.skipIf(missing !== undefined)(`a runnable tree of Postgres${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const user = missing === undefined ? unprivilegedUser() : { name: '', uid: -1, gid: -1 }
  let root: string
  let source: PackagedBinaries
  let mayMount: boolean

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'loch-binaries-'))
    chmodSync(root, 0o755)
    // A package below a directory that only root may enter.
    mkdirSync(join(root, 'private'), { mode: 0o700 })
    source = packageWithoutLinks(join(root, 'private/package'))
    const probe = join(root, 'mount-probe')
    mkdirSync(probe)
    mayMount = (await bindReadOnly(join(root, 'private'), probe)) === undefined
    if (mayMount) await unmount(probe)
  })

  afterAll(() => {
    expect(hasMountsBelow(root)).toBe(false)
    rmSync(root, { recursive: true, force: true })
  })

  const prepare = (name: string, placements?: readonly Placement[]) =>
    prepareBinaries({ source, directory: join(root, name), user, ...(placements && { placements }) })
  const runs = async (binaries: PostgresBinaries) => {
    const { environment } = binaries
    const result = await runCommand(asUser(user, [binaries.initdb, '--version']), { environment })
    return result.code === 0
  }

  test('shows a package that the user cannot reach by a mount, shares it, and leaves the package as it was', async () => {
    const before = readdirSync(source.native)
    const [one, two] = await Promise.all([prepare('shared'), prepare('shared')])
    expect(one.placement).toBe(mayMount ? 'bind-mount' : 'copy')
    expect(two.postgres).toBe(one.postgres)
    await one.dispose()
    await one.dispose()
    expect(await runs(two)).toBe(true)
    await two.dispose()
    expect(existsSync(two.postgres)).toBe(false)
    expect(readdirSync(join(root, 'shared'))).toEqual(['lock'])
    expect(readdirSync(source.native)).toEqual(before)
    expect(existsSync(join(source.native, 'lib/libpq.so.5'))).toBe(false)
  })

  test('copies where mounting is not allowed, for anybody to read', async () => {
    const copy = await prepare('copied', ['in-place', 'copy'])
    expect(copy.placement).toBe('copy')
    expect(copy.environment).toEqual({})
    expect(await runs(copy)).toBe(true)
    const unreadable = execFileSync('find', [
      join(root, 'copied'),
      '-name',
      'users',
      '-prune',
      '-o',
      '!',
      '-perm',
      '-004',
      '-print',
    ])
    expect(unreadable.toString()).toBe('')
    await copy.dispose()
    expect(readdirSync(join(root, 'copied'))).toEqual(['lock'])
  })

  test('copies what npm installed under umask 077', async () => {
    execFileSync('chmod', ['-R', 'go=', source.native])
    const copy = await prepare('masked')
    expect(copy.placement).toBe('copy')
    expect(await runs(copy)).toBe(true)
    await copy.dispose()
    execFileSync('chmod', ['-R', 'go=rX', source.native])
  })

  test('removes what a killed process left behind', async () => {
    const left = await prepare('left')
    const [tree] = readdirSync(join(root, 'left')).filter((name) => name !== 'lock')
    const users = join(root, 'left', tree!, 'users')
    // Pid 4194305 cannot exist: the kernel's limit is 2^22.
    renameSync(join(users, readdirSync(users)[0]!), join(users, '4194305-1-abcdef01'))
    const before = existsSync(left.postgres)
    await expect(prepare('left', ['in-place'])).rejects.toMatchObject({ _tag: 'HostUnfit' })
    expect([before, existsSync(left.postgres)]).toEqual([true, false])
    expect(readdirSync(join(root, 'left'))).toEqual(['lock'])
  })

  test('says what each placement failed of, and leaves nothing', async () => {
    const failure = prepare('refused', ['in-place'])
    await expect(failure).rejects.toMatchObject({
      _tag: 'HostUnfit',
      problem: expect.stringMatching(/in-place: .*ermission denied/),
    })
    expect(readdirSync(join(root, 'refused'))).toEqual(['lock'])
  })
})

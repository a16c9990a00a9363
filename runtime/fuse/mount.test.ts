/**
 * A mount as programs see it: the whole way from open(2) of another process through the kernel to the volume and back.
 * What each request means is tested by hand-made requests in the neighbouring files.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Compiled } from '../object-store/testing/compile.ts'
import { mountVolume, unmountLazily } from './mount.ts'
import { findStaleMounts } from './mount-table.ts'
import { compileMountMain, MountProcess, shell, whatPreventsMounts } from './testing/mount-process.ts'

const prevented = await whatPreventsMounts()
if (prevented !== undefined) console.info(`skipped: no volume can be mounted here: ${prevented}`)

describe.skipIf(prevented !== undefined)(`a mount${prevented ? ` (skipped: ${prevented})` : ''}`, () => {
  let root: string
  let compiled: Compiled
  let server: MountProcess

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'loch-mount-'))
    compiled = compileMountMain()
    server = await MountProcess.start(compiled, join(root, 'volume with space'))
  })

  afterAll(async () => {
    await server?.kill()
    for (const { path } of findStaleMounts(root)) await Effect.runPromise(unmountLazily(path))
    compiled?.dispose()
    rmSync(root, { recursive: true, force: true })
  })

  const output = async (script: string, ...more: readonly string[]) => {
    const { code, signal, stdout, stderr } = await shell(server.path, script, ...more)
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
    return stdout
  }

  test('stands in the mount table under its name, with its path unescaped', () => {
    expect(findStaleMounts(root)).toEqual([{ path: join(root, 'volume with space'), name: 'loch-test' }])
  })

  test('keeps what is written, byte for byte, in large and in small requests', async () => {
    const original = join(root, 'original')
    writeFileSync(
      original,
      Buffer.from(Array.from({ length: 3_000_001 }, (_, index) => (index * 31 + (index >> 9)) & 255)),
    )
    await output('dd if="$2" of="$1/a" bs=1M conv=fsync status=none; cmp "$2" "$1/a"', original)
    await output('dd if="$2" of="$1/b" bs=8192 conv=fsync status=none; cmp "$2" "$1/b"', original)
    await output('cat "$2" > "$1/c"; cmp "$1/a" "$1/c"; dd if="$1/b" bs=777 status=none | cmp - "$2"', original)
    // In the middle of a file, without cutting it.
    await output('printf changed | dd of="$1/c" bs=1 seek=8190 conv=notrunc status=none')
    expect(await output('dd if="$1/c" bs=1 skip=8190 count=7 status=none; stat -c " %s" "$1/c"')).toBe(
      'changed 3000001\n',
    )
  })

  test('renames, links, cuts, removes and lists', async () => {
    expect(
      await output(`
        mkdir "$1/d"; echo one > "$1/d/one"; mv "$1/d/one" "$1/d/two"; ln "$1/d/two" "$1/d/three"; ln -s two "$1/d/link"
        echo more >> "$1/d/three"; cat "$1/d/link"; truncate -s 2 "$1/d/two"; cat "$1/d/three"; echo; ls "$1/d"
        stat -c "%F %h %s %a" "$1/d/two"; chmod 640 "$1/d/two"; touch -d @1600000000.5 "$1/d/two"; stat -c "%a %.1Y" "$1/d/two"
        rm "$1/d/link" "$1/d/three"; mv "$1/d/two" "$1/d/one"; ls "$1/d"; rm -r "$1/d"; test ! -e "$1/d"`),
    ).toBe('one\nmore\non\nlink\nthree\ntwo\nregular file 2 2 644\n640 1600000000.5\none\n')
  })

  test('lets directories be emptied while they are read', async () => {
    await output('mkdir "$1/many"; cd "$1/many"; seq -f file-with-a-long-name-%g 2000 | xargs touch; ls | wc -l')
    expect(await output('ls "$1/many" | wc -l; rm -r "$1/many"; ls "$1" | grep -c many || true')).toBe('2000\n0\n')
  })

  test('keeps an unlinked file for those who have it open', async () => {
    expect(await output('exec 3<> "$1/gone"; echo text >&3; rm "$1/gone"; cat /proc/self/fd/3')).toBe('text\n')
  })

  test('answers errors as errors', async () => {
    const { code, stderr } = await shell(server.path, 'LC_ALL=C cat "$1/absent"')
    expect([code, stderr]).toEqual([1, expect.stringContaining('No such file or directory')])
    expect((await shell(server.path, 'mkfifo "$1/pipe"')).stderr).toContain('not permitted')
    expect((await shell(server.path, 'cat "$1/.loch-wake"')).stderr).toContain('not permitted')
  })

  test('holds fsync(2) back until the slow path answers from another thread', async () => {
    server.order('hold')
    await server.line('holding')
    let done = false
    const writing = shell(server.path, 'echo x | dd of="$1/held" conv=fsync status=none').finally(() => {
      done = true
    })
    await server.line('sync')
    // Others are served while it waits.
    expect(await output('cat "$1/held"')).toBe('x\n')
    expect(done).toBe(false)
    server.order('release')
    expect((await writing).code).toBe(0)
  })

  test('makes fsync(2) fail when the slow path says so', async () => {
    server.order('hold')
    const writing = shell(server.path, 'echo x | dd of="$1/lost" conv=fsync status=none')
    await server.line('sync')
    server.order('fail')
    expect(await writing).toMatchObject({ code: 1, stderr: expect.stringContaining('Input/output error') })
  })

  test('is woken in its blocking read by another thread', async () => {
    server.order('wake')
    const first = Number((await server.line('woken')).split(' ')[1])
    server.order('wake')
    expect(Number((await server.line('woken')).split(' ')[1])).toBe(first + 1)
  })

  test('keeps a reader waiting for bytes that are not there, and goes on when woken with them', async () => {
    await output('echo far away > "$1/far"')
    server.order('lack far')
    await server.line('woken')
    let done = false
    const reading = shell(server.path, 'cat "$1/far"').finally(() => {
      done = true
    })
    expect(await output('echo served meanwhile > "$1/near"; cat "$1/near"')).toBe('served meanwhile\n')
    expect(done).toBe(false)
    server.order('deliver')
    expect((await reading).stdout).toBe('far away\n')
  })

  test('refuses to be mounted where it cannot be', async () => {
    writeFileSync(join(root, 'file'), '')
    const mounting = Effect.runPromise(Effect.result(mountVolume(join(root, 'file'), 'x')))
    expect(await mounting).toMatchObject({
      failure: {
        _tag: 'MountFailed',
        component: 'FUSE',
        value: join(root, 'file'),
        remedy: expect.stringContaining('umount'),
      },
    })
    const unmounting = Effect.runPromise(Effect.result(unmountLazily(join(root, 'not mounted'))))
    expect(await unmounting).toMatchObject({ failure: { _tag: 'MountFailed', value: join(root, 'not mounted') } })
  })

  test('goes away when it is unmounted, once the last user has gone', async () => {
    server.order('hold')
    await server.line('holding')
    const last = shell(server.path, 'echo x | dd of="$1/last" conv=fsync status=none')
    await server.line('sync')
    server.order('unmount')
    await expect.poll(() => findStaleMounts(root)).toEqual([])
    // Still served: the device is gone only after this.
    server.order('release')
    expect((await last).code).toBe(0)
    await server.line('stopped')
  })
})

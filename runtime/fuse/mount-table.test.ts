import { describe, expect, test } from 'vitest'
import { findStaleMounts, parseMountTable } from './mount-table.ts'

/** A line as proc_pid_mountinfo(5) describes it. */
const line = (path: string, type = 'fuse', source = 'loch-main', optional = 'shared:1 ') =>
  `101 25 0:50 / ${path} rw,nosuid,nodev,relatime ${optional}- ${type} ${source} rw,user_id=0,group_id=0,allow_other`

describe('the mount table', () => {
  test('gives the FUSE mounts at or below a path, innermost first', () => {
    const table = [
      '25 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
      line('/run/loch/a'),
      line('/run/loch/a/inner', 'fuse', 'inner'),
      line('/run/loch/b', 'ext4'),
      line('/run/lochness'),
      line('/run/loch'),
      '',
    ].join('\n')
    expect(parseMountTable(table, '/run/loch')).toEqual([
      { path: '/run/loch', name: 'loch-main' },
      { path: '/run/loch/a/inner', name: 'inner' },
      { path: '/run/loch/a', name: 'loch-main' },
    ])
    expect(parseMountTable(table, '/run/loch/a/')).toHaveLength(2)
    expect(parseMountTable(table, '/run/loch/absent')).toEqual([])
  })

  test('is not confused by other kinds of FUSE, by optional fields or by their absence', () => {
    const table = [
      line('/m/fuseblk', 'fuseblk'),
      line('/m/sshfs', 'fuse.sshfs'),
      line('/m/fusectl', 'fusectl'),
      line('/m/none', 'fuse', 'x', ''),
      line('/m/two', 'fuse', 'x', 'shared:3 master:1 '),
    ].join('\n')
    expect(parseMountTable(table, '/m').map(({ path }) => path)).toEqual(['/m/two', '/m/none'])
  })

  test('has its octal escapes undone', () => {
    const table = line('/m/a\\040b\\011c\\012d\\134e', 'fuse', 'loch\\040main')
    expect(parseMountTable(table, '/m')).toEqual([{ path: '/m/a b\tc\nd\\e', name: 'loch main' }])
    expect(parseMountTable(table, '/m/a b\tc\nd\\e')).toHaveLength(1)
    // An escaped backslash is not the beginning of another escape.
    expect(parseMountTable(line('/m/\\134040'), '/m')[0]!.path).toBe('/m/\\040')
  })

  test('below the root is all of it, and this host can be asked', () => {
    expect(parseMountTable(line('/m'), '/')).toHaveLength(1)
    expect(findStaleMounts('/no/such/place')).toEqual([])
  })
})

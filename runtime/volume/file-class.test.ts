import { expect, test } from 'vitest'
import { classify, FileClass, type Place, refusesLinks } from './file-class.ts'

const { logged, paged, local } = FileClass

function place(path: string): Place {
  let at: Place = { name: '', parent: undefined, fileClass: logged }
  for (const name of path.split('/').filter(Boolean)) {
    at = { name, parent: at, fileClass: classify(at, name, false) }
  }
  return at
}

test.each([
  ['pg_wal', '000000010000000000000001', logged],
  ['pg_wal/archive_status', '000000010000000000000001.done', logged],
  ['global', 'pg_control', logged],
  ['global', 'pg_filenode.map', logged],
  ['global', '1262', paged],
  ['global', '1262_fsm', paged],
  ['base/5', '1259', paged],
  ['base/5', '16384.1', paged],
  ['base/5', '16384_vm.2', paged],
  ['base/5', '16384_init', paged],
  ['base/5', 'PG_VERSION', logged],
  ['base/5', 'pg_internal.init', logged],
  ['base/5', '1259_other', logged],
  ['base', '1259', logged],
  ['pg_xact', '0000', logged],
  ['pg_multixact/offsets', '0000', logged],
  ['pg_tblspc/16385/PG_18_202506291/5', '16386', paged],
  ['pg_tblspc/16385/PG_18_202506291/5', 't4_16386', local],
  ['pg_tblspc/16385/PG_18_202506291/pgsql_tmp', 'pgsql_tmp99.0', local],
  // The data directory may stand anywhere in the volume.
  ['data/base/5', '1259', paged],
  ['data/global', '1262', paged],
  ['base/5', 't3_16384', local],
  ['base/5', 't3_16384_fsm.1', local],
  ['base', 'pgsql_tmp', local],
  ['base/pgsql_tmp', 'pgsql_tmp99.0', local],
  ['base/pgsql_tmp/pgsql_tmp99.1.fileset', 'i1of2.p0.0', local],
  ['', 'pg_stat_tmp', logged],
  ['pg_stat_tmp', 'pgss_query_texts.stat', local],
  ['', 'postmaster.pid', local],
  ['', 'postmaster.opts', local],
  ['', 'postgresql.conf', logged],
] as const)('%s/%s', (directory, name, expected) => {
  expect(classify(place(directory), name, true)).toBe(expected)
})

test('a directory is never paged', () => {
  expect(classify(place('base/5'), '1259', false)).toBe(logged)
  expect(classify(place('base'), '5', false)).toBe(logged)
})

test('tablespaces outside the volume are refused', () => {
  expect(refusesLinks(place('pg_tblspc'))).toBe(true)
  expect(refusesLinks(place('base'))).toBe(false)
})

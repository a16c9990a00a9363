/**
 * What is mounted where, as the kernel says in /proc/self/mountinfo (proc_pid_mountinfo(5)). It never looks at the
 * mount points themselves: one whose server is dead or is ourselves would not answer.
 */
import * as fs from 'node:fs'

export interface MountedVolume {
  readonly path: string
  /** The name given to `mountVolume`. */
  readonly name: string
}

/** FUSE mounts at or below `prefixPath`, innermost first, which is the order to unmount them in. */
export function findStaleMounts(prefixPath: string): MountedVolume[] {
  return parseMountTable(fs.readFileSync('/proc/self/mountinfo', 'utf8'), prefixPath)
}

export function parseMountTable(table: string, prefixPath: string): MountedVolume[] {
  const prefix = prefixPath.replace(/\/+$/, '')
  const found: MountedVolume[] = []
  for (const line of table.split('\n')) {
    const mounted = parseLine(line)
    if (mounted && (mounted.path === prefix || mounted.path.startsWith(`${prefix}/`))) found.unshift(mounted)
  }
  return found
}

/** Fields: id, parent, device, root, mount point, options, optional fields, "-", type, source, more options. */
function parseLine(line: string): MountedVolume | undefined {
  const [before, after] = line.split(' - ')
  const path = before?.split(' ')[4]
  const [type, name] = after?.split(' ') ?? []
  if (type !== 'fuse' || path === undefined || name === undefined) return undefined
  return { path: withoutEscapes(path), name: withoutEscapes(name) }
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function withoutEscapes(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

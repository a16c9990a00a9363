/**
 * The settings that Loch gives Postgres, each with its reason. They stand on the command line, not in postgresql.conf:
 * the file lives in the branch and would keep the settings of the Loch that created it, while the storage contract
 * follows the Loch that runs. Everything not named here is the user's, by ALTER SYSTEM as in any Postgres. Pure: what is
 * known of the host is a parameter.
 */
import { BadArgument } from '../errors.ts'

export interface Setting {
  readonly name: string
  readonly value: string
  readonly why: string
}

export interface SettingsOptions {
  /** A standby replays pg_wal from its mount instead of writing it. */
  readonly role: 'primary' | 'standby'
  readonly listen: Listen
  readonly socketDirectory: string
  readonly host: HostMemory
  /** shared_buffers in bytes; by default an eighth of memory, between 128 and 512 MiB. */
  readonly sharedBuffersBytes?: number
  /** Further settings of this endpoint; those that the storage contract rests on are refused. */
  readonly overrides?: Readonly<Record<string, string>>
}

/** Where clients connect. An empty host means the Unix socket only; the port also names the socket file. */
export interface Listen {
  readonly host: string
  readonly port: number
}

export interface HostMemory {
  /** Memory that this process may use: the machine's, or the control group's limit if that is lower. */
  readonly memoryBytes: number
  /** Size of /dev/shm; 0 if there is none. */
  readonly sharedMemoryBytes: number
}

const MIB = 1024 * 1024
/** Postgres's own default: below it, redo writes pages out as fast as it reads them. */
const SHARED_BUFFERS_BYTES_MIN = 128 * MIB
/**
 * Buffers are empty after each start and cost it time: 0.53 s with 2 GiB, 0.33 s with 512 MiB, 0.22 s with 128 MiB. The
 * cache of the volume lives on, and the kernel holds its files in memory a second time.
 */
const SHARED_BUFFERS_BYTES_MAX = 512 * MIB
const SHARED_BUFFERS_FRACTION = 1 / 8
/** Containers get 64 MiB by default, which one parallel hash join exceeds. */
const SHARED_MEMORY_BYTES_MIN = 256 * MIB

/** Without these an acknowledged commit could be lost, a page could tear, or Loch could not find its server again. */
const STORAGE_CONTRACT: readonly Setting[] = [
  setting('fsync', 'on', 'a commit is an fsync of pg_wal; the volume knows of durability by nothing else'),
  setting('synchronous_commit', 'on', 'the flush is the quorum; a session may still ask for less, for itself'),
  setting('full_page_writes', 'off', 'the volume applies each 8 KiB write whole or not at all, so no page can tear'),
  setting('wal_init_zero', 'off', 'zeros written ahead protect nothing in a log-structured volume and are logged'),
  setting('wal_recycle', 'off', 'a renamed old segment would show old bytes ahead of the end to a replica that polls'),
  setting('wal_sync_method', 'fdatasync', 'open_datasync would make each WAL write a flush of its own'),
  setting('wal_level', 'logical', 'replicas need replica; logical costs little and lets users replicate out of Loch'),
  setting('data_sync_retry', 'off', 'a failed fsync means this compute is fenced or cut off: it must stop, not retry'),
  setting('ignore_checksum_failure', 'off', 'a checksum failure is how a fault of the volume shows'),
  setting('zero_damaged_pages', 'off', 'as above: a damaged page is reported, never replaced by zeros'),
  setting('recovery_init_sync_method', 'syncfs', 'no fsync of every file: Loch makes the volume durable at each start'),
  setting('restart_after_crash', 'off', 'a start that Loch does not see is one before which it makes nothing durable'),
  setting(
    'logging_collector',
    'off',
    'Loch reads the log from stderr; files in the volume would be logged and branched',
  ),
  setting('log_destination', 'stderr', 'Loch reads the log from stderr, in the plain format'),
  setting('lc_messages', 'C', 'Loch reads the reason of a failed start from the log'),
]

/** Ours by default, but an endpoint may override them. */
const DEFAULTS: readonly Setting[] = [
  // Redo after a crash starts at the last checkpoint but one. A checkpoint is forced at ~max_wal_size / 1.9 of WAL, so
  // redo reads at most ~0.5 GiB: 2-4 s at the 150-250 MB/s measured with 512 MB of buffers. Half of it would halve that
  // and seal hot pages twice as often; without full-page images a checkpoint adds nothing to the WAL itself.
  setting('max_wal_size', '1GB', 'bounds redo after a crash: about half of it is replayed'),
  setting('checkpoint_timeout', '5min', 'bounds redo by time where there are few writes'),
  setting('checkpoint_completion_target', '0.9', 'sealing is spread over the interval, away from the commits'),
  setting('recovery_prefetch', 'try', 'without full-page images redo reads each page it touches: read ahead'),
  setting('maintenance_io_concurrency', '32', 'how far redo reads ahead; a miss costs one request to the object store'),
  setting('wal_decode_buffer_size', '2MB', 'room for that many records to be looked ahead'),
  setting('io_method', 'worker', 'the packaged binary has no io_uring; workers overlap misses of the page cache'),
  setting('huge_pages', 'try', 'used where the operator has reserved them'),
  setting('max_connections', '100', 'Postgres sizes its tables by it, and a standby may not have fewer'),
  setting('log_checkpoints', 'on', 'shows what recovery would cost'),
  setting('log_line_prefix', '%m [%p] %q%u@%d ', 'time, process, and whose session it is'),
]

/** A standby has no stream: it polls pg_wal in its mount. */
const STANDBY: readonly Setting[] = [
  setting('hot_standby', 'on', 'a secondary is asked whether it is in recovery, and a replica serves reads'),
  setting('wal_retrieve_retry_interval', '5ms', 'the lag of a replica: 3.3 ms at the median was measured with 5 ms'),
]

/**
 * The settings of one start, in the order of the command line.
 * @throws BadArgument when an override names a setting of the storage contract or of the start itself.
 */
export function settingsFor(options: SettingsOptions): readonly Setting[] {
  const shared = sharedBuffers(options)
  const ours: readonly Setting[] = [
    ...STORAGE_CONTRACT,
    setting('listen_addresses', options.listen.host, "the endpoint's address"),
    setting('port', String(options.listen.port), "the endpoint's port; also names the socket file"),
    setting('unix_socket_directories', options.socketDirectory, 'outside the volume, reachable by root and Postgres'),
    setting('unix_socket_permissions', '0700', 'local connections are trusted, so only the owner and root may connect'),
  ]
  const defaults: readonly Setting[] = [
    ...DEFAULTS,
    ...(options.role === 'standby' ? STANDBY : []),
    setting('shared_buffers', `${Math.floor(shared / MIB)}MB`, 'more makes redo faster: evictions become writes'),
    sharedMemoryType(options.host),
  ]
  const overrides = Object.entries(options.overrides ?? {}).map(([name, value]) => override(ours, name, value))
  const overridden = new Set(overrides.map((entry) => entry.name))
  return [...ours, ...defaults.filter((entry) => !overridden.has(entry.name)), ...overrides]
}

/** The settings as arguments of the postgres executable. */
export function settingsArguments(settings: readonly Setting[]): readonly string[] {
  return settings.flatMap((entry) => ['-c', `${entry.name}=${entry.value}`])
}

function override(ours: readonly Setting[], name: string, value: string): Setting {
  // Postgres reads names without regard to case, and takes - for _.
  const canonical = name.toLowerCase().replaceAll('-', '_')
  const fixed = ours.find((entry) => entry.name === canonical)
  if (fixed !== undefined) {
    throw new BadArgument({
      component: 'postgres settings',
      value: `${name}=${value}`,
      problem: `Loch sets ${canonical}=${fixed.value} itself: ${fixed.why}`,
      remedy: 'Leave this setting out.',
    })
  }
  if (!/^[a-z_][a-z0-9_.]*$/.test(canonical) || value.includes('\0')) {
    throw new BadArgument({
      component: 'postgres settings',
      value: `${name}=${value}`,
      problem: 'this is not a setting of Postgres',
      remedy: 'Give name=value as in postgresql.conf; SHOW ALL lists the names.',
    })
  }
  return setting(canonical, value, 'asked for by the endpoint')
}

function sharedBuffers(options: SettingsOptions): number {
  if (options.sharedBuffersBytes !== undefined) return Math.max(options.sharedBuffersBytes, MIB)
  const fraction = options.host.memoryBytes * SHARED_BUFFERS_FRACTION
  return Math.min(Math.max(fraction, SHARED_BUFFERS_BYTES_MIN), SHARED_BUFFERS_BYTES_MAX)
}

function sharedMemoryType(host: HostMemory): Setting {
  const roomy = host.sharedMemoryBytes >= SHARED_MEMORY_BYTES_MIN
  const why = roomy ? '/dev/shm is roomy' : '/dev/shm is absent or too small for parallel queries'
  return setting('dynamic_shared_memory_type', roomy ? 'posix' : 'sysv', why)
}

function setting(name: string, value: string, why: string): Setting {
  return { name, value, why }
}

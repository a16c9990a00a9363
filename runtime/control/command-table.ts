/**
 * The commands of `loch` and their flags, declared once: parsing, help and errors all read this table. What a command
 * does stands in commands/, and is loaded only when it runs.
 */

import { parseAddress } from '../bus/address.ts'
import { BadArgument } from '../errors.ts'
import type { CommandDeclaration } from './arguments.ts'
import {
  checked,
  choice,
  count,
  type Flags,
  formatListen,
  type ListenAddress,
  listen,
  size,
  text,
  toggle,
} from './flags.ts'

export const DEFAULT_DATA = '.loch'
/**
 * Not 5432, which a Postgres of the distribution holds where one is installed, and below the ephemeral ports (32768 and
 * up), which any outgoing connection may hold. L-O-C-H on the keys of a telephone.
 */
export const DEFAULT_LISTEN: ListenAddress = { host: '127.0.0.1', port: 5624 }
/** For an address with a password: arguments of a process can be read by everybody on its host, its environment cannot. */
export const NATS_VARIABLE = 'LOCH_NATS_URL'
const DEFAULT_CACHE_BYTES = 2 ** 30
/** Dirty pages wait in the cache until they are sealed; below this a checkpoint would stall on itself. */
const CACHE_BYTES_MIN = 16 * 2 ** 20
/** A majority of 1, 3 or 5: more zones than this make commits slower and nothing safer. */
const ZONES_MAX = 5

const common = {
  data: text('DIR', DEFAULT_DATA, `Data directory (default ${DEFAULT_DATA})`),
  json: toggle('Machine-readable output: one JSON value per line'),
  help: toggle('Show this page'),
}

function declare<F extends Flags>(
  summary: string,
  operands: string,
  operandsMax: number,
  flags: F,
): CommandDeclaration<F & typeof common> {
  return { summary, operands, operandsMax, flags: { ...flags, ...common } }
}

const name = checked(
  'NAME',
  (value) => {
    if (/^[a-z0-9][a-z0-9-]{0,39}$/.test(value)) return
    throw new BadArgument({
      component: 'name',
      value,
      problem: 'this is not a name',
      remedy: 'Use lower-case letters, digits and hyphens, at most 40.',
    })
  },
  'Project: the family of branches (default main)',
)

export const commands = {
  up: declare('Start Loch and keep it running', '', 0, {
    listen: listen(
      DEFAULT_LISTEN,
      `Where clients connect (default ${formatListen(DEFAULT_LISTEN)}; port 0 for any free one)`,
    ),
    'object-store': text('URL', undefined, 's3://bucket/prefix or file:///directory (default DIR/objects)'),
    nats: checked(
      'URL',
      checkNats,
      `nats://host:4222: use this NATS server instead of starting one (or in ${NATS_VARIABLE})`,
    ),
    'cache-size': size(DEFAULT_CACHE_BYTES, CACHE_BYTES_MIN, 'Local page cache of a compute (default 1GB)'),
    zones: count(undefined, 1, ZONES_MAX, 'Availability zones (default 3); only on first start'),
    durability: choice(
      ['archived', 'quorum'],
      undefined,
      'When a commit is acknowledged (default archived); only on first start',
    ),
    project: name,
  }),
  status: declare('Show zones, safekeepers and computes', '', 0, {}),
  sql: declare('Run SQL and print the result; reads standard input without an argument', "['SQL']", 1, {
    user: text('NAME', 'postgres', 'Role (default postgres)'),
    database: text('NAME', 'postgres', 'Database (default postgres)'),
  }),
  stop: declare('Stop Loch and wait until it is gone', '', 0, {}),
  logs: declare('Show logs', '', 0, {
    zone: text('NAME', 'loch', 'loch (the supervisor), zone-1, zone-2, ... or postgres (default loch)'),
    lines: count(100, 1, 10_000, 'How many of the last lines (default 100)'),
    follow: toggle('Go on with what is written from now on'),
  }),
  compute: declare('Start, stop or show the computes of an endpoint', 'start|stop|status', 1, {
    endpoint: text('NAME', undefined, 'Endpoint (default: the only one)'),
  }),
  journals: declare('List the journals of all actors, or print the events of one', '[JOURNAL]', 1, {
    after: count(0, 0, Number.MAX_SAFE_INTEGER, 'Only events after this sequence'),
    limit: count(100, 1, 1_000, 'At most so many events (default 100)'),
  }),
  log: declare('Write what the actors of this Loch heard and did to stdout, for `loch replay`', 'export', 1, {
    since: text('TIME', undefined, 'Only from here on: 10m, 2h, 3d ago, or a time like 2026-01-31T12:00:00Z'),
  }),
  replay: declare('Look into a run log; on a terminal a view to move about in', 'FILE', 1, {
    at: text('PLACE', undefined, 'Begin there: a sequence, a time, +1.5s, an event id, first or last'),
    back: toggle('Go back instead of forth'),
    limit: count(undefined, 1, Number.MAX_SAFE_INTEGER, 'At most so many events (default 100)'),
    until: text('PREDICATE', undefined, "Go on until this holds: 'type = TermStarted and timeline.main.term > 3'"),
    watch: text('FIELD', undefined, "Every event that changes it: 'timeline.main.term'"),
    print: text('FIELD', undefined, "Its value at every event: 'timeline.main.term'"),
    state: text('ACTOR', undefined, "An actor's whole state there"),
    diff: text('FROM..TO', undefined, 'What differs in all states between two places'),
    why: text('EVENT', undefined, 'The chain of causes of an event, from the command that began it'),
    effects: text('EVENT', undefined, 'All that an event led to'),
    query: text('QUERY', undefined, "Events with a past or future: 'X not preceded by Y within 5s of the same actor'"),
    diagram: choice(['text', 'mermaid'], undefined, 'Who made whom do what, drawn'),
    html: text('FILE', undefined, 'Write a page of all of it: lanes, faults, messages, and every state at each moment'),
    microsteps: toggle('The decision and each fact of the event there, one by one'),
    're-execute': toggle(
      "Decide all inputs again by today's code; exit code 1 and the difference if one comes out otherwise",
    ),
    actor: text('NAMES', undefined, 'Show only these actors or kinds of actors'),
    type: text('TYPES', undefined, 'Show only events of these types'),
    term: count(undefined, 0, Number.MAX_SAFE_INTEGER, 'Show only events of this term'),
    correlation: text('ID', undefined, 'Show only what this command led to'),
    from: text('TIME', undefined, 'Show only events from this time on'),
    to: text('TIME', undefined, 'Show only events up to this time'),
    grep: text('PATTERN', undefined, 'Show only events whose line or payload matches'),
    where: text('PREDICATE', undefined, 'Show only events for which this holds'),
  }),
}

/** A program of its own (simulations/command), which stands above this folder: the launcher hands over to it. */
export const SIMULATE = {
  summary: 'Look for failures: run simulated clusters under faults, one seed after the other',
  operands: '',
  operandsMax: 0,
  flags: {},
}

export type CommandName = keyof typeof commands
export type FlagsOf<N extends CommandName> = (typeof commands)[N]['flags']

export function isCommand(word: string): word is CommandName {
  return Object.hasOwn(commands, word)
}

/** What the environment says in place of --nats. @throws BadArgument */
export function natsFromEnvironment(): string | undefined {
  const value = process.env[NATS_VARIABLE] ?? ''
  return value === '' ? undefined : commands.up.flags.nats.parse(value, NATS_VARIABLE)
}

function checkNats(value: string): void {
  const address = parseAddress(value)
  if (address instanceof BadArgument) throw address
}

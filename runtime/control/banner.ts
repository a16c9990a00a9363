/**
 * What `loch up` prints on stdout once clients can connect: for people where everything is and what to type next, for
 * programs one line of JSON. The password is shown to people on the first start only; a program that asks for JSON needs
 * it each time, and reads it from a pipe that is its own.
 */
import { resolve } from 'node:path'
import { withoutCredentials } from '../bus/address.ts'
import { connectionUrl } from '../postgres/credentials.ts'
import type { ListenAddress } from './flags.ts'

export interface ReadyReport {
  readonly listen: ListenAddress
  readonly password: string
  /** This start made the password. */
  readonly isFirstStart: boolean
  readonly passwordFile: string
  /** With credentials. */
  readonly natsUrl: string
  readonly broker: string
  readonly data: string
  /** As the user wrote it, for the commands to type next. */
  readonly dataFlag: string
  readonly isDefaultData: boolean
  readonly objectStore: string
  readonly durability: string
}

export const SUPERUSER = 'postgres'
export const DATABASE = 'postgres'

/** The one line of `--json`. */
export function readyLine(report: ReadyReport): string {
  const { natsUrl: nats, data } = report
  return JSON.stringify({ ready: true, url: urlOf(report, true), nats, data, pid: process.pid })
}

export function readyBanner(report: ReadyReport): string {
  const flag = report.isDefaultData ? '' : ` --data ${quoted(report.dataFlag)}`
  // Not the whole URL: a password among the arguments of a program can be read by everybody on this host.
  const psql = `PGPASSWORD=$(cat ${quoted(report.passwordFile)}) psql '${urlOf(report, false)}'`
  const about = report.isFirstStart
    ? `              the password is shown this once; it stays in ${report.passwordFile}`
    : `              the password is in ${report.passwordFile}`
  return `
Loch is ready.

  Postgres    ${urlOf(report, report.isFirstStart)}
${about}
  NATS        ${withoutCredentials(report.natsUrl)} (${report.broker}); \`loch status --json\` has the address with password
  Data        ${resolve(report.data)}
  Objects     ${report.objectStore}
  Durability  ${report.durability}: ${DURABILITY_MEANING[report.durability] ?? ''}

Next:
  ${psql}
  npx loch status${flag}
  npx loch sql${flag} 'select version()'
  npx loch stop${flag}            (or Ctrl-C here)
`
}

const DURABILITY_MEANING: Readonly<Record<string, string>> = {
  archived: 'a commit is in the object store and on most zones before it is acknowledged',
  quorum: 'a commit is on most zones before it is acknowledged; the object store lags behind',
}

function urlOf({ listen, password }: ReadyReport, withPassword: boolean): string {
  return connectionUrl({ user: SUPERUSER, database: DATABASE, ...listen, ...(withPassword ? { password } : {}) })
}

/** For a shell, if it needs it. */
function quoted(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

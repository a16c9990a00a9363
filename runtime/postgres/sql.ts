/**
 * Runs SQL text for `loch sql`, for Loch's own questions to its computes, and for tests. Values stay as Postgres prints
 * them: nothing here interprets types, so what is shown is what the server said. The `pg` package is loaded on first use:
 * a process that never asks pays nothing for it.
 */
import type { Client, Connection, Submittable } from 'pg'
import { PostgresFailed } from '../errors.ts'

export interface SqlConnection {
  /** A name or address, or the absolute path of a socket directory. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password?: string
  readonly database: string
  /** 10 s by default. */
  readonly connectWithinMs?: number
}

/** What one statement of a text answered. */
export interface StatementResult {
  /** Empty for statements without rows. */
  readonly fields: readonly SqlField[]
  readonly rows: readonly (readonly (string | null)[])[]
  /** The command tag: "SELECT 3", "CREATE TABLE"; '' for an empty statement. */
  readonly command: string
  /** Notices that came since the previous statement. */
  readonly notices: readonly SqlNotice[]
}

export interface SqlField {
  readonly name: string
  /** Oid of the type in pg_type. */
  readonly typeId: number
}

export interface SqlNotice {
  readonly severity: string
  readonly message: string
  readonly sqlstate?: string
  readonly detail?: string
  readonly hint?: string
}

/** The `cause` of a PostgresFailed that a server's answer led to. */
export interface SqlFailure extends SqlNotice {
  readonly sqlstate: string
  /** Character in the text at which the error stands, from 1. */
  readonly position?: number
}

export interface SqlSession {
  /** Runs the text, which may hold several statements; they form one transaction unless they say otherwise. */
  readonly query: (text: string) => Promise<readonly StatementResult[]>
  /** Never rejects. */
  readonly close: () => Promise<void>
}

const CONNECT_WITHIN_MS = 10_000

/**
 * Connects, runs the text and disconnects.
 * @throws PostgresFailed; its `cause` is an SqlFailure when the server refused (see `sqlFailure`).
 */
export async function query(connection: SqlConnection, text: string): Promise<readonly StatementResult[]> {
  const session = await openSession(connection)
  try {
    return await session.query(text)
  } finally {
    await session.close()
  }
}

/** Opens a connection for several texts. @throws PostgresFailed */
export async function openSession(connection: SqlConnection): Promise<SqlSession> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    user: connection.user,
    password: connection.password ?? '',
    database: connection.database,
    connectionTimeoutMillis: connection.connectWithinMs ?? CONNECT_WITHIN_MS,
    application_name: 'loch',
    ssl: false,
  })
  // A connection that breaks while idle fails the next query; the event itself must not end the process.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (cause) {
    throw refused(connection, cause)
  }
  return {
    query: (text) => runText(client, connection, text),
    close: () => client.end().catch(() => {}),
  }
}

/** What the server said when it refused, or undefined if the failure is not the server's answer. */
export function sqlFailure(error: PostgresFailed): SqlFailure | undefined {
  const cause = error.cause
  return typeof cause === 'object' && cause !== null && 'sqlstate' in cause ? (cause as SqlFailure) : undefined
}

async function runText(client: Client, connection: SqlConnection, text: string): Promise<readonly StatementResult[]> {
  const collector = new TextQuery(text)
  const onNotice = (notice: ServerMessage) => collector.notice(readNotice(notice))
  client.on('notice', onNotice)
  try {
    client.query(collector)
    return await collector.done
  } catch (cause) {
    throw refused(connection, cause)
  } finally {
    client.off('notice', onNotice)
  }
}

/** The fields of an error or notice of the protocol that Loch reads. */
interface ServerMessage {
  readonly message?: string | undefined
  readonly severity?: string | undefined
  readonly code?: string | undefined
  readonly detail?: string | undefined
  readonly hint?: string | undefined
  readonly position?: string | undefined
}

/**
 * A query of the simple protocol, which takes several statements. pg calls the handle* methods as messages come in (its
 * contract for query objects of one's own); its built-in query would drop the command tag and parse values.
 */
class TextQuery implements Submittable {
  readonly done: Promise<readonly StatementResult[]>
  readonly #text: string
  readonly #results: StatementResult[] = []
  #fields: readonly SqlField[] = []
  #rows: (string | null)[][] = []
  #notices: SqlNotice[] = []
  #resolve: (results: readonly StatementResult[]) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(text: string) {
    this.#text = text
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  notice(notice: SqlNotice): void {
    this.#notices.push(notice)
  }

  submit(connection: Connection): void {
    connection.query(this.#text)
  }

  handleRowDescription(message: { fields: readonly { name: string; dataTypeID: number }[] }): void {
    this.#fields = message.fields.map((field) => ({ name: field.name, typeId: field.dataTypeID }))
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#rows.push(message.fields)
  }

  handleCommandComplete(message: { text: string }): void {
    this.#results.push({ fields: this.#fields, rows: this.#rows, command: message.text, notices: this.#notices })
    this.#fields = []
    this.#rows = []
    this.#notices = []
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' })
  }

  handleReadyForQuery(): void {
    this.#resolve(this.#results)
  }

  handleError(error: unknown): void {
    this.#reject(error)
  }

  /** COPY FROM STDIN: there is no input to give. */
  handleCopyInResponse(connection: Connection & { sendCopyFail(reason: string): void }): void {
    connection.sendCopyFail('COPY FROM STDIN needs a client with a data stream, such as psql')
  }

  /** COPY TO STDOUT: each line is shown as a row of one column. */
  handleCopyData(message: { chunk: Buffer }): void {
    if (this.#fields.length === 0) this.#fields = [{ name: 'copy', typeId: 0 }]
    this.#rows.push([message.chunk.toString('utf8').replace(/\n$/, '')])
  }
}

function readNotice(message: ServerMessage): SqlNotice {
  return {
    severity: message.severity ?? 'NOTICE',
    message: message.message ?? '',
    ...(message.code === undefined ? {} : { sqlstate: message.code }),
    ...(message.detail === undefined ? {} : { detail: message.detail }),
    ...(message.hint === undefined ? {} : { hint: message.hint }),
  }
}

function refused(connection: SqlConnection, cause: unknown): PostgresFailed {
  const message: ServerMessage = cause instanceof Error ? cause : {}
  const fromServer = typeof message.code === 'string' && message.severity !== undefined
  const failure: SqlFailure | undefined = fromServer
    ? {
        ...readNotice(message),
        sqlstate: message.code ?? '',
        ...(message.position === undefined ? {} : { position: Number(message.position) }),
      }
    : undefined
  return new PostgresFailed({
    component: 'sql',
    value: `${connection.user}@${connection.host}:${connection.port}/${connection.database}`,
    problem: failure === undefined ? describeLoss(cause) : describeFailure(failure),
    remedy: remedyFor(failure),
    cause: failure ?? cause,
  })
}

function describeFailure(failure: SqlFailure): string {
  const place = failure.position === undefined ? '' : ` at character ${failure.position}`
  const detail = failure.detail === undefined ? '' : `; ${failure.detail}`
  return `${failure.severity} ${failure.sqlstate}: ${failure.message}${place}${detail}`
}

function describeLoss(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  // Node reports several refused addresses as one error without a message.
  return cause.message || ('code' in cause ? String(cause.code) : cause.name)
}

function remedyFor(failure: SqlFailure | undefined): string {
  if (failure === undefined) return 'Check that the endpoint runs and that host and port are right.'
  if (failure.hint !== undefined) return failure.hint
  // Class 28: invalid authorization.
  if (failure.sqlstate.startsWith('28')) return 'Check user and password.'
  return 'Correct the statement; the SQLSTATE is listed in the manual of Postgres, appendix A.'
}

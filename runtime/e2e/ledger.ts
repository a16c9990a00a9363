/**
 * A client-side ledger of acknowledged commits: the judge of every end-to-end test. Sessions insert numbered rows and
 * move money between accounts; what the server acknowledged is written down here, outside of anything under test, and
 * compared afterwards. A commit whose answer got lost may or may not be there; an acknowledged one must be.
 */
import pg from 'pg'

export interface LedgerReport {
  readonly acknowledged: number
  readonly missing: readonly string[]
  /** Rows that are there although nobody ever asked for them. */
  readonly invented: number
  readonly sum: number
  readonly expectedSum: number
}

const ACCOUNTS = 32
const INITIAL_BALANCE = 1_000

/** What had been acknowledged at some moment. */
export type LedgerCopy = ReadonlySet<string>

export class Ledger {
  private url: string
  private readonly acknowledged = new Set<string>()
  private readonly attempted = new Set<string>()
  private stopping = false
  private sessions: Promise<void>[] = []
  private sessionsEver = 0
  /** How often the server went away from under a session at work. */
  interruptions = 0

  constructor(url: string) {
    this.url = url
  }

  get commits(): number {
    return this.acknowledged.size
  }

  async prepare(): Promise<void> {
    await withClient(this.url, async (client) => {
      await client.query('create table ledger (session int, number int, primary key (session, number))')
      await client.query('create table account (id int primary key, balance bigint not null)')
      await client.query('insert into account select n, $1 from generate_series(1, $2::int) n', [
        INITIAL_BALANCE,
        ACCOUNTS,
      ])
    })
  }

  start(sessions: number): void {
    this.stopping = false
    // Session numbers are never given again: a row's key says who wrote it.
    for (let index = 0; index < sessions; index++) this.sessions.push(this.session(this.sessionsEver++))
  }

  async stop(): Promise<void> {
    this.stopping = true
    await Promise.all(this.sessions.splice(0))
  }

  /** What is acknowledged by now. */
  copy(): LedgerCopy {
    return new Set(this.acknowledged)
  }

  /** The database answers at another address from now on. Call it after `stop`. */
  moveTo(url: string): void {
    this.url = url
  }

  /** Resolves once `count` more commits were acknowledged than when it was called. */
  async moreCommits(count: number, timeoutMs = 60_000): Promise<void> {
    const goal = this.acknowledged.size + count
    const deadline = performance.now() + timeoutMs
    while (this.acknowledged.size < goal) {
      if (performance.now() > deadline) {
        throw new Error(
          `only ${count - (goal - this.acknowledged.size)} of ${count} further commits within ${timeoutMs} ms`,
        )
      }
      await pause()
    }
  }

  private async session(session: number): Promise<void> {
    let number = 0
    while (!this.stopping) {
      try {
        await withClient(this.url, async (client) => {
          while (!this.stopping) await this.transfer(client, session, ++number)
        })
      } catch {
        this.interruptions++
        // The server went away under us: that is what these tests do. What was not acknowledged is not in the ledger.
        await pause()
      }
    }
  }

  private async transfer(client: pg.Client, session: number, number: number): Promise<void> {
    const key = `${session}/${number}`
    const from = 1 + ((session * 7 + number) % ACCOUNTS)
    const to = 1 + ((session * 13 + number * 5) % ACCOUNTS)
    this.attempted.add(key)
    await client.query('begin')
    await client.query('insert into ledger values ($1, $2)', [session, number])
    const [first, second] = from < to ? [from, to] : [to, from]
    await client.query('select 1 from account where id in ($1, $2) order by id for update', [first, second])
    await client.query('update account set balance = balance - 1 where id = $1', [from])
    await client.query('update account set balance = balance + 1 where id = $1', [to])
    await client.query('commit')
    this.acknowledged.add(key)
  }

  /** Compares the database with the ledger. Call it after `stop`. */
  async compare(url = this.url, acknowledged: LedgerCopy = this.acknowledged): Promise<LedgerReport> {
    return withClient(url, async (client) => {
      const rows = await client.query<{ key: string }>("select session || '/' || number as key from ledger")
      const present = new Set(rows.rows.map((row) => row.key))
      const sum = await client.query<{ sum: string }>('select sum(balance)::text as sum from account')
      return {
        acknowledged: acknowledged.size,
        missing: [...acknowledged].filter((key) => !present.has(key)),
        invented: [...present].filter((key) => !this.attempted.has(key)).length,
        sum: Number(sum.rows[0]!.sum),
        expectedSum: ACCOUNTS * INITIAL_BALANCE,
      }
    })
  }
}

/** Every index and heap of the database under amcheck's eye; throws what it finds. */
export async function checkIntegrity(url: string): Promise<number> {
  return withClient(url, async (client) => {
    await client.query('create extension if not exists amcheck')
    const indexes = await client.query(
      `select bt_index_check(index => c.oid, heapallindexed => true) from pg_index i join pg_class c on c.oid = i.indexrelid
       join pg_am am on am.oid = c.relam where am.amname = 'btree' and c.relpersistence = 'p' and i.indisready and i.indisvalid`,
    )
    const heaps = await client.query<{ relname: string; msg: string }>(
      `select c.relname, v.msg from pg_class c, lateral verify_heapam(c.oid) v where c.relkind in ('r', 'm') and c.relpersistence = 'p'`,
    )
    if (heaps.rows.length > 0)
      throw new Error(`amcheck: ${heaps.rows.map((row) => `${row.relname}: ${row.msg}`).join('; ')}`)
    return indexes.rowCount ?? 0
  })
}

export async function withClient<A>(url: string, use: (client: pg.Client) => Promise<A>): Promise<A> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  // Without a listener the loss of the server would end the test process.
  client.on('error', () => {})
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end().catch(() => {})
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}

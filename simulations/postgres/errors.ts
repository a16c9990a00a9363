/**
 * How simulated Postgres says no. `Corruption` is what oracles look for: the files are not what fsync promised. The others
 * are the everyday ends of a server and of a connection, and no oracle may mistake them for a violation.
 */

/** The files cannot be what Postgres made durable: real Postgres would refuse to start, or answer wrongly. */
export class Corruption extends Error {
  constructor(problem: string) {
    super(problem)
    this.name = 'Corruption'
  }
}

/** The server ended before it served. */
export class PostgresEnded extends Error {
  constructor(reason: string) {
    super(`postgres ended: ${reason}`)
    this.name = 'PostgresEnded'
  }
}

/** The connection is gone, or was never made. Whether the transaction happened is unknown. */
export class ConnectionLost extends Error {
  constructor(reason: string) {
    super(`connection lost: ${reason}`)
    this.name = 'ConnectionLost'
  }
}

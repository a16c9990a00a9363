/**
 * The directory of the Unix socket by which Loch itself talks to its Postgres. Local connections are trusted there, so
 * it belongs to the unprivileged user alone (0700); root gets in anyway. It lies outside the volume.
 */
import { chmodSync, chownSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { AddressTaken, BadArgument } from '../errors.ts'
import { makePublicDirectory } from './binary-copy.ts'
import type { Listen } from './settings.ts'
import type { UnprivilegedUser } from './user.ts'

/** sockaddr_un.sun_path holds 108 bytes with its final zero (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107

/** Path of the socket that Postgres makes for a port. */
export function socketPath(directory: string, port: number): string {
  return join(directory, `.s.PGSQL.${port}`)
}

/**
 * Creates the directory, gives it to the user, and removes a socket that a killed server left: Postgres would do so too,
 * but trusts the pid in the lock file, which in a restarted container is soon somebody else's.
 * @throws BadArgument when the path is too long for a socket; AddressTaken when a server answers there.
 */
export async function prepareSocketDirectory(directory: string, port: number, user: UnprivilegedUser): Promise<void> {
  const path = socketPath(directory, port)
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX || !path.startsWith('/')) {
    throw new BadArgument({
      component: 'postgres socket',
      value: path,
      problem: `the path of a Unix socket must be absolute and at most ${SOCKET_PATH_BYTES_MAX} bytes long`,
      remedy: 'Use a directory with a shorter name.',
    })
  }
  makePublicDirectory(dirname(directory))
  makePublicDirectory(directory)
  chownSync(directory, user.uid, user.gid)
  chmodSync(directory, 0o700)
  if (await answers(path)) {
    throw new AddressTaken({
      component: 'postgres socket',
      value: path,
      problem: 'a Postgres is already running on this socket',
      remedy: 'Stop the other loch that uses this data directory.',
    })
  }
  rmSync(path, { force: true })
  rmSync(`${path}.lock`, { force: true })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      resolve(true)
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
  })
}

/** True if the TCP address cannot be listened on because somebody else does. */
export function isAddressTaken(listen: Listen): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve('code' in error && error.code === 'EADDRINUSE'))
    const host = listen.host === '*' ? '::' : listen.host
    server.listen({ host, port: listen.port, exclusive: true }, () => server.close(() => resolve(false)))
  })
}

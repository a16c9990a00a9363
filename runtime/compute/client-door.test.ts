/** The door of a real Postgres, on a local disk. Needs root and the npm package; the name of the suite says what is missing. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { locateBinaries } from '../postgres/binaries.ts'
import { type PostgresBinaries, prepareBinaries } from '../postgres/binary-tree.ts'
import { initializeCluster } from '../postgres/cluster.ts'
import { killPostgresBelow } from '../postgres/orphans.ts'
import { listProcesses } from '../postgres/processes.ts'
import { type PostgresProcess, startPostgres } from '../postgres/server.ts'
import { query } from '../postgres/sql.ts'
import { whatIsMissing } from '../postgres/testing.ts'
import { unprivilegedUser } from '../postgres/user.ts'
import { ClientDoor } from './client-door.ts'

const missing = whatIsMissing()
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
/** A loaded machine is slow; a backend that nobody ended waits a minute for its client's first word. */
const CLOSED_WITHIN_MS = 20_000

describe.skipIf(missing !== undefined)(`the door to clients${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let root: string
  let binaries: PostgresBinaries
  let server: PostgresProcess
  let door: ClientDoor
  let port: number
  const sockets: Socket[] = []

  const ask = (text: string) =>
    query({ host: '127.0.0.1', port, user: 'postgres', password: 'secret', database: 'postgres' }, text)
  const titles = () =>
    listProcesses((name) => name === 'postgres')
      .filter(({ parent }) => parent === server.pid)
      .map(({ argv }) => argv.join(' '))
  const clients = () => titles().filter((title) => !title.startsWith('postgres: ') || title.includes('127.0.0.1('))
  const helpers = async () =>
    (
      await ask("select pid from pg_stat_activity where backend_type like '%writer' or backend_type = 'checkpointer'")
    )[0]?.rows

  /** A connection of which the postmaster has made a backend, and that has said no more than `said`. */
  async function connecting(said: Uint8Array): Promise<Socket> {
    const before = clients().length
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('error', () => {})
    sockets.push(socket)
    if (said.length > 0) socket.write(said)
    await vi.waitFor(() => expect(clients()).toHaveLength(before + 1), { timeout: CLOSED_WITHIN_MS })
    return socket
  }

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'loch-door-'))
    chmodSync(root, 0o755)
    const user = unprivilegedUser()
    port = await freePort()
    binaries = await prepareBinaries({ source: locateBinaries(), directory: join(root, 'binaries'), user })
    mkdirSync(join(root, 'volume'))
    chownSync(join(root, 'volume'), user.uid, user.gid)
    const directory = join(root, 'volume/data')
    await initializeCluster({ binaries, user, directory, superuser: 'postgres', password: 'secret' })
    server = await startPostgres({
      binaries,
      user,
      directory,
      socketDirectory: join(root, 'socket'),
      listen: { host: '127.0.0.1', port },
      settings: { role: 'primary', sharedBuffersBytes: 16 * 1024 * 1024 },
    })
    await server.ready
    door = new ClientDoor(server.pid)
  })

  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await killPostgresBelow(join(root, 'volume'))
    await binaries?.dispose()
    rmSync(root, { recursive: true, force: true })
  })

  test('ends sessions, and connections that have not come to be one; Postgres itself goes on', async () => {
    const before = await helpers()
    expect(before).toHaveLength(3)
    const session = ask('select pg_sleep(3600)').then(
      () => 'answered',
      () => 'ended',
    )
    await vi.waitFor(() => expect(titles().join()).toContain('SELECT'), { timeout: CLOSED_WITHIN_MS })
    await connecting(Buffer.alloc(0))
    await connecting(SSL_REQUEST)
    expect(clients()).toHaveLength(3)
    door.close()
    expect(await session).toBe('ended')
    await vi.waitFor(() => expect(clients()).toEqual([]), { timeout: CLOSED_WITHIN_MS })
    expect(titles().length).toBeGreaterThanOrEqual(3)
    door.open()
    expect(await helpers()).toEqual(before)
  })

  test('ends nobody any more once it was opened', async () => {
    const socket = await connecting(Buffer.alloc(0))
    door.close()
    door.open()
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(clients()).toHaveLength(1)
    socket.destroy()
  })
})

const POSTMASTER = 100
const SERVER_ARGV = ['/bin/postgres', '-D', '/volume']

/** Listings that show what is said, one after the other, the last for ever; and whom it signalled in the meantime. */
function scripted(...looks: ReadonlyArray<{ readonly state: string; readonly children: Record<number, string[]> }>) {
  const signalled: string[] = []
  let at = 0
  const entryOf = (pid: number, parent: number, state: string, argv: readonly string[]) => {
    return { pid, parent, name: 'postgres', state, startTicks: pid, argv, workingDirectory: '/volume' }
  }
  const list = () => {
    const { state, children } = looks[Math.min(at++, looks.length - 1)]!
    const own = Object.entries(children).map(([pid, argv]) => entryOf(Number(pid), POSTMASTER, 'S', argv))
    return [entryOf(POSTMASTER, 1, state, SERVER_ARGV), ...own]
  }
  const door = new ClientDoor(POSTMASTER, { list, signal: (pid, name) => void signalled.push(`${name} ${pid}`) })
  return { door, signalled, looked: () => at }
}

describe('the looks at the children of a postmaster', () => {
  const client = ['postgres: u d 127.0.0.1(5) idle']
  const [walWriter, archiver] = [['postgres: walwriter '], ['postgres: archiver ']]

  test('go on until one follows that has shown it stopped', async () => {
    const { door, signalled, looked } = scripted(
      { state: 'S', children: { 1: walWriter } },
      { state: 'T', children: { 1: walWriter } },
      { state: 'T', children: { 1: walWriter, 2: client } },
    )
    door.close()
    await expect.poll(() => signalled).toEqual(['SIGSTOP 100', 'SIGTERM 2'])
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(looked()).toBe(3)
  })

  test('end a nameless one that stays so, and none that turns out to be no client', async () => {
    const { door, signalled, looked } = scripted(
      { state: 'T', children: { 1: SERVER_ARGV, 2: SERVER_ARGV } },
      { state: 'T', children: { 1: archiver, 2: SERVER_ARGV } },
    )
    door.close()
    await expect.poll(() => signalled).toEqual(['SIGSTOP 100', 'SIGTERM 2'])
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(signalled).toHaveLength(2)
    expect(looked()).toBe(2)
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

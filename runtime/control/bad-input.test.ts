/**
 * Bad input as a newcomer gives it, to `loch up`: every refusal names the component, the value and the remedy, comes
 * before anything is started, and leaves what was there as it was. Each is tested closer to its cause as well.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startBroker } from '../bus/broker/broker.ts'
import { TestScope } from '../bus/testing.ts'
import { FORMAT_VERSION, instanceOf } from '../data-directory.ts'
import { describe as explain } from '../errors.ts'
import { S3Server } from '../object-store/testing/s3-server.ts'
import { main } from './cli.ts'
import { checkHost } from './host-check.ts'
import { removeTree } from './remove-tree.ts'

const host = await Effect.runPromise(Effect.result(checkHost))
const unfit = host._tag === 'Failure' ? explain(host.failure) : undefined
if (unfit !== undefined) console.info(`skipped: Loch cannot start here: ${unfit}`)

let root: string
let data: string
let scope: TestScope

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'loch-bad-input-'))
  data = join(root, 'data')
  scope = new TestScope()
})
afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await scope.close()
  removeTree(join('/run/loch', instanceOf(data)))
  removeTree(root)
})

interface Report {
  readonly tag: string
  readonly component: string
  readonly value: string
  readonly problem: string
  readonly remedy: string
}

/** Runs `loch up --data <data> ...words`, which must fail; its exit code and the error as a program reads it. */
async function up(...words: readonly string[]): Promise<{ code: number; error: Report }> {
  const lines: string[] = []
  const code = await main(['up', '--json', '--data', data, '--listen', '127.0.0.1:0', ...words], (json) => ({
    json,
    text: () => {},
    line: (line) => void lines.push(line),
    complain: (line) => void lines.push(line),
    bytes: () => {},
  }))
  const { error } = JSON.parse(lines.at(-1)!) as { error: Report }
  for (const part of [error.component, error.value, error.problem, error.remedy]) expect(part).not.toBe('')
  return { code, error }
}

/** A port at which nobody listens any more, and one that is taken. */
async function freedPort(): Promise<number> {
  const server = await taken()
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
function taken(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
  })
}

describe('words that make no sense', () => {
  test.each([
    [['--durabilty', 'quorum'], 'loch up', '--durabilty', '--durability'],
    [['--zones', 'many'], '--zones', 'many', ''],
    [['--object-store', 'gs://bucket'], 'object store', 'gs://bucket', 's3://'],
    [['--nats', 'http://somewhere'], '--nats', 'http://somewhere', 'nats://'],
  ])('%j', async (words, component, value, remedy) => {
    const { code, error } = await up(...words)
    expect(code).toBe(2)
    expect(error).toMatchObject({ tag: 'BadArgument', component, value, remedy: expect.stringContaining(remedy) })
    expect(existsSync(data)).toBe(false)
  })
})

test('an address of NATS in the environment that makes no sense is refused like one in --nats', async () => {
  vi.stubEnv('LOCH_NATS_URL', 'http://u:secret@somewhere')
  const { code, error } = await up()
  expect(code).toBe(2)
  expect(error).toMatchObject({ tag: 'BadArgument', component: 'LOCH_NATS_URL' })
  expect(JSON.stringify(error)).not.toContain('secret')
  expect(existsSync(data)).toBe(false)
})

test('without root nothing is begun', async () => {
  vi.spyOn(process, 'geteuid').mockReturnValue(1000)
  const { code, error } = await up()
  expect(code).toBe(1)
  expect(error).toMatchObject({
    tag: 'HostUnfit',
    component: 'postgres user',
    value: 'uid 1000',
    remedy: expect.stringContaining('sudo'),
  })
  expect(existsSync(data)).toBe(false)
})

describe.skipIf(unfit !== undefined)(`a start${unfit ? ` (skipped: ${unfit})` : ''}`, () => {
  test('on a data directory of a newer format is refused, and the directory left alone', async () => {
    mkdirSync(data)
    writeFileSync(join(data, 'format'), `loch ${FORMAT_VERSION + 1}\n`)
    const { code, error } = await up()
    expect(code).toBe(1)
    expect(error).toMatchObject({
      tag: 'FormatTooNew',
      component: 'data directory',
      value: data,
      problem: expect.stringContaining(`format ${FORMAT_VERSION + 1}`),
      remedy: expect.stringContaining('newer'),
    })
    expect(readdirSync(data)).toEqual(['format'])
    expect(readFileSync(join(data, 'format'), 'utf8')).toBe(`loch ${FORMAT_VERSION + 1}\n`)
  })

  test('in somebody else’s directory is refused', async () => {
    mkdirSync(data)
    writeFileSync(join(data, 'thesis.tex'), 'years of work')
    expect((await up()).error).toMatchObject({ tag: 'BadArgument', component: '--data', value: data })
    expect(readdirSync(data)).toEqual(['thesis.tex'])
  })

  test('at an address that is taken, or that this host does not have, is refused', async () => {
    const server = await taken()
    const address = `127.0.0.1:${(server.address() as { port: number }).port}`
    expect((await up('--listen', address)).error).toMatchObject({
      tag: 'AddressTaken',
      component: '--listen',
      value: address,
      remedy: expect.stringContaining('--listen 127.0.0.1:PORT'),
    })
    server.close()
    expect((await up('--listen', '192.0.2.1:5432')).error).toMatchObject({
      tag: 'BadArgument',
      component: '--listen',
      value: '192.0.2.1:5432',
      remedy: expect.stringContaining('0.0.0.0'),
    })
  })

  test('with a NATS server that is not there is refused, and no password is shown', async () => {
    const address = `127.0.0.1:${await freedPort()}`
    const { error } = await up('--nats', `nats://u:secret@${address}`)
    expect(error).toMatchObject({
      tag: 'BusUnavailable',
      component: 'bus',
      value: `nats://${address}`,
      remedy: expect.stringContaining('Start the NATS server'),
    })
    expect(JSON.stringify(error)).not.toContain('secret')
  })

  test('with such a server in the environment is refused, too, unless a flag says otherwise', async () => {
    const [address, other] = [`127.0.0.1:${await freedPort()}`, `127.0.0.1:${await freedPort()}`]
    vi.stubEnv('LOCH_NATS_URL', `nats://u:secret@${address}`)
    expect((await up()).error).toMatchObject({ tag: 'BusUnavailable', value: `nats://${address}` })
    expect((await up('--nats', other)).error).toMatchObject({ tag: 'BusUnavailable', value: `nats://${other}` })
  })

  test('with wrong credentials for NATS is refused', async () => {
    const credentials = { kind: 'password', user: 'loch', password: 'right' } as const
    const { port } = await scope.open(startBroker({ host: '127.0.0.1', port: 0, credentials }))
    const { error } = await up('--nats', `nats://loch:wrong@127.0.0.1:${port}`)
    expect(error).toMatchObject({
      tag: 'BusUnavailable',
      component: 'bus',
      value: `nats://127.0.0.1:${port}`,
      problem: 'the NATS server refuses our credentials',
      remedy: expect.stringContaining('user:password'),
    })
    expect(JSON.stringify(error)).not.toContain('wrong')
  })

  describe('with an S3 store', () => {
    let server: S3Server
    beforeEach(async () => {
      server = await S3Server.start()
      for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value)
    })
    afterEach(() => server.stop())
    const upInBucket = () => up('--object-store', 's3://loch/root')

    test('that ignores conditions is refused, and nothing is left in it', async () => {
      server.ignoresConditions = true
      expect((await upInBucket()).error).toMatchObject({
        tag: 'StoreRefused',
        value: expect.stringContaining('loch'),
        problem: expect.stringContaining('ignores conditions'),
      })
      expect(server.buckets.get('loch')!.keys()).toEqual([])
    })

    test('that refuses the credentials is refused', async () => {
      vi.stubEnv('AWS_ACCESS_KEY_ID', 'somebody-else')
      expect((await upInBucket()).error).toMatchObject({
        tag: 'StoreRefused',
        component: 'object store',
        value: expect.stringContaining(server.url),
        remedy: expect.stringContaining('AWS_ACCESS_KEY_ID'),
      })
    })

    test('that cannot be reached is refused, after some patience', async () => {
      vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${await freedPort()}`)
      expect((await upInBucket()).error).toMatchObject({
        tag: 'StoreUnavailable',
        component: 'object store',
        value: expect.stringContaining(process.env['AWS_ENDPOINT_URL']!),
        problem: expect.stringContaining('ECONNREFUSED'),
      })
    })
  })
})

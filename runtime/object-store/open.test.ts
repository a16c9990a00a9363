/** Store addresses, and opening by them with nothing but the environment. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as Effect from 'effect/Effect'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openObjectStore, parseStoreUrl, probe } from './open.ts'
import { S3Server } from './testing/s3-server.ts'

afterEach(() => void vi.unstubAllEnvs())

describe('a store URL', () => {
  test.each([
    ['file:///var/lib/loch', { kind: 'file', root: '/var/lib/loch' }],
    ['file:///var/lib/loch/', { kind: 'file', root: '/var/lib/loch' }],
    ['file:///with%20space', { kind: 'file', root: '/with space' }],
    ['file://localhost/data', { kind: 'file', root: '/data' }],
    ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://bucket/', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://my.bucket-1/a/b/', { kind: 's3', bucket: 'my.bucket-1', prefix: 'a/b/' }],
  ])('%s is understood', (text, address) => {
    expect(parseStoreUrl(text)).toEqual(address)
  })

  test.each([
    '',
    'loch',
    '/var/lib/loch',
    'http://bucket',
    'file:relative',
    'file://host/share',
    'file:///',
    'file:///a%2Fb',
    'file:///a?b',
    's3://',
    's3:///prefix',
    's3://b',
    's3://bucket/a//b',
    's3://bucket/a b',
    's3://bucket/~new',
    's3://bucket#x',
    `s3://bucket/${'x'.repeat(401)}`,
  ])('%j is refused with a remedy', (text) => {
    expect(() => parseStoreUrl(text)).toThrow(
      expect.objectContaining({ _tag: 'BadArgument', component: 'object store', value: text }),
    )
  })

  test('with credentials is refused without repeating them', () => {
    expect(() => parseStoreUrl('s3://key:secret@bucket/x')).toThrow(
      expect.objectContaining({ _tag: 'BadArgument', value: 's3://...@bucket/x' }),
    )
  })
})

describe('opening', () => {
  test('a directory makes it and passes the probe', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'loch-open-'))
    const url = pathToFileURL(join(directory, 'deep', 'er')).href
    try {
      const opened = Effect.gen(function* () {
        const store = yield* openObjectStore(url)
        yield* probe(store)
        return store.url
      })
      expect(await Effect.runPromise(Effect.scoped(opened))).toBe(url)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('a bucket takes endpoint, region and credentials from the environment, and passes the probe silently', async () => {
    const server = await S3Server.start({ buckets: ['from-url'] })
    for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value)
    const warnings: unknown[] = []
    const listener = (warning: unknown) => void warnings.push(warning)
    process.on('warning', listener)
    try {
      const opened = Effect.gen(function* () {
        const store = yield* openObjectStore('s3://from-url/some/prefix')
        yield* probe(store)
        yield* store.create('kept', [Buffer.from('x')])
        return store.url
      })
      expect(await Effect.runPromise(Effect.scoped(opened))).toBe('s3://from-url/some/prefix')
      expect(server.buckets.get('from-url')?.keys()).toEqual(['some/prefix/kept'])
      await new Promise((resolve) => setImmediate(resolve))
      expect(warnings).toEqual([])
      expect(Object.keys(process.env).filter((name) => name.startsWith('AWS_SDK_JS'))).toEqual([])
    } finally {
      process.off('warning', listener)
      await server.stop()
    }
  })

  test('an address that cannot be understood fails as such', async () => {
    const error = await Effect.runPromise(Effect.scoped(Effect.flip(openObjectStore('gs://bucket'))))
    expect(error).toMatchObject({ _tag: 'BadArgument', value: 'gs://bucket', problem: 'gs: is no kind of store' })
  })
})

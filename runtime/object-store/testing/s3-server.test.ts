/** The test S3 server against the API reference: a contract suite is worth only as much as the server it runs on. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compile, linesOf } from './compile.ts'
import { S3Server, TEST_CREDENTIALS } from './s3-server.ts'

const AUTHORIZATION = `AWS4-HMAC-SHA256 Credential=${TEST_CREDENTIALS.accessKeyId}/20260101/us-east-1/s3/aws4_request`

let server: S3Server
beforeEach(async () => {
  server = await S3Server.start()
})
afterEach(() => server.stop())

function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string, url = server.url) {
  return fetch(`${url}/loch${path}`, {
    method,
    headers: { authorization: AUTHORIZATION, ...headers },
    ...(body === undefined ? {} : { body }),
  })
}

const put = (key: string, body: string, headers: Record<string, string> = {}) => ask('PUT', `/${key}`, headers, body)
const bodyOf = async (key: string, headers: Record<string, string> = {}) =>
  (await ask('GET', `/${key}`, headers)).text()
const tags = (xml: string, name: string) => [...xml.matchAll(new RegExp(`<${name}>([^<]*)<`, 'g'))].map((m) => m[1])

describe('PUT', () => {
  test('overwrites unless told not to, and then answers 412', async () => {
    expect((await put('k', 'one')).status).toBe(200)
    expect((await put('k', 'two')).status).toBe(200)
    const refused = await put('k', 'three', { 'if-none-match': '*' })
    expect([refused.status, tags(await refused.text(), 'Code')]).toEqual([412, ['PreconditionFailed']])
    expect(await bodyOf('k')).toBe('two')
  })

  test('with If-Match replaces only what it names, and answers 404 where there is nothing', async () => {
    expect((await put('k', 'one', { 'if-match': '"x"' })).status).toBe(404)
    const etag = (await put('k', 'one')).headers.get('etag')!
    expect((await put('k', 'two', { 'if-match': '"x"' })).status).toBe(412)
    expect((await put('k', 'two', { 'if-match': etag })).status).toBe(200)
    expect(await bodyOf('k')).toBe('two')
  })

  test('decodes aws-chunked bodies with signatures and trailers', async () => {
    const chunks = '5;chunk-signature=ab\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n'
    await put('by-encoding', chunks, { 'content-encoding': 'aws-chunked' })
    await put('by-hash', chunks, { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' })
    expect([await bodyOf('by-encoding'), await bodyOf('by-hash')]).toEqual(['hello world', 'hello world'])
    const broken = await put('broken', '5\r\nhel', { 'content-encoding': 'aws-chunked' })
    expect([broken.status, tags(await broken.text(), 'Code')]).toEqual([400, ['IncompleteBody']])
  })
})

describe('GET and HEAD', () => {
  test.each([
    ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
    ['bytes=3-5', 206, '345', 'bytes 3-5/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=7-99', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=5-3', 200, '0123456789', null],
    ['lines=1-2', 200, '0123456789', null],
  ])('Range %s answers %i with %j', async (range, status, body, contentRange) => {
    await put('k', '0123456789')
    const answer = await ask('GET', '/k', { range })
    expect([answer.status, await answer.text(), answer.headers.get('content-range')]).toEqual([
      status,
      body,
      contentRange,
    ])
    const head = await ask('HEAD', '/k', { range })
    expect([head.status, head.headers.get('content-length')]).toEqual([status, String(body.length)])
  })

  test.each(['bytes=10-', 'bytes=-0'])('Range %s of ten bytes answers 416', async (range) => {
    await put('k', '0123456789')
    expect((await ask('GET', '/k', { range })).status).toBe(416)
  })

  test('give metadata back, and 304 for what the client has', async () => {
    const etag = (await put('k', 'x', { 'x-amz-meta-loch-writer': 'me' })).headers.get('etag')!
    const head = await ask('HEAD', '/k')
    expect([head.headers.get('x-amz-meta-loch-writer'), head.headers.get('etag')]).toEqual(['me', etag])
    expect((await ask('GET', '/k', { 'if-none-match': etag })).status).toBe(304)
  })

  test('refuse who names no access key or a wrong one, and a bucket that is not there', async () => {
    const code = async (answer: Response) => [answer.status, tags(await answer.text(), 'Code')[0]]
    expect(await code(await fetch(`${server.url}/loch/k`))).toEqual([403, 'AccessDenied'])
    const wrong = { authorization: AUTHORIZATION.replace(TEST_CREDENTIALS.accessKeyId, 'other') }
    expect(await code(await ask('GET', '/k', wrong))).toEqual([403, 'InvalidAccessKeyId'])
    const elsewhere = await fetch(`${server.url}/other/k`, { headers: { authorization: AUTHORIZATION } })
    expect(await code(elsewhere)).toEqual([404, 'NoSuchBucket'])
    expect(await code(await ask('GET', '/k'))).toEqual([404, 'NoSuchKey'])
  })
})

describe('ListObjectsV2', () => {
  const list = async (query: string) => (await ask('GET', `?list-type=2&${query}`)).text()

  test('pages by continuation token in byte order, and never twice or past the end', async () => {
    const keys = ['a', 'a/b', 'aa', 'b&c', 'z', 'ä']
    for (const key of [...keys].reverse()) await put(encodeURIComponent(key), 'x')
    const seen: Array<string | undefined> = []
    let token = ''
    for (let pages = 0; pages < 3; pages++) {
      const xml = await list(`max-keys=2${token === '' ? '' : `&continuation-token=${token}`}`)
      seen.push(...tags(xml, 'Key').map((key) => key?.replaceAll('&#38;', '&')))
      token = tags(xml, 'NextContinuationToken')[0] ?? ''
      expect(tags(xml, 'IsTruncated')).toEqual([String(pages < 2)])
    }
    expect(seen).toEqual(keys)
  })

  test('starts after a key and keeps to a prefix', async () => {
    for (const key of ['p/1', 'p/2', 'p/3', 'q']) await put(key, 'x')
    expect(tags(await list('prefix=p/&start-after=p/1'), 'Key')).toEqual(['p/2', 'p/3'])
    expect(tags(await list('max-keys=0'), 'Key')).toEqual([])
  })

  test('folds keys by delimiter, once per folder over all pages', async () => {
    for (const key of ['a/1', 'a/2', 'b', 'c/1']) await put(key, 'x')
    const first = await list('delimiter=/&max-keys=1')
    expect([tags(first, 'Prefix').slice(1), tags(first, 'Key')]).toEqual([['a/'], []])
    const rest = await list(`delimiter=/&continuation-token=${tags(first, 'NextContinuationToken')[0]}`)
    expect([tags(rest, 'Prefix').slice(1), tags(rest, 'Key')]).toEqual([['c/'], ['b']])
  })
})

test('DELETE and DeleteObjects remove, and do not mind what is not there', async () => {
  for (const key of ['a', 'b', 'c']) await put(key, 'x')
  expect((await ask('DELETE', '/a')).status).toBe(204)
  expect((await ask('DELETE', '/a')).status).toBe(204)
  const body = '<Delete><Object><Key>b</Key></Object><Object><Key>none</Key></Object></Delete>'
  const answer = await ask('POST', '?delete', {}, body)
  expect(tags(await answer.text(), 'Key')).toEqual(['b', 'none'])
  expect(server.buckets.get('loch')!.keys()).toEqual(['c'])
})

test('what it does not know it refuses with 501', async () => {
  expect((await ask('POST', '/k?uploads')).status).toBe(501)
  expect((await ask('PUT', '/k', { 'x-amz-copy-source': '/loch/j' })).status).toBe(501)
})

test('as a process it prints its address, and keeps its directory over a kill', async () => {
  const program = compile(fileURLToPath(new URL('./s3-server-main.ts', import.meta.url)))
  const directory = mkdtempSync(join(tmpdir(), 'loch-s3-main-'))
  const start = async () => {
    const child = program.spawn(['--directory', directory])
    const line = (await linesOf(child).next()).value as string
    return { child, told: JSON.parse(line) as { url: string; environment: Record<string, string> } }
  }
  try {
    const first = await start()
    expect(first.told.environment).toMatchObject({ AWS_ENDPOINT_URL: first.told.url, AWS_REGION: 'us-east-1' })
    await ask('PUT', '/deep/key', { 'x-amz-meta-a': 'b' }, 'kept', first.told.url)
    await ask('PUT', '/gone', {}, 'x', first.told.url)
    await ask('DELETE', '/gone', {}, undefined, first.told.url)
    first.child.kill('SIGKILL')
    const second = await start()
    const answer = await ask('GET', '/deep/key', {}, undefined, second.told.url)
    expect([await answer.text(), answer.headers.get('x-amz-meta-a')]).toEqual(['kept', 'b'])
    expect((await ask('HEAD', '/gone', {}, undefined, second.told.url)).status).toBe(404)
    const again = await ask('PUT', '/deep/key', { 'if-none-match': '*' }, 'other', second.told.url)
    expect(again.status).toBe(412)
    second.child.kill('SIGTERM')
    await new Promise((resolve) => second.child.once('exit', resolve))
  } finally {
    program.dispose()
    rmSync(directory, { recursive: true })
  }
})

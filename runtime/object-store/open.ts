/**
 * From a store's address to the store. The only place that knows which kinds there are; everything else is written
 * against the port.
 */
import { fileURLToPath } from 'node:url'
import * as Effect from 'effect/Effect'
import type * as Scope from 'effect/Scope'
import { BadArgument, type DiskFailed, type StoreRefused, type StoreUnavailable } from '../errors.ts'
import { attempt } from '../system/run.ts'
import { openFileStore } from './file.ts'
import { isSegment } from './keys.ts'
import type { ObjectStoreShape } from './object-store.ts'
import { openS3Store } from './s3.ts'

export { probe } from './probe.ts'

export type OpenFailure = BadArgument | StoreRefused | StoreUnavailable | DiskFailed

export type StoreAddress =
  | { readonly kind: 'file'; readonly root: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string }

/**
 * Opens `file:///directory` or `s3://bucket/prefix`. Endpoint, region and credentials of S3 come from the environment
 * (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ...). Sends nothing to S3 yet: see `probe`.
 */
export function openObjectStore(url: string): Effect.Effect<ObjectStoreShape, OpenFailure, Scope.Scope> {
  return Effect.flatMap(
    attempt<StoreAddress, BadArgument>(async () => parseStoreUrl(url)),
    (address): Effect.Effect<ObjectStoreShape, OpenFailure, Scope.Scope> => {
      switch (address.kind) {
        case 'file':
          return openFileStore(address.root)
        case 's3':
          return openS3Store(address)
      }
    },
  )
}

/** Throws BadArgument. */
export function parseStoreUrl(text: string): StoreAddress {
  if (!URL.canParse(text)) throw refusal(text, 'this is no URL')
  const url = new URL(text)
  if (url.search !== '' || url.hash !== '') throw refusal(text, 'a store URL has no ? or #')
  switch (url.protocol) {
    case 'file:':
      return { kind: 'file', root: directoryOf(text, url) }
    case 's3:':
      return { kind: 's3', bucket: bucketOf(text, url), prefix: prefixOf(text, url) }
    default:
      throw refusal(text, `${url.protocol} is no kind of store`)
  }
}

function directoryOf(text: string, url: URL): string {
  if (!/^file:\/\//i.test(text) || url.hostname !== '') throw refusal(text, 'the directory must be absolute and local')
  let path: string
  try {
    path = fileURLToPath(url)
  } catch (error) {
    throw refusal(text, `the directory cannot be decoded: ${error instanceof Error ? error.message : error}`)
  }
  const root = path.replace(/\/+$/, '')
  if (root === '') throw refusal(text, 'the root directory is no place for a store')
  return root
}

function bucketOf(text: string, url: URL): string {
  if (url.username !== '' || url.password !== '') {
    throw refusal(text.replace(/\/\/[^@]*@/, '//...@'), 'credentials do not belong into the URL')
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(url.host))
    throw refusal(text, 'the name of the bucket is missing or bad')
  return url.host
}

/** Room for a key beside the prefix in the 1,024 bytes of S3. */
const PREFIX_BYTES_MAX = 400

function prefixOf(text: string, url: URL): string {
  const path = url.pathname.replace(/^\/|\/+$/g, '')
  if (path === '') return ''
  if (path.length > PREFIX_BYTES_MAX) throw refusal(text, `the prefix is longer than ${PREFIX_BYTES_MAX} bytes`)
  if (!path.split('/').every(isSegment)) throw refusal(text, 'the prefix has characters other than A-Z a-z 0-9 . _ - /')
  return `${path}/`
}

function refusal(value: string, problem: string): BadArgument {
  return new BadArgument({
    component: 'object store',
    value,
    problem,
    remedy: 'Write file:///absolute/directory or s3://bucket/prefix.',
  })
}

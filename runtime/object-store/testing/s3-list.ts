/** ListObjectsV2 of the test server: prefix, delimiter, start-after, max-keys and continuation, as the S3 API has them. */
import type { S3Objects } from './s3-objects.ts'
import { element, errorAnswer, type S3Answer, type S3Request, xmlAnswer } from './s3-wire.ts'

const PAGE_KEYS_MAX = 1_000

type Item = { readonly kind: 'object'; readonly key: string } | { readonly kind: 'folder'; readonly prefix: string }

export function listObjectsV2(objects: S3Objects, { bucket, query }: S3Request): S3Answer {
  const maxKeys = Number(query.get('max-keys') ?? PAGE_KEYS_MAX)
  if (!Number.isInteger(maxKeys) || maxKeys < 0) {
    return errorAnswer(400, 'InvalidArgument', 'max-keys must be a whole number, and not negative')
  }
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const token = query.get('continuation-token')
  const after = token === null ? (query.get('start-after') ?? '') : decodeToken(token)
  const limit = Math.min(maxKeys, PAGE_KEYS_MAX)
  const items = collect(objects.keys(), { prefix, delimiter, after, limit: limit + 1 })
  const page = items.slice(0, limit)
  const truncated = limit > 0 && items.length > limit
  const last = page.at(-1)
  const encoded = query.get('encoding-type') === 'url' ? encodeURIComponent : (text: string) => text
  return xmlAnswer(
    200,
    'ListBucketResult',
    [
      element('Name', bucket),
      element('Prefix', encoded(prefix)),
      element('KeyCount', page.length),
      element('MaxKeys', maxKeys),
      element('IsTruncated', truncated),
      truncated && last !== undefined ? element('NextContinuationToken', encodeToken(last)) : '',
      ...page.map((item) => describeItem(objects, item, encoded)),
    ].join(''),
  )
}

interface Selection {
  readonly prefix: string
  readonly delimiter: string
  readonly after: string
  readonly limit: number
}

function collect(keys: ReadonlyArray<string>, { prefix, delimiter, after, limit }: Selection): Item[] {
  const items: Item[] = []
  const begin = firstAfter(keys, after)
  let folder: string | undefined
  for (let at = begin; at < keys.length && items.length < limit; at++) {
    const key = keys[at]!
    if (!key.startsWith(prefix) || (folder !== undefined && key.startsWith(folder))) continue
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    if (cut < 0) {
      items.push({ kind: 'object', key })
      continue
    }
    folder = key.slice(0, cut + delimiter.length)
    // A folder that the page before ended with.
    if (after.startsWith(folder)) continue
    items.push({ kind: 'folder', prefix: folder })
  }
  return items
}

/** Index of the first of the sorted `keys` that is greater than `after`. */
function firstAfter(keys: ReadonlyArray<string>, after: string): number {
  const bound = Buffer.from(after)
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Buffer.compare(Buffer.from(keys[middle]!), bound) <= 0) low = middle + 1
    else high = middle
  }
  return low
}

function describeItem(objects: S3Objects, item: Item, encoded: (text: string) => string): string {
  switch (item.kind) {
    case 'folder':
      return `<CommonPrefixes>${element('Prefix', encoded(item.prefix))}</CommonPrefixes>`
    case 'object': {
      const object = objects.get(item.key)
      if (object === undefined) throw new Error('broken invariant: a listed object does not exist')
      const fields = [
        element('Key', encoded(item.key)),
        element('LastModified', new Date(object.modifiedMs).toISOString()),
        element('ETag', object.etag),
        element('Size', object.body.length),
        element('StorageClass', 'STANDARD'),
      ]
      return `<Contents>${fields.join('')}</Contents>`
    }
  }
}

/** Opaque to clients, who must not send it back as a key. */
function encodeToken(last: Item): string {
  return Buffer.from(last.kind === 'object' ? last.key : last.prefix).toString('base64url')
}

function decodeToken(token: string): string {
  return Buffer.from(token, 'base64url').toString()
}

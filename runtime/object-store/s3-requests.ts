/**
 * The five S3 requests that the store makes, each retried until it has an answer (s3-retry.ts), with keys below the
 * store's prefix. What an answer means for the port is decided in s3.ts.
 */
import { isKey } from './keys.ts'
import type { ByteRange, ObjectEntry } from './object-store.ts'
import type { S3Connection } from './s3-client.ts'
import type { S3Place } from './s3-errors.ts'
import { type Call, type RetryPolicy, retrying } from './s3-retry.ts'

/** Metadata that says which call wrote an object. */
const WRITER = 'loch-writer'

export interface S3Target extends S3Place {
  readonly connection: S3Connection
  /** '' or ending in a slash. */
  readonly prefix: string
  readonly policy: RetryPolicy
}

export interface S3Head {
  readonly size: number
  /** Undefined if the store dropped it, or if the object is not of Loch. */
  readonly writer: string | undefined
}

export interface S3Page {
  readonly entries: ReadonlyArray<ObjectEntry>
  /** For the next page, if there is one. */
  readonly token: string | undefined
}

export interface S3PageQuery {
  readonly startAfter: string | undefined
  readonly token: string | undefined
  readonly keysMax: number
}

/** Creates the object if the name is free. Anything but 'done' and 'taken' is no answer to it. */
export function putIfAbsent(target: S3Target, key: string, body: Uint8Array, writer: string) {
  const input = { ...at(target, key), Body: body, IfNoneMatch: '*', Metadata: { [WRITER]: writer } }
  return call(target, `creating ${key}`, body.length, async (options) => {
    const { client, sdk } = target.connection
    await client.send(new sdk.PutObjectCommand(input), options)
  })
}

export function head(target: S3Target, key: string) {
  return call(target, `looking at ${key}`, 0, async (options): Promise<S3Head> => {
    const { client, sdk } = target.connection
    const answer = await client.send(new sdk.HeadObjectCommand(at(target, key)), options)
    return { size: answer.ContentLength ?? 0, writer: answer.Metadata?.[WRITER] }
  })
}

export function get(target: S3Target, key: string, range: ByteRange | undefined) {
  const wanted = range === undefined ? {} : { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }
  return call(target, `reading ${key}`, range?.length ?? 0, async (options): Promise<Uint8Array> => {
    const { client, sdk } = target.connection
    const answer = await client.send(new sdk.GetObjectCommand({ ...at(target, key), ...wanted }), options)
    const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array(0)
    if (answer.ContentLength !== undefined && bytes.length !== answer.ContentLength) {
      throw new DOMException(`${bytes.length} of ${answer.ContentLength} bytes arrived`, 'NetworkError')
    }
    // A store that does not know ranges sends everything.
    if (range === undefined || answer.ContentRange !== undefined) return bytes
    return bytes.subarray(range.offset, range.offset + range.length)
  })
}

export function page(target: S3Target, prefix: string, { startAfter, token, keysMax }: S3PageQuery) {
  const input = {
    Bucket: target.bucket,
    Prefix: target.prefix + prefix,
    MaxKeys: keysMax,
    ...(startAfter === undefined ? {} : { StartAfter: target.prefix + startAfter }),
    ...(token === undefined ? {} : { ContinuationToken: token }),
  }
  return call(target, `listing ${prefix}`, 0, async (options): Promise<S3Page> => {
    const { client, sdk } = target.connection
    const answer = await client.send(new sdk.ListObjectsV2Command(input), options)
    const entries = (answer.Contents ?? []).map(({ Key = '', Size }) => {
      return { key: Key.slice(target.prefix.length), size: Size }
    })
    // What somebody else keeps in the bucket under names that no key can have is none of our objects.
    return {
      entries: entries.filter(({ key }) => isKey(key)),
      token: answer.IsTruncated === true ? answer.NextContinuationToken : undefined,
    }
  })
}

export function remove(target: S3Target, key: string) {
  return call(target, `removing ${key}`, 0, async (options) => {
    const { client, sdk } = target.connection
    await client.send(new sdk.DeleteObjectCommand(at(target, key)), options)
  })
}

function at({ bucket, prefix }: S3Target, key: string) {
  return { Bucket: bucket, Key: prefix + key }
}

function call<A>(target: S3Target, doing: string, bodyBytes: number, send: Call<A>['send']) {
  return retrying({ doing, bodyBytes, send }, target.policy, target)
}

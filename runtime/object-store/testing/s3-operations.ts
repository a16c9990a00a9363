/**
 * The operations of the test S3 server, from request to answer, synchronously: the real service serialises conditional
 * writes per key, and so does this by never yielding. Follows the S3 API reference for PutObject, GetObject,
 * HeadObject, DeleteObject, DeleteObjects and ListObjectsV2; what is not here answers 501.
 */
import { listObjectsV2 } from './s3-list.ts'
import type { S3Objects, StoredObject } from './s3-objects.ts'
import {
  decodeAwsChunked,
  element,
  emptyAnswer,
  errorAnswer,
  isAwsChunked,
  parseRange,
  type S3Answer,
  type S3Request,
  xmlAnswer,
} from './s3-wire.ts'

export interface S3Context {
  readonly buckets: Map<string, S3Objects>
  readonly accessKeyId: string
  /** As services that take If-None-Match and overwrite all the same. */
  readonly ignoresConditions: boolean
  /** As gateways that drop x-amz-meta-* headers. */
  readonly dropsMetadata: boolean
  readonly nowMs: number
}

export function answerS3(context: S3Context, request: S3Request): S3Answer {
  const denied = authenticate(context, request)
  if (denied !== undefined) return denied
  const objects = context.buckets.get(request.bucket)
  if (objects === undefined) return errorAnswer(404, 'NoSuchBucket', 'The specified bucket does not exist')
  if (request.key === '') return answerBucket(objects, request)
  switch (request.method) {
    case 'PUT':
      return putObject(context, objects, request)
    case 'GET':
    case 'HEAD':
      return getObject(context, objects, request)
    case 'DELETE':
      objects.delete(request.key)
      return emptyAnswer(204)
    default:
      return notImplemented(request)
  }
}

function answerBucket(objects: S3Objects, request: S3Request): S3Answer {
  switch (request.method) {
    case 'HEAD':
      return emptyAnswer(200)
    case 'GET':
      return request.query.get('list-type') === '2' ? listObjectsV2(objects, request) : notImplemented(request)
    case 'POST':
      return request.query.has('delete') ? deleteObjects(objects, request) : notImplemented(request)
    default:
      return notImplemented(request)
  }
}

/** Only the access key id is looked at: signatures are the SDK's business, and not under test. */
function authenticate({ accessKeyId }: S3Context, { headers }: S3Request): S3Answer | undefined {
  const credential = /Credential=([^/,]+)\//.exec(headers['authorization'] ?? '')
  if (credential === null) return errorAnswer(403, 'AccessDenied', 'Access Denied')
  if (credential[1] === accessKeyId) return undefined
  return errorAnswer(403, 'InvalidAccessKeyId', 'The access key id you provided does not exist in our records')
}

function putObject(context: S3Context, objects: S3Objects, request: S3Request): S3Answer {
  if (request.headers['x-amz-copy-source'] !== undefined || request.query.has('uploadId'))
    return notImplemented(request)
  let body = request.body
  try {
    if (isAwsChunked(request.headers)) body = decodeAwsChunked(body)
  } catch (error) {
    return errorAnswer(400, 'IncompleteBody', error instanceof Error ? error.message : String(error))
  }
  const refused = context.ignoresConditions ? undefined : putCondition(objects.get(request.key), request)
  if (refused !== undefined) return refused
  const object = objects.put(request.key, body, keptHeaders(context, request), context.nowMs)
  return emptyAnswer(200, { etag: object.etag })
}

function putCondition(existing: StoredObject | undefined, { headers }: S3Request): S3Answer | undefined {
  const [noneMatch, match] = [headers['if-none-match'], headers['if-match']]
  if (noneMatch !== undefined && noneMatch !== '*') {
    return errorAnswer(501, 'NotImplemented', 'A PUT takes only * in If-None-Match')
  }
  if (noneMatch === '*' && existing !== undefined) return preconditionFailed()
  if (match === undefined) return undefined
  if (existing === undefined) return noSuchKey()
  return match === '*' || match === existing.etag ? undefined : preconditionFailed()
}

function keptHeaders({ dropsMetadata }: S3Context, { headers }: S3Request): Record<string, string> {
  const kept: Record<string, string> = { 'content-type': headers['content-type'] ?? 'binary/octet-stream' }
  for (const [name, value] of Object.entries(headers)) {
    if (!dropsMetadata && name.startsWith('x-amz-meta-') && value !== undefined) kept[name] = value
  }
  return kept
}

function getObject({ ignoresConditions }: S3Context, objects: S3Objects, { key, headers }: S3Request): S3Answer {
  const object = objects.get(key)
  if (object === undefined) return noSuchKey()
  const { body, etag } = object
  const common = {
    ...object.headers,
    etag,
    'accept-ranges': 'bytes',
    'last-modified': new Date(object.modifiedMs).toUTCString(),
  }
  if (!ignoresConditions && headers['if-match'] !== undefined && headers['if-match'] !== etag) {
    return preconditionFailed()
  }
  if (!ignoresConditions && headers['if-none-match'] === etag) return emptyAnswer(304, common)
  const range = parseRange(headers['range'], body.length)
  if (range === 'none') return { status: 200, headers: common, body }
  if (range === 'unsatisfiable') return errorAnswer(416, 'InvalidRange', 'The requested range is not satisfiable')
  const [from, to] = range
  const contentRange = { 'content-range': `bytes ${from}-${to - 1}/${body.length}` }
  return { status: 206, headers: { ...common, ...contentRange }, body: body.subarray(from, to) }
}

function deleteObjects(objects: S3Objects, { body }: S3Request): S3Answer {
  const keys = [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => unescapeXml(match[1]!))
  for (const key of keys) objects.delete(key)
  return xmlAnswer(200, 'DeleteResult', keys.map((key) => `<Deleted>${element('Key', key)}</Deleted>`).join(''))
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return named[name] ?? whole
    return String.fromCodePoint(Number.parseInt(decimal ?? hex, decimal === undefined ? 16 : 10))
  })
}

export function preconditionFailed(): S3Answer {
  return errorAnswer(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold')
}

function noSuchKey(): S3Answer {
  return errorAnswer(404, 'NoSuchKey', 'The specified key does not exist.')
}

function notImplemented({ method, bucket, key }: S3Request): S3Answer {
  return errorAnswer(
    501,
    'NotImplemented',
    `The test server has no ${method} for /${bucket}/${key} with these parameters`,
  )
}

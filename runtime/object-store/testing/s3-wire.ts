/**
 * The S3 protocol's small coin for the test server: answers, error documents, ranges, and bodies in aws-chunked encoding.
 * No state, and no decision about objects.
 */

export interface S3Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: Buffer
}

export interface S3Request {
  readonly method: string
  readonly bucket: string
  /** Decoded; '' for the bucket itself. */
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

export function xmlAnswer(status: number, root: string, content: string): S3Answer {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n<${root}>${content}</${root}>`)
  return { status, headers: { 'content-type': 'application/xml' }, body }
}

export function errorAnswer(status: number, code: string, message: string): S3Answer {
  return xmlAnswer(status, 'Error', `${element('Code', code)}${element('Message', message)}`)
}

export function emptyAnswer(status: number, headers: S3Answer['headers'] = {}): S3Answer {
  return { status, headers, body: Buffer.alloc(0) }
}

export function element(name: string, text: string | number | boolean): string {
  const escaped = String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
  return `<${name}>${escaped}</${name}>`
}

/**
 * The bytes [from, to) that `header` asks of an object of `size` bytes (RFC 9110, section 14): 'none' if it asks for the
 * whole or is not understood, 'unsatisfiable' if there are none.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): readonly [number, number] | 'none' | 'unsatisfiable' {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (match === null) return 'none'
  const [first, last] = [match[1]!, match[2]!]
  if (first === '' && last === '') return 'none'
  if (first === '') {
    const suffix = Math.min(Number(last), size)
    return suffix === 0 ? 'unsatisfiable' : [size - suffix, size]
  }
  const from = Number(first)
  const to = last === '' ? size : Math.min(Number(last) + 1, size)
  if (last !== '' && Number(last) < from) return 'none'
  return from >= size ? 'unsatisfiable' : [from, to]
}

/** The payload of a body in aws-chunked encoding: `<hex length>[;extension]\r\n<bytes>\r\n ... 0\r\n trailers`. */
export function decodeAwsChunked(body: Buffer): Buffer {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = body.indexOf('\r\n', at)
    if (lineEnd < 0) throw new RangeError('aws-chunked body ends within a chunk header')
    const length = Number.parseInt(body.toString('latin1', at, lineEnd), 16)
    if (!Number.isSafeInteger(length)) throw new RangeError('aws-chunked body has a chunk without a length')
    if (length === 0) return Buffer.concat(parts)
    const begin = lineEnd + 2
    if (begin + length + 2 > body.length) throw new RangeError('aws-chunked body ends within a chunk')
    parts.push(body.subarray(begin, begin + length))
    at = begin + length + 2
  }
}

/** True for every way in which the SDKs announce that encoding. */
export function isAwsChunked(headers: S3Request['headers']): boolean {
  const encodings = (headers['content-encoding'] ?? '').split(',').map((name) => name.trim())
  return encodings.includes('aws-chunked') || (headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-')
}

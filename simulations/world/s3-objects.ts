/**
 * What a simulated bucket holds, and what S3 answers about it when nothing goes wrong: conditional creations, ranged reads,
 * listings in byte order, all at once and strongly consistent. Faults and time are in sim-s3.ts. Keys are of the alphabet of
 * the object store's keys.ts, so the order of strings is the order of bytes.
 */

/** As the SDK throws it, as far as s3-errors.ts looks. */
export class S3Failure extends Error {
  readonly $metadata: { readonly httpStatusCode?: number }
  readonly code: string | undefined

  constructor(name: string, httpStatusCode?: number, code?: string) {
    super(name)
    this.name = name
    this.$metadata = httpStatusCode === undefined ? {} : { httpStatusCode }
    this.code = code
  }
}

/** The fields of the SDK's inputs that the store uses. */
export interface S3Input {
  readonly Key?: string
  readonly Body?: Uint8Array
  readonly IfNoneMatch?: string
  readonly Metadata?: Readonly<Record<string, string>>
  readonly Range?: string
  readonly Prefix?: string
  readonly MaxKeys?: number
  readonly StartAfter?: string
  readonly ContinuationToken?: string
}

export class S3Objects {
  readonly #pageKeysMax: number
  readonly bodies = new Map<string, Uint8Array>()
  readonly #metadata = new Map<string, Readonly<Record<string, string>>>()
  /** All keys, in order. */
  readonly #keys: string[] = []

  constructor(pageKeysMax = 1_000) {
    this.#pageKeysMax = pageKeysMax
  }

  put({ Key: key = '', Body: body = NOTHING, IfNoneMatch, Metadata = {} }: S3Input): object {
    if (IfNoneMatch === '*' && this.bodies.has(key)) throw new S3Failure('PreconditionFailed', 412)
    if (!this.bodies.has(key)) this.#keys.splice(this.#firstNotBefore(key), 0, key)
    this.bodies.set(key, body)
    this.#metadata.set(key, Metadata)
    return {}
  }

  head({ Key: key = '' }: S3Input): object {
    const body = this.bodies.get(key)
    if (body === undefined) throw new S3Failure('NotFound', 404)
    return { ContentLength: body.length, Metadata: this.#metadata.get(key) }
  }

  /** `arrives` says how many of so many bytes do. */
  get({ Key: key = '', Range: range }: S3Input, arrives: (bytes: number) => number): object {
    const body = this.bodies.get(key)
    if (body === undefined) throw new S3Failure('NoSuchKey', 404)
    const [from, to] = range === undefined ? [0, body.length] : boundsOf(range, body.length)
    // Each reader's own.
    const bytes = new Uint8Array(body.subarray(from, from + arrives(to - from)))
    return {
      ContentLength: to - from,
      Body: { transformToByteArray: () => Promise.resolve(bytes) },
      ...(range === undefined ? {} : { ContentRange: `bytes ${from}-${to - 1}/${body.length}` }),
    }
  }

  list({ Prefix = '', MaxKeys = this.#pageKeysMax, StartAfter = '', ContinuationToken }: S3Input): object {
    const limit = Math.min(MaxKeys, this.#pageKeysMax)
    const after = ContinuationToken === undefined ? StartAfter : fromToken(ContinuationToken)
    const found: { Key: string; Size: number }[] = []
    let at = this.#firstNotBefore(after > Prefix ? after : Prefix)
    if (after !== '' && this.#keys[at] === after) at++
    const isIn = () => this.#keys[at]?.startsWith(Prefix) === true
    for (; isIn() && found.length < limit; at++) {
      const key = this.#keys[at]!
      found.push({ Key: key, Size: this.bodies.get(key)!.length })
    }
    const isTruncated = limit > 0 && isIn()
    return {
      Contents: found,
      IsTruncated: isTruncated,
      ...(isTruncated ? { NextContinuationToken: toToken(found.at(-1)!.Key) } : {}),
    }
  }

  remove(key: string): boolean {
    if (!this.bodies.delete(key)) return false
    this.#metadata.delete(key)
    this.#keys.splice(this.#firstNotBefore(key), 1)
    return true
  }

  #firstNotBefore(bound: string): number {
    let [low, high] = [0, this.#keys.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#keys[middle]! < bound) low = middle + 1
      else high = middle
    }
    return low
  }
}

const NOTHING = new Uint8Array(0)

function boundsOf(range: string, size: number): [number, number] {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range)!
  if (Number(first) >= size) throw new S3Failure('InvalidRange', 416)
  return [Number(first), Math.min(Number(last) + 1, size)]
}

/** Not the key itself: nobody may make one up. */
const toToken = (key: string) => Buffer.from(key).toString('base64url')
const fromToken = (token: string) => Buffer.from(token, 'base64url').toString()

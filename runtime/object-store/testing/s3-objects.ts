/**
 * What the test S3 server keeps: objects by key, listed in byte order, in memory or in a directory that survives the
 * process. Every operation is synchronous, so that checking a condition and acting on it cannot be torn apart. Only one
 * server may use a directory at a time.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writevSync,
} from 'node:fs'
import { join } from 'node:path'

export interface StoredObject {
  readonly key: string
  readonly body: Buffer
  /** Quoted, as in the header. */
  readonly etag: string
  /** x-amz-meta-* headers, and content-type. */
  readonly headers: Readonly<Record<string, string>>
  readonly modifiedMs: number
}

export class S3Objects {
  private readonly objects = new Map<string, StoredObject>()
  private readonly directory: string | undefined
  /** Undefined after a change. */
  private sorted: ReadonlyArray<string> | undefined

  constructor(directory?: string) {
    this.directory = directory
    if (directory === undefined) return
    mkdirSync(directory, { recursive: true })
    for (const name of readdirSync(directory)) {
      if (name.endsWith('.new')) continue
      const object = decode(readFileSync(join(directory, name)))
      this.objects.set(object.key, object)
    }
  }

  get(key: string): StoredObject | undefined {
    return this.objects.get(key)
  }

  /** Replaces what is there: conditions are the caller's business. */
  put(key: string, body: Buffer, headers: StoredObject['headers'], modifiedMs: number): StoredObject {
    const etag = `"${createHash('md5').update(body).digest('hex')}"`
    const object = { key, body, etag, headers, modifiedMs }
    if (this.directory !== undefined) save(fileOf(this.directory, key), object)
    if (!this.objects.has(key)) this.sorted = undefined
    this.objects.set(key, object)
    return object
  }

  delete(key: string): void {
    if (!this.objects.delete(key)) return
    this.sorted = undefined
    if (this.directory !== undefined) rmSync(fileOf(this.directory, key), { force: true })
  }

  /** All keys in the byte order of their UTF-8. */
  keys(): ReadonlyArray<string> {
    this.sorted ??= [...this.objects.keys()].sort((left, right) =>
      Buffer.compare(Buffer.from(left), Buffer.from(right)),
    )
    return this.sorted
  }
}

/** Keys may be longer than file names and have any character, so files are named by hash and carry the key inside. */
function fileOf(directory: string, key: string): string {
  return join(directory, createHash('sha256').update(key).digest('hex'))
}

function save(path: string, { body, ...description }: StoredObject): void {
  const head = Buffer.from(JSON.stringify(description))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(head.length)
  const file = openSync(`${path}.new`, 'w')
  try {
    for (let rest = Buffer.concat([length, head, body]); rest.length > 0; ) {
      rest = rest.subarray(writevSync(file, [rest]))
    }
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.new`, path)
}

function decode(bytes: Buffer): StoredObject {
  const end = 4 + bytes.readUInt32LE(0)
  const description = JSON.parse(bytes.toString('utf8', 4, end)) as Omit<StoredObject, 'body'>
  return { ...description, body: bytes.subarray(end) }
}

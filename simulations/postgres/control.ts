/**
 * global/pg_control: where recovery begins. One page, overwritten in place and fsynced, so a crash leaves the old one or the
 * new one. If it cannot be read there is no way to start, in Postgres as here.
 */
import { checksum } from '../../events/checksum.ts'
import { Corruption } from './errors.ts'
import type { SimMount } from './mount.ts'
import { PAGE_BYTES } from './page.ts'

export const CONTROL_PATH = 'global/pg_control'

const MAGIC = 0x4c43_5047
const FILES_AT = 36

export interface Control {
  /** Shut down with a checkpoint as its last record. */
  readonly isShutDown: boolean
  /** By relation. */
  readonly files: readonly number[]
  /** Where the newest checkpoint's record begins. */
  readonly checkpointLsn: number
  readonly redoLsn: number
}

export class ControlFile {
  readonly #mount: SimMount
  readonly #ino: number

  constructor(mount: SimMount, ino: number) {
    this.#mount = mount
    this.#ino = ino
  }

  static async open(mount: SimMount): Promise<ControlFile> {
    const ino = await mount.lookup(CONTROL_PATH)
    if (ino === 0) throw new Corruption(`${CONTROL_PATH} does not exist`)
    return new ControlFile(mount, ino)
  }

  async read(): Promise<Control> {
    const bytes = await this.#mount.read(this.#ino, 0, PAGE_BYTES)
    const isReadable =
      bytes.length === PAGE_BYTES && bytes.readUInt32LE(0) === MAGIC && bytes.readUInt32LE(4) === checksumOf(bytes)
    if (!isReadable) throw new Corruption(`${CONTROL_PATH} has ${bytes.length} bytes and a wrong checksum`)
    return {
      isShutDown: bytes.readUInt8(8) === 1,
      files: Array.from({ length: bytes.readUInt32LE(32) }, (_, index) => bytes.readUIntLE(FILES_AT + 6 * index, 6)),
      checkpointLsn: bytes.readUIntLE(16, 6),
      redoLsn: bytes.readUIntLE(24, 6),
    }
  }

  async write({ isShutDown, files, checkpointLsn, redoLsn }: Control): Promise<void> {
    const bytes = Buffer.alloc(PAGE_BYTES)
    bytes.writeUInt32LE(MAGIC, 0)
    bytes.writeUInt8(isShutDown ? 1 : 0, 8)
    bytes.writeUInt32LE(files.length, 32)
    for (const [index, file] of files.entries()) bytes.writeUIntLE(file, FILES_AT + 6 * index, 6)
    bytes.writeUIntLE(checkpointLsn, 16, 6)
    bytes.writeUIntLE(redoLsn, 24, 6)
    bytes.writeUInt32LE(checksumOf(bytes), 4)
    await this.#mount.write(this.#ino, 0, bytes)
    await this.#mount.fsync(this.#ino)
  }
}

function checksumOf(bytes: Buffer): number {
  return checksum(bytes.subarray(8))
}

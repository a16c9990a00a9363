/** Bodies that show who wrote them and whether they are whole, as log objects do with their frame. */

const LENGTH_BYTES = 4
/** Not the same for all, so that one body over another shows. */
const lengthOf = (at: number) => 200 + ((at * 37) % 5_000)

export function bodyOf(writer: string, at: number): Buffer {
  const text = Buffer.from(`${writer}:${at}:`.padEnd(lengthOf(at) + writer.length, writer))
  const head = Buffer.alloc(LENGTH_BYTES)
  head.writeUInt32LE(text.length)
  return Buffer.concat([head, text, Buffer.from('end')])
}

export function isWhole(bytes: Uint8Array): boolean {
  const body = Buffer.from(bytes)
  if (body.length < LENGTH_BYTES) return false
  return body.length === LENGTH_BYTES + body.readUInt32LE(0) + 3 && body.toString('latin1', body.length - 3) === 'end'
}

export function writerOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1', LENGTH_BYTES).split(':')[0] ?? ''
}

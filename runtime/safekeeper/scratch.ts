/**
 * Room in which frames are read and put together: one for all timelines of a thread, since whoever asks for it is done with
 * it before anybody else can ask. Of a megabyte each and of their own, such buffers made V8 collect garbage for memory that
 * nothing was ever written to.
 */

let room: Buffer | undefined

/** Exactly `bytes`, whatever is in them; good until the end of the caller's tick or the next call, whichever comes first. */
export function scratch(bytes: number): Buffer {
  if (room === undefined || room.length < bytes) room = Buffer.allocUnsafeSlow(bytes)
  return room.subarray(0, bytes)
}

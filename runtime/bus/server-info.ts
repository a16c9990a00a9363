/**
 * What a NATS server says of itself before anything is said to it:
 * https://docs.nats.io/reference/reference-protocols/nats-protocol#info
 */

/** The first word of a server. */
export const INFO = 'INFO '

/**
 * Whether the client library would encrypt a connection that is greeted with this line, whatever the scheme of the address
 * was: who speaks to the server beside it must not say a password in the clear then. A greeting that is no JSON is not to
 * be trusted with one either.
 */
export function isEncrypting(line: string): boolean {
  try {
    const info: unknown = JSON.parse(line.slice(INFO.length))
    if (typeof info !== 'object' || info === null) return true
    return ['tls_required', 'tls_available'].some((name) => (info as Record<string, unknown>)[name] === true)
  } catch {
    return true
  }
}

/**
 * Addresses of NATS servers as an operator writes them: `nats://[user:password@|token@]host[:port]`, or `tls://…`,
 * several separated by commas. Only text: nothing here connects. Credentials never get into what `shown` returns.
 */
import { BadArgument } from '../errors.ts'

export interface BusAddress {
  /** `host:port` of each server, any of which will do. */
  readonly servers: readonly string[]
  readonly user: string
  readonly password: string
  readonly token: string
  readonly tls: boolean
  /** Without credentials, for errors and logs. */
  readonly shown: string
}

const DEFAULT_PORT = 4222

/** Credentials are those of the first address that has any: servers of one cluster share them. */
export function parseAddress(text: string): BusAddress | BadArgument {
  try {
    const urls = text.split(',').map((part) => parseOne(part.trim()))
    const named = urls.find((url) => url.username !== '')
    const user = decodeURIComponent(named?.username ?? '')
    const password = decodeURIComponent(named?.password ?? '')
    return {
      servers: urls.map((url) => `${url.hostname}:${url.port || DEFAULT_PORT}`),
      user: password === '' ? '' : user,
      password,
      token: password === '' ? user : '',
      tls: urls.some((url) => url.protocol === 'tls:'),
      shown: urls.map(shownUrl).join(','),
    }
  } catch (cause) {
    return new BadArgument({
      component: 'NATS address',
      value: text.replaceAll(/[^/,]*@/g, ''),
      problem: 'this is not the address of a NATS server',
      remedy: 'Write nats://host:port or nats://user:password@host:port, several separated by commas; tls:// for TLS.',
      // Not the cause's text, which may quote the password.
      cause: cause instanceof Error ? cause.name : undefined,
    })
  }
}

/** For a terminal or a log: addresses of servers without what is before the @. */
export function withoutCredentials(text: string): string {
  return text.replaceAll(/\/\/[^@/,]*@/g, '//')
}

/** One server of `address` as a URL with credentials. */
export function addressOf(address: BusAddress, server: string): string {
  const scheme = address.tls ? 'tls' : 'nats'
  if (address.token !== '') return `${scheme}://${encodeURIComponent(address.token)}@${server}`
  if (address.user === '') return `${scheme}://${server}`
  return `${scheme}://${encodeURIComponent(address.user)}:${encodeURIComponent(address.password)}@${server}`
}

/** @throws TypeError or URIError; the caller knows what was being parsed. */
function parseOne(text: string): URL {
  const url = new URL(text.includes('://') ? text : `nats://${text}`)
  const isNats = url.protocol === 'nats:' || url.protocol === 'tls:'
  const isBare = (url.pathname === '' || url.pathname === '/') && url.search === '' && url.hash === ''
  if (url.hostname === '' || !isNats || !isBare) throw new TypeError('not a NATS address')
  return url
}

function shownUrl(url: URL): string {
  return `${url.protocol}//${url.hostname}:${url.port || DEFAULT_PORT}`
}

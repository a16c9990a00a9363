/**
 * Who may connect to the embedded broker: anybody, or who knows a password or a token. Compared in constant time, and
 * never put into an error or a log.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }

/** What a client says about itself in CONNECT. */
export interface Claim {
  readonly user?: unknown
  readonly pass?: unknown
  readonly auth_token?: unknown
}

export function mayConnect(credentials: Credentials, claim: Claim): boolean {
  switch (credentials.kind) {
    case 'none':
      return true
    case 'password': {
      // Both are compared in any case, so that the time taken does not tell whether the user exists.
      const isUser = isSame(credentials.user, claim.user)
      return isSame(credentials.password, claim.pass) && isUser
    }
    case 'token':
      return isSame(credentials.token, claim.auth_token)
  }
}

/** The part of a URL before the host: `user:password@`, `token@` or ''. */
export function userInfo(credentials: Credentials): string {
  switch (credentials.kind) {
    case 'none':
      return ''
    case 'password':
      return `${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.password)}@`
    case 'token':
      return `${encodeURIComponent(credentials.token)}@`
  }
}

/** Digests have one length, whatever was claimed, and that is what timingSafeEqual needs. */
function isSame(expected: string, claimed: unknown): boolean {
  return timingSafeEqual(digest(expected), digest(typeof claimed === 'string' ? claimed : '')) && expected !== ''
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

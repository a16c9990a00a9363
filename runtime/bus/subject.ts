/**
 * Which subjects are well formed: tokens joined by dots; a subscription may use `*` for one token and `>` at its end for
 * one or more. It is asked for each message that is published, so it looks at each character once and allocates nothing.
 */

const DOT = 46
const STAR = 42
const GREATER = 62
const SPACE = 32

/** Tokens are not empty and hold no blanks, which would end the subject on the wire. No wildcards. */
export function isPublishable(subject: string): boolean {
  return isWellFormed(subject, false)
}

/**
 * Where a message that arrived wants its answer, if that is a subject at all: servers do not check it, and whoever answers
 * must not fail because of what a stranger wrote there.
 */
export function replyOf(reply: string | undefined): string | undefined {
  return reply !== undefined && isPublishable(reply) ? reply : undefined
}

/** As `isPublishable`; wildcards stand alone in their token, and `>` only at the end. */
export function isSubscribable(subject: string): boolean {
  return isWellFormed(subject, true)
}

function isWellFormed(subject: string, mayHaveWildcards: boolean): boolean {
  let tokenStart = 0
  for (let at = 0; at <= subject.length; at++) {
    const code = at === subject.length ? DOT : subject.charCodeAt(at)
    if (code <= SPACE) return false
    if (code !== DOT) continue
    const length = at - tokenStart
    if (length === 0) return false
    if (length === 1) {
      const only = subject.charCodeAt(tokenStart)
      const isWildcard = only === STAR || only === GREATER
      if (isWildcard && !mayHaveWildcards) return false
      if (only === GREATER && at !== subject.length) return false
    }
    tokenStart = at + 1
  }
  return true
}

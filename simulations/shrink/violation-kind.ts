/**
 * What a violation is about, without the particulars: two runs that fail with the same kind are taken to show the same error.
 * Kinds are compared and printed, never parsed.
 */

/** An oracle's words begin with the moment: `4.1234 s stale-read: ...`. */
const MOMENT = /^\d+(?:\.\d+)? s /
/** Names of errors that say no more than that something is wrong. */
const PLAIN_ERROR = /^Error: /
/** Errors of the language are told apart by their message, since it is all that they have. */
const LANGUAGE_ERROR = /^(?:Type|Range|Reference|Syntax)Error: /
const KIND_CHARACTERS_MAX = 120

export function violationKind(violation: string): string {
  const line = violation.split('\n')[0]!.replace(PLAIN_ERROR, '').replace(MOMENT, '')
  const head = LANGUAGE_ERROR.test(line) ? line : line.split(': ')[0]!
  return head.replace(/\d+/g, '#').slice(0, KIND_CHARACTERS_MAX)
}

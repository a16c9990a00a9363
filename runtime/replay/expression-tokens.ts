/**
 * Cuts the text of a predicate into words, numbers, texts in quotes, patterns and signs, each with its column, counted from 1.
 * A word may hold dots, hyphens and @, because names of actors do: `safekeeper.main@zone-1.position`. No meaning is known here.
 */

export interface Token {
  readonly kind: 'word' | 'number' | 'string' | 'pattern' | 'sign'
  /** Without quotes or slashes. */
  readonly text: string
  readonly column: number
  /** Of a pattern. */
  readonly flags?: string
}

type Complain = (column: number, problem: string, remedy: string) => Error

/** A duration like 5s is a word, so it is not one of these. */
const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.@-])/iy
const WORD = /[A-Za-z0-9_][\w@-]*(?:\.[\w@-]+)*/y
const SIGN = /==|!=|<=|>=|&&|\|\||[=<>~()!]/y
const PATTERN = /\/((?:[^\\/]|\\.)+)\/([imsu]*)/y
const SPACE = /\s+/y

export function tokensOf(text: string, complain: Complain): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    return pattern.exec(text)
  }
  while (at < text.length) {
    const column = at + 1
    const space = match(SPACE)
    if (space) {
      at += space[0].length
      continue
    }
    const char = text[at]!
    if (char === "'" || char === '"') {
      const end = text.indexOf(char, at + 1)
      if (end < 0) throw complain(column, `this ${char} is never closed`, `Close it with another ${char}.`)
      tokens.push({ kind: 'string', text: text.slice(at + 1, end), column })
      at = end + 1
      continue
    }
    const pattern = match(PATTERN)
    if (pattern) tokens.push({ kind: 'pattern', text: pattern[1]!, column, flags: pattern[2]! })
    const number = pattern ?? match(NUMBER)
    if (!pattern && number) tokens.push({ kind: 'number', text: number[0], column })
    const word = number ?? match(WORD)
    if (!number && word) tokens.push({ kind: 'word', text: word[0], column })
    const sign = word ?? match(SIGN)
    if (!word && sign) tokens.push({ kind: 'sign', text: sign[0], column })
    if (sign === null) {
      const remedy = 'Write fields, numbers, texts in quotes, patterns in slashes, and = != < <= > >= ~ and or not ( ).'
      throw complain(column, `${JSON.stringify(char)} means nothing here`, remedy)
    }
    at += sign[0].length
  }
  return tokens
}

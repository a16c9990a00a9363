/**
 * Reads TypeScript as far as the layout's rules need it: what is code, what is comment and what is text, and which
 * modules a file names. A scanner of a page and not a compiler, because no rule asks for types; it must only never take
 * text or a comment for code. Used by tests alone.
 */

type Kind = 'code' | 'comment' | 'text'
type Emit = (kind: Kind, from: number, to: number) => void

/** After these a slash begins a regular expression; after anything else it divides. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%<>~^])\s*$|\b(?:return|typeof|case|in|of|do|else|await|yield|throw)\s+$/
const LOOK_BACK = 32

/** The code alone; quotes and braces of texts stay, comments and the contents of texts go. */
export function blankStrings(source: string): string {
  return keep(source, (kind) => kind === 'code')
}

/** Code and texts. */
export function blankComments(source: string): string {
  return keep(source, (kind) => kind !== 'comment')
}

/** What the file imports, exports from, loads dynamically, names in a type, or starts a worker from. */
export function importsOf(source: string): readonly string[] {
  const texts: string[] = []
  let code = ''
  scan(source, (kind, from, to) => {
    if (kind === 'code') code += source.slice(from, to)
    // Texts are taken out and numbered, so that what looks like an import inside one is not read as such.
    if (kind === 'text') code += `\uE000${texts.push(source.slice(from, to)) - 1}\uE000`
  })
  const named = /\b(?:from|import)\s*\(?\s*(?:'|"|`)\uE000(\d+)\uE000/g
  const workers = /\bnew\s+URL\s*\(\s*(?:'|"|`)\uE000(\d+)\uE000(?:'|"|`)\s*,\s*import\.meta\.url/g
  const texted = (pattern: RegExp) => [...code.matchAll(pattern)].map((match) => texts[Number(match[1])]!)
  return [...texted(named), ...texted(workers).filter((path) => /\.[jt]s$/.test(path))]
}

function keep(source: string, wanted: (kind: Kind) => boolean): string {
  let kept = ''
  scan(source, (kind, from, to) => {
    const piece = source.slice(from, to)
    // Lines keep their numbers.
    kept += wanted(kind) ? piece : piece.replace(/[^\n]+/g, '')
  })
  return kept
}

/** Cuts `source` into pieces, in order and without a gap. */
function scan(source: string, emit: Emit): void {
  /** For each template whose `${` is open: braces opened within it. */
  const open: number[] = []
  let at = 0
  let codeFrom = 0
  const cut = (kind: Kind, to: number) => {
    emit('code', codeFrom, at)
    emit(kind, at, to)
    at = codeFrom = to
  }
  /** A text from `at + 1` to its end; its delimiters are code. */
  const cutText = (end: number) => {
    at++
    cut('text', end)
    at++
  }
  const cutTemplate = () => {
    const end = endOfTemplate(source, at + 1)
    cutText(end)
    if (source[end] !== '$') return
    at++
    open.push(0)
  }
  while (at < source.length) {
    const char = source[at]!
    if (source.startsWith('//', at)) cut('comment', lineEnd(source, at))
    else if (source.startsWith('/*', at)) cut('comment', blockEnd(source, at))
    else if (char === "'" || char === '"') cutText(endOfString(source, at + 1, char))
    else if (char === '`') cutTemplate()
    else if (char === '}' && open.at(-1) === 0) {
      open.pop()
      cutTemplate()
    } else if (char === '/' && BEFORE_REGEX.test(source.slice(Math.max(at - LOOK_BACK, codeFrom), at))) {
      cutText(endOfRegex(source, at + 1))
    } else {
      if (open.length > 0 && (char === '{' || char === '}')) open[open.length - 1]! += char === '{' ? 1 : -1
      at++
    }
  }
  emit('code', codeFrom, at)
}

function lineEnd(source: string, from: number): number {
  const end = source.indexOf('\n', from)
  return end < 0 ? source.length : end
}

function blockEnd(source: string, from: number): number {
  const end = source.indexOf('*/', from)
  return end < 0 ? source.length : end + 2
}

function endOfString(source: string, from: number, quote: string): number {
  let at = from
  while (at < source.length && source[at] !== quote) at += source[at] === '\\' ? 2 : 1
  return at
}

/** Where the template's text is interrupted by an expression, or ends. */
function endOfTemplate(source: string, from: number): number {
  let at = from
  while (at < source.length && source[at] !== '`' && !source.startsWith('${', at)) at += source[at] === '\\' ? 2 : 1
  return at
}

function endOfRegex(source: string, from: number): number {
  let inClass = false
  let at = from
  for (; at < source.length && (inClass || source[at] !== '/'); at++) {
    if (source[at] === '\\') at++
    else if (source[at] === '[') inClass = true
    else if (source[at] === ']') inClass = false
  }
  return at
}

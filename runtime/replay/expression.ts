/**
 * The small language of predicates and of `--print`: a field, a comparison, `and`, `or`, `not`, and a match by regular
 * expression. A text becomes a tree here; what a field means is said in event-fields.ts. Nothing is ever executed but this
 * tree, and every error names the column and what could stand there.
 *
 *   type = TermStarted and timeline.main.term > 3
 *   (outcome = refused or payload.problem ~ /lost|damaged/i) and not actor = zone.zone-2
 *   changed compute.main-zone-1.state
 */
import { BadArgument } from '../errors.ts'
import { type Token, tokensOf } from './expression-tokens.ts'

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>='

export type Expression =
  | { readonly kind: 'literal'; readonly value: unknown }
  /** A text, or a field: `actor = zone.zone-2`, `before.state != after.state`. Who knows the fields decides. */
  | { readonly kind: 'word'; readonly text: string; readonly field: FieldExpression }
  | { readonly kind: 'field'; readonly path: readonly string[]; readonly column: number }
  | { readonly kind: 'changed'; readonly field: FieldExpression }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'compare'; readonly operator: Operator; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'match'; readonly left: Expression; readonly pattern: RegExp }

export type FieldExpression = Extract<Expression, { kind: 'field' }>

const OPERATORS: Readonly<Record<string, Operator>> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
}
const CONSTANTS: ReadonlyMap<string, unknown> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
])
export const EXPRESSION_EXAMPLE =
  'Write for example: type = TermStarted and timeline.main.term > 3, or: reason ~ /lost/.'

/** @throws BadArgument, which names `flag`, the column and the remedy. */
export function parseExpression(text: string, flag: string): Expression {
  const reader = new TokenReader(text, flag)
  const expression = readOr(reader)
  if (reader.peek() !== undefined) reader.refuse('nothing more was expected here', 'Join conditions with and or or.')
  return expression
}

/** Far beyond what anybody writes, and few enough that depth costs no stack. */
const TOKENS_MAX = 1_000
/** Of a text that is refused, so much is shown. */
const VALUE_LENGTH_MAX = 200

/** The tokens of one text, and errors that point into it. */
export class TokenReader {
  readonly #text: string
  readonly #flag: string
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(text: string, flag: string) {
    this.#text = text
    this.#flag = flag
    this.#tokens = tokensOf(text, (column, problem, remedy) => complain(flag, text, column, problem, remedy))
    const first = this.#tokens[TOKENS_MAX]
    if (first !== undefined)
      this.refuse('this is too long', `Write at most ${TOKENS_MAX} words and signs.`, first.column)
  }

  peek(): Token | undefined {
    return this.#tokens[this.#at]
  }

  take(): Token | undefined {
    return this.#tokens[this.#at++]
  }

  /** Takes the next token if it is this word or sign. */
  takeIf(...texts: readonly string[]): boolean {
    const token = this.peek()
    if (token === undefined || token.kind === 'string' || !texts.includes(token.text)) return false
    this.#at++
    return true
  }

  refuse(problem: string, remedy: string = EXPRESSION_EXAMPLE, column = this.peek()?.column): never {
    throw complain(this.#flag, this.#text, column ?? this.#text.length + 1, problem, remedy)
  }
}

function complain(flag: string, text: string, column: number, problem: string, remedy: string): BadArgument {
  const value = text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text
  return new BadArgument({ component: flag, value, problem: `column ${column}: ${problem}`, remedy })
}

export function readOr(reader: TokenReader): Expression {
  let left = readAnd(reader)
  while (reader.takeIf('or', '||')) left = { kind: 'or', left, right: readAnd(reader) }
  return left
}

function readAnd(reader: TokenReader): Expression {
  let left = readNot(reader)
  while (reader.takeIf('and', '&&')) left = { kind: 'and', left, right: readNot(reader) }
  return left
}

function readNot(reader: TokenReader): Expression {
  return reader.takeIf('not', '!') ? { kind: 'not', of: readNot(reader) } : readComparison(reader)
}

function readComparison(reader: TokenReader): Expression {
  const left = readOperand(reader, false)
  const next = reader.peek()
  if (next?.kind !== 'sign') return left
  if (reader.takeIf('~')) return { kind: 'match', left, pattern: readPattern(reader) }
  const operator = OPERATORS[next.text]
  if (operator === undefined) return left
  reader.take()
  return { kind: 'compare', operator, left, right: readOperand(reader, true) }
}

/** On the right of an operator a single word is a text, `type = Wake`, unless it names a field with a dot. */
function readOperand(reader: TokenReader, isRight: boolean): Expression {
  if (reader.takeIf('(')) {
    const inner = readOr(reader)
    if (!reader.takeIf(')')) reader.refuse('a closing ) is missing', 'Close every ( with a ).')
    return inner
  }
  if (!isRight && reader.takeIf('changed')) return { kind: 'changed', field: readField(reader) }
  const token = reader.peek()
  if (token === undefined) return reader.refuse('something is missing at the end')
  if (token.kind === 'number' || token.kind === 'string') {
    reader.take()
    return { kind: 'literal', value: token.kind === 'number' ? Number(token.text) : token.text }
  }
  if (token.kind === 'word' && CONSTANTS.has(token.text)) {
    reader.take()
    return { kind: 'literal', value: CONSTANTS.get(token.text) }
  }
  if (isRight && token.kind === 'word') {
    return { kind: 'word', text: token.text, field: readField(reader) }
  }
  return readField(reader)
}

function readField(reader: TokenReader): FieldExpression {
  const token = reader.peek()
  if (token?.kind !== 'word') return reader.refuse('the name of a field was expected here')
  reader.take()
  return { kind: 'field', path: token.text.split('.'), column: token.column }
}

function readPattern(reader: TokenReader): RegExp {
  const token = reader.peek()
  if (token === undefined || token.kind === 'sign') return reader.refuse('a pattern was expected after ~')
  reader.take()
  try {
    return new RegExp(token.text, token.flags)
  } catch (error) {
    const problem = `not a regular expression: ${error instanceof Error ? error.message : String(error)}`
    return reader.refuse(problem, 'Write for example ~ /Term(Started|Began)/i.', token.column)
  }
}

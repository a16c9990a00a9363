/** The subject index against a definition that is too slow to use and too short to be wrong. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPublishable, isSubscribable } from '../subject.ts'
import { SubjectIndex } from './subjects.ts'

function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  if (pattern.length === 0) return subject.length === 0
  if (subject.length === 0) return false
  if (pattern[0] === '>') return true
  return (pattern[0] === '*' || pattern[0] === subject[0]) && matches(pattern.slice(1), subject.slice(1))
}

const token = fc.constantFrom('a', 'b', 'c')
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.'))
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([tokens, open]) => [...tokens, ...(open ? ['>'] : [])].join('.'))
  .filter(isSubscribable)
const queue = fc.constantFrom('', '', 'q', 'r')

interface Entry {
  readonly pattern: string
  readonly queue: string
}

describe('SubjectIndex', () => {
  it('finds what the definition finds, while subscriptions come and go', () => {
    const entry = fc.record({ pattern, queue })
    const step = fc.record({
      add: fc.array(entry, { maxLength: 4 }),
      remove: fc.array(fc.nat(), { maxLength: 3 }),
      subject,
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const index = new SubjectIndex<Entry>()
        let entries: Entry[] = []
        for (const { add, remove, subject } of steps) {
          for (const one of add) index.add(one.pattern, one.queue, one)
          entries.push(...add)
          for (const at of remove) {
            const gone = entries[at % Math.max(entries.length, 1)]
            if (gone === undefined) continue
            index.remove(gone.pattern, gone.queue, gone)
            entries = entries.filter((one) => one !== gone)
          }
          const expected = entries.filter((one) => matches(one.pattern.split('.'), subject.split('.')))
          // Twice: the second answer is remembered.
          for (const match of [index.match(subject), index.match(subject)]) {
            expect(new Set(match.plain)).toEqual(new Set(expected.filter(({ queue }) => queue === '')))
            expect(match.plain).toHaveLength(expected.filter(({ queue }) => queue === '').length)
            const groups = match.queues.map((members) => new Set(members))
            const names = new Set(expected.map(({ queue }) => queue).filter((name) => name !== ''))
            expect(groups).toHaveLength(names.size)
            for (const name of names)
              expect(groups).toContainEqual(new Set(expected.filter(({ queue }) => queue === name)))
          }
          expect(index.size).toBe(entries.length)
        }
      }),
    )
  })

  it('lets a delivery finish its walk while subscriptions end', () => {
    const index = new SubjectIndex<string>()
    for (const name of ['one', 'two', 'three']) index.add('a', '', name)
    const seen: string[] = []
    for (const name of index.match('a').plain) {
      seen.push(name)
      index.remove('a', '', name)
    }
    expect(seen).toEqual(['one', 'two', 'three'])
    expect(index.match('a').plain).toEqual([])
  })

  it('ignores the removal of what it does not hold', () => {
    const index = new SubjectIndex<string>()
    index.add('a.b', '', 'one')
    index.remove('a.b', '', 'other')
    index.remove('a.b', 'q', 'one')
    index.remove('a', '', 'one')
    expect(index.match('a.b').plain).toEqual(['one'])
    expect(index.size).toBe(1)
  })

  it('remembers a bounded number of answers, and none that is old', () => {
    const index = new SubjectIndex<number>()
    index.add('inbox.*', '', 1)
    for (let at = 0; at < 10_000; at++) expect(index.match(`inbox.${at}`).plain).toEqual([1])
    index.add('inbox.9999', '', 2)
    expect(new Set(index.match('inbox.9999').plain)).toEqual(new Set([1, 2]))
  })
})

describe('subjects', () => {
  it.each(['a', 'a.b', 'a*b.c>', '$SRV.PING', 'größe.湖', '_INBOX.x.1'])('may be published to: %s', (text) => {
    expect(isPublishable(text)).toBe(true)
    expect(isSubscribable(text)).toBe(true)
  })

  it.each(['*', '>', 'a.*', '*.a', 'a.*.b', 'a.>'])('may be subscribed to, and not published to: %s', (text) => {
    expect(isPublishable(text)).toBe(false)
    expect(isSubscribable(text)).toBe(true)
  })

  it.each(['', '.', 'a.', '.a', 'a..b', '>.a', 'a.>.b', 'a b', 'a\r\nPING', 'a\tb', 'a\0'])(
    'are malformed: %j',
    (text) => {
      expect(isPublishable(text)).toBe(false)
      expect(isSubscribable(text)).toBe(false)
    },
  )
})

/**
 * The rules of the repository's layout, checked on its sources: who may import whom, what the pure folders may not touch,
 * and what every file looks like. Each rule is a function from a file to complaints, and is fed bad samples as well,
 * because a rule that cannot fail guards nothing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { blankComments, blankStrings, importsOf } from './layout/scan.ts'

interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string
  readonly text: string
}
type Rule = (file: SourceFile) => readonly string[]

/** Dependencies point from right to left. */
const LAYERS = ['events', 'actors', 'runtime', 'simulations'] as const
const PURE = ['events', 'actors']
const LINES_MAX = 400
/** A test file is a list: it is read by the line that failed. */
const TEST_LINES_MAX = 500
/** Starts the processes that simulate, and prints; what they simulate touches nothing. */
const COMMAND_LINE = 'simulations/command/'
const ACTOR_FILES = ['machine.ts', 'table.ts', 'decide.ts', 'machine.test.ts']
/** What would make an actor or a format depend on when and where it runs. */
const AMBIENT =
  /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(|\bMath\s*\.\s*random\b|\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b|\bperformance\s*\.|(?<![.\w$])process\s*[.[]|\brandomUUID\b|\bgetRandomValues\b|\bfetch\s*\(/g

const isTest = (path: string) => path.endsWith('.test.ts')
const layerOf = (path: string) => path.split('/')[0]!
const isBuiltin = (name: string) => name.startsWith('node:') || builtinModules.includes(name)
const isPackage = (imported: string, name: string) => imported === name || imported.startsWith(`${name}/`)

const pointsOneWay: Rule = ({ path, text }) => {
  const own = LAYERS.indexOf(layerOf(path) as (typeof LAYERS)[number])
  return importsOf(text).flatMap((imported) => {
    if (!imported.startsWith('.')) return []
    const target = posix.join(posix.dirname(path), imported)
    const layer = LAYERS.indexOf(layerOf(target) as (typeof LAYERS)[number])
    return layer < 0 || layer > own ? [`imports ${target}`] : []
  })
}

/** Tests of the pure folders may read their golden files; nothing else of the world enters there. */
const keepsTheWorldOut: Rule = ({ path, text }) => {
  const complaints: string[] = []
  for (const imported of importsOf(text)) {
    const mayTouchHost = layerOf(path) === 'runtime' || path.startsWith(COMMAND_LINE) || isTest(path)
    if (isBuiltin(imported) && !mayTouchHost) complaints.push(`imports ${imported}`)
    if (isPackage(imported, 'nats') && !path.startsWith('runtime/bus/')) complaints.push(`imports ${imported}`)
    if (imported.startsWith('@aws-sdk/') && !path.startsWith('runtime/object-store/')) {
      complaints.push(`imports ${imported}`)
    }
  }
  return complaints
}

const hasNoAmbience: Rule = ({ path, text }) => {
  if (!PURE.includes(layerOf(path)) || isTest(path)) return []
  return [...blankStrings(text).matchAll(AMBIENT)].map(([found]) => `uses ${found}`)
}

const beginsWithAParagraph: Rule = ({ path, text }) => {
  if (isTest(path)) return []
  const comment = /^(?:#!.*\n)?\s*(?:\/\*\*([\s\S]*?)\*\/|((?:\/\/.*\n)+))/.exec(text)
  const words = (comment?.[1] ?? comment?.[2] ?? '').split(/[\s*/]+/).filter((word) => word !== '')
  return words.length < 8 ? ['does not begin with a paragraph that says what it is'] : []
}

const isShort: Rule = ({ path, text }) => {
  const lines = text.split('\n').length - 1
  const most = isTest(path) ? TEST_LINES_MAX : LINES_MAX
  return lines > most ? [`has ${lines} lines, more than ${most}`] : []
}

const isKebabCase: Rule = ({ path }) => {
  const [name, ...directories] = path.split('/').reverse()
  const badNames = directories.filter((directory) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(directory))
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/.test(name!)) badNames.push(name!)
  return badNames.map((bad) => `${bad} is not kebab-case`)
}

/** A test that is left out says why: in a comment above it, in its name, or by a condition that carries the reason. */
const leavesNoTestOut: Rule = ({ text }) => {
  const code = blankStrings(text).split('\n')
  const lines = text.split('\n')
  return code.flatMap((line, at) => {
    if (/\b(?:test|describe|it)(?:\.\w+)*\.only\b/.test(line)) return [`line ${at + 1} runs alone`]
    if (!/\b(?:test|describe|it)(?:\.\w+)*\.(?:skip|skipIf|runIf|todo|fails)\b/.test(line)) return []
    const around = lines.slice(Math.max(at - 1, 0), at + 3).join('\n')
    return /skipped|not tested|skipReason|\/\/ .*\b(?:because|until|cannot)\b/.test(around)
      ? []
      : [`line ${at + 1} leaves a test out and does not say why`]
  })
}

const RULES: Readonly<Record<string, Rule>> = {
  'dependencies point one way': pointsOneWay,
  'only runtime/ and the command line of simulations touch the world': keepsTheWorldOut,
  'the pure folders know neither time nor chance': hasNoAmbience,
  'each file says what it is': beginsWithAParagraph,
  'no file is long': isShort,
  'names are kebab-case': isKebabCase,
  'no test is left out without a reason': leavesNoTestOut,
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const sources: readonly SourceFile[] = LAYERS.map((layer) => join(root, layer))
  .filter((directory) => existsSync(directory))
  .flatMap((directory) => readdirSync(directory, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => {
    const path = join(entry.parentPath, entry.name)
    return { path: relative(root, path).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }
  })

const complaintsOf = (rule: Rule, files: readonly SourceFile[]) =>
  files.flatMap((file) => rule(file).map((complaint) => `${file.path} ${complaint}`))

describe('in the whole repository', () => {
  test('the sources were found', () => {
    expect(sources.length).toBeGreaterThan(150)
    // The scanner really sees imports: nearly every file has some.
    expect(sources.filter(({ text }) => importsOf(text).length > 0).length).toBeGreaterThan(sources.length / 2)
  })

  test.each(Object.entries(RULES))('%s', (_, rule) => {
    expect(complaintsOf(rule, sources)).toEqual([])
  })

  test('every relative import leads to a file', () => {
    const paths = new Set(sources.map(({ path }) => path))
    const lost: Rule = ({ path, text }) =>
      importsOf(text).filter((to) => to.endsWith('.ts') && !paths.has(posix.join(posix.dirname(path), to)))
    expect(
      complaintsOf(
        lost,
        sources.filter(({ path }) => path !== 'runtime/layout.test.ts'),
      ),
    ).toEqual([])
  })

  test('every actor has the same files', () => {
    const actors = readdirSync(join(root, 'actors'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    expect(actors.map(({ name }) => name).sort()).toEqual(['compute', 'endpoint', 'safekeeper', 'timeline', 'zone'])
    const missing = actors.flatMap(({ name }) =>
      ACTOR_FILES.map((file) => `actors/${name}/${file}`).filter((path) => !existsSync(join(root, path))),
    )
    expect(missing).toEqual([])
  })
})

describe('each rule can fail', () => {
  const HEADER = '/** What this is, what must never be in it, and why that is so. */\n'
  const file = (path: string, text: string): SourceFile => ({ path, text: HEADER + text })
  const count = (rule: Rule, path: string, text: string) => rule(file(path, text)).length

  test.each([
    ["import { x } from '../runtime/errors.ts'"],
    ["import type { X } from '../runtime/errors.ts'"],
    ["export * from '../runtime/errors.ts'"],
    ["export type { X } from '../actors/table.ts'"],
    ["import '../runtime/errors.ts'"],
    ["const x = await import('../runtime/errors.ts')"],
    ["type X = typeof import('../runtime/errors.ts')"],
    ["new Worker(new URL('../runtime/errors.ts', import.meta.url))"],
    ["import {\n  x, // in `several` lines\n  y,\n} from '../actors/table.ts'"],
    ["import { x } from '../outside.ts'"],
  ])('dependencies: %s', (text) => {
    expect(count(pointsOneWay, 'events/a.ts', text)).toBe(1)
    expect(count(pointsOneWay, 'runtime/a.ts', "import '../simulations/kernel/clock.ts'")).toBe(1)
    expect(count(pointsOneWay, 'actors/zone/a.ts', "import '../../events/zone.ts'\nimport '../table.ts'")).toBe(0)
  })

  test('the world', () => {
    for (const name of ['node:fs', 'fs', 'node:timers/promises', 'nats', '@aws-sdk/client-s3']) {
      expect(count(keepsTheWorldOut, 'actors/a.ts', `import { x } from '${name}'`), name).toBe(1)
      expect(count(keepsTheWorldOut, 'simulations/a.ts', `const x = await import("${name}")`), name).toBe(1)
    }
    expect(count(keepsTheWorldOut, 'simulations/command/a.ts', "import { x } from 'node:fs'")).toBe(0)
    expect(count(keepsTheWorldOut, 'simulations/command/a.ts', "import { x } from 'nats'")).toBe(1)
    expect(count(keepsTheWorldOut, 'runtime/zone/a.ts', "import type { Msg } from 'nats'")).toBe(1)
    expect(count(keepsTheWorldOut, 'runtime/bus/a.ts', "import type { Msg } from 'nats'")).toBe(0)
    expect(count(keepsTheWorldOut, 'runtime/bus/a.ts', "import type { S3 } from '@aws-sdk/client-s3'")).toBe(1)
    expect(count(keepsTheWorldOut, 'runtime/object-store/a.ts', "import type { S3 } from '@aws-sdk/client-s3'")).toBe(0)
    expect(count(keepsTheWorldOut, 'events/a.test.ts', "import { x } from 'node:fs'")).toBe(0)
  })

  test('time and chance', () => {
    const bad = [
      'Date.now()',
      'new Date()',
      'new Date(0)',
      'Math.random()',
      'setTimeout(f, 1)',
      'setInterval(f, 1)',
      'setImmediate(f)',
      'performance.now()',
      'process.hrtime()',
      "process['env']",
      'crypto.randomUUID()',
      `\`\${Date.now()}\``,
    ]
    for (const text of bad) expect(count(hasNoAmbience, 'events/a.ts', `const x = ${text}`), text).toBe(1)
    for (const text of bad) expect(count(hasNoAmbience, 'runtime/a.ts', `const x = ${text}`), text).toBe(0)
    const good = ["'Date.now()'", 'zone.process.id', 'Buffer.alloc(1)', '1 // Math.random()', '/* process.exit */ 1']
    for (const text of good) expect(count(hasNoAmbience, 'actors/a.ts', `const x = ${text}`), text).toBe(0)
  })

  test('the looks of a file', () => {
    const rule = beginsWithAParagraph
    expect(rule({ path: 'events/a.ts', text: 'export const x = 1\n' })).toHaveLength(1)
    expect(rule({ path: 'events/a.ts', text: '/** Too short. */\nexport const x = 1\n' })).toHaveLength(1)
    expect(rule({ path: 'events/a.ts', text: `import 'x'\n${HEADER}` })).toHaveLength(1)
    expect(rule({ path: 'events/a.test.ts', text: 'export const x = 1\n' })).toHaveLength(0)
    expect(rule(file('events/a.ts', ''))).toHaveLength(0)
    expect(isShort({ path: 'a.ts', text: '\n'.repeat(400) })).toHaveLength(0)
    expect(isShort({ path: 'a.ts', text: '\n'.repeat(401) })).toHaveLength(1)
    expect(isShort({ path: 'a.test.ts', text: '\n'.repeat(501) })).toHaveLength(1)
    for (const path of [
      'events/logEntry.ts',
      'events/Frame.ts',
      'events/a_b.ts',
      'events/Big/a.ts',
      'events/a.spec.ts',
    ]) {
      expect(isKebabCase({ path, text: '' }), path).toHaveLength(1)
    }
    expect(isKebabCase({ path: 'runtime/log/keys-2.test.ts', text: '' })).toHaveLength(0)
  })

  test('tests that are left out', () => {
    const [only, skip] = ['only', 'skip']
    const bad = [
      `test.${only}('x', f)`,
      `describe.${only}('x', f)`,
      `test.${skip}('x', f)`,
      `it.${skip}If(true)('x', f)`,
    ]
    for (const text of bad) expect(leavesNoTestOut(file('events/a.test.ts', text)), text).toHaveLength(1)
    const good = [
      `// It cannot run here.\ntest.${skip}('x', f)`,
      `describe.${skip}If(missing)(\`x \${missing} (skipped: \${missing})\`, f)`,
      `'test.${only}'`,
    ]
    for (const text of good) expect(leavesNoTestOut(file('events/a.test.ts', text)), text).toHaveLength(0)
  })
})

describe('the scanner', () => {
  test('tells code from comments, strings, templates and regular expressions', () => {
    const text = [
      "const a = 'it''s // not' + \"/* nor this */\" // but this",
      `const b = \`text \${ inner({ c: \`deep \${1 /* gone */}\` }) } // text\``,
      'const d = /[/\'"`]\\/\\//g.test(e) /* gone */ ? 1 / 2 : 3 // gone',
    ]
    expect(blankComments(text.join('\n')).split('\n')).toEqual([
      "const a = 'it''s // not' + \"/* nor this */\" ",
      `const b = \`text \${ inner({ c: \`deep \${1 }\` }) } // text\``,
      'const d = /[/\'"`]\\/\\//g.test(e)  ? 1 / 2 : 3 ',
    ])
    expect(blankStrings(text[1]!)).toBe(`const b = \`\${ inner({ c: \`\${1 }\` }) }\``)
    expect(blankStrings("x = 'a\\'b' + y")).toBe("x = '' + y")
  })
})

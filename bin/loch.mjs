#!/usr/bin/env node
/**
 * The launcher: compiles the sources if dist/ does not come from them, then hands over to the command line in this very
 * process, so that its pid and its signals are Loch's. In an installed package there are no sources, and dist/ is used as
 * it is. Plain JavaScript, because it runs before anything is compiled; types are checked by `npm run check`, not here.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const NODE_MINIMUM = [20, 19]
const SOURCE_FOLDERS = ['events', 'actors', 'runtime', 'simulations']
const BUILD_FILES = ['package.json', 'tsconfig.json', 'tsconfig.build.json']
/** A build takes two seconds; whoever holds the guard longer than this has died in a way that left its pid to another. */
const BUILD_WAIT_MS_MAX = 120_000
const BUILD_POLL_MS = 50

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const entry = join(dist, 'runtime', 'control', 'cli.js')
const stamp = join(dist, '.built-from')
const guard = join(dist, '.building')

checkNode()
if (existsSync(join(root, 'runtime', 'control', 'cli.ts'))) ensureBuilt()
if (!existsSync(entry)) fail(entry, 'the compiled program is missing', 'Install Loch again.')
const { runAndExit } = await import(pathToFileURL(entry).href)
await runAndExit(process.argv.slice(2))

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor >= NODE_MINIMUM[1])) return
  fail(process.version, 'this Node.js is too old', `Use Node.js ${NODE_MINIMUM.join('.')} or newer.`)
}

function ensureBuilt() {
  for (const deadline = Date.now() + BUILD_WAIT_MS_MAX; ; ) {
    const sources = fingerprint()
    if (isBuiltFrom(sources)) return
    if (enterBuild()) {
      build(sources)
      leaveBuild()
      return
    }
    if (Date.now() > deadline) fail(guard, 'another build does not end', 'Remove this file, and try again.')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUILD_POLL_MS)
  }
}

/** Changes whenever a source is added, removed or touched. */
function fingerprint() {
  const hash = createHash('sha256')
  for (const name of BUILD_FILES) describe(name)
  for (const folder of SOURCE_FOLDERS) if (existsSync(join(root, folder))) visit(folder)
  return hash.digest('hex')

  function visit(folder) {
    for (const item of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, item.name)
      if (item.isDirectory()) visit(path)
      else if (path.endsWith('.ts') && !path.endsWith('.test.ts')) describe(path)
    }
  }

  function describe(path) {
    const status = statSync(join(root, path), { throwIfNoEntry: false })
    if (status !== undefined) hash.update(`${path} ${status.mtimeMs} ${status.size}\n`)
  }
}

function isBuiltFrom(sources) {
  return existsSync(entry) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources
}

/** True if this process shall build; false while another one does. */
function enterBuild() {
  try {
    mkdirSync(dist, { recursive: true })
    const file = openSync(guard, 'wx')
    writeFileSync(file, String(process.pid))
    closeSync(file)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') fail(dist, `it cannot be written (${error.code})`, 'Run Loch once as its owner.')
    // A builder that died leaves its guard behind.
    if (!isBuilderAlive()) rmSync(guard, { force: true })
    return false
  }
}

function isBuilderAlive() {
  try {
    const pid = Number(readFileSync(guard, 'utf8'))
    // Between its creation and its first byte the guard is empty.
    return pid === 0 || existsSync(`/proc/${pid}`)
  } catch {
    return true
  }
}

function build(sources) {
  const begin = performance.now()
  process.stderr.write('Compiling Loch ...')
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [compiler(), '-p', join(root, 'tsconfig.build.json'), '--noCheck'],
    { cwd: root, encoding: 'utf8' },
  )
  if (status !== 0) {
    process.stderr.write('\n')
    fail(
      root,
      `the sources do not compile\n${error?.message ?? ''}${stdout}${stderr}`,
      'Correct them, or check out a release.',
    )
  }
  writeFileSync(stamp, sources)
  process.stderr.write(` ${Math.round(performance.now() - begin)} ms\n`)
}

function compiler() {
  try {
    const require = createRequire(join(root, 'package.json'))
    return join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  } catch {
    return fail(root, 'the package typescript is not installed', `Run npm install in ${root}.`)
  }
}

/** In the words of every error of Loch: component, problem, value, remedy. */
function fail(value, problem, remedy) {
  const error = { tag: 'HostUnfit', component: 'launcher', value, problem, remedy }
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error })}\n`)
  else process.stderr.write(`error: launcher: ${problem} (${value}). ${remedy}\n`)
  leaveBuild()
  process.exit(1)
}

/** Removes the guard if it is ours. */
function leaveBuild() {
  try {
    if (Number(readFileSync(guard, 'utf8')) === process.pid) rmSync(guard)
  } catch {
    // There is none.
  }
}

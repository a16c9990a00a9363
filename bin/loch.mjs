#!/usr/bin/env node
/**
 * The launcher: compiles the sources if dist/ does not come from them, then hands over to the command line in this very
 * process, so that its pid and its signals are Loch's. In an installed package there are no sources, and dist/ is used as
 * it is. Plain JavaScript, because it runs before anything is compiled; types are checked by `npm run check`, not here.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const NODE_MINIMUM = [20, 19]
const SOURCE_FOLDERS = ['events', 'actors', 'runtime', 'simulations']
const BUILD_FILES = ['package.json', 'tsconfig.json', 'tsconfig.build.json']
/** A build takes two seconds; on a host where it takes longer than this nothing else works either. */
const BUILD_WAIT_MS_MAX = 120_000
const BUILD_POLL_MS = 50

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const entry = join(dist, 'runtime', 'control', 'cli.js')
/** Stands above runtime/, which therefore cannot load it. */
const simulation = join(dist, 'simulations', 'command', 'main.js')
const STAMP = '.built-from'
/** Beside dist/, which is replaced as a whole. Holds who builds. */
const guard = join(root, '.dist-guard')
const own = processName(process.pid)

checkNode()
if (existsSync(join(root, 'runtime', 'control', 'cli.ts'))) ensureBuilt()
const words = process.argv.slice(2)
const isSimulation = words[0] === 'simulate'
const program = isSimulation ? simulation : entry
if (!existsSync(program)) fail(program, 'the compiled program is missing', 'Install Loch again.')
const { runAndExit } = await import(pathToFileURL(program).href)
await runAndExit(isSimulation ? words.slice(1) : words)

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor >= NODE_MINIMUM[1])) return
  fail(process.version, 'this Node.js is too old', `Use Node.js ${NODE_MINIMUM.join('.')} or newer.`)
}

function ensureBuilt() {
  for (const deadline = Date.now() + BUILD_WAIT_MS_MAX; ; ) {
    const sources = fingerprint(root, [...BUILD_FILES, ...SOURCE_FOLDERS], isSource)
    if (isBuiltFrom(sources)) return
    if (enterBuild()) {
      // Another build may have ended since we looked.
      if (!isBuiltFrom(sources)) build(sources)
      leaveBuild()
      return
    }
    if (Date.now() > deadline) fail(guard, 'another build does not end', 'End that process, and try again.')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUILD_POLL_MS)
  }
}

function isSource(name) {
  return BUILD_FILES.includes(name) || (name.endsWith('.ts') && !name.endsWith('.test.ts'))
}

/** Changes whenever a file of `names`, or in the folders among them, is added, removed or touched. */
function fingerprint(top, names, counts) {
  const hash = createHash('sha256')
  for (const name of names) visit(name)
  return hash.digest('hex')

  function visit(path) {
    const status = statSync(join(top, path), { throwIfNoEntry: false })
    if (status?.isDirectory()) for (const name of readdirSync(join(top, path)).sort()) visit(join(path, name))
    else if (status !== undefined && counts(path)) hash.update(`${path} ${status.mtimeMs} ${status.size}\n`)
  }
}

/** Of sources and of what was made of them: part of dist/ may have been deleted, or written by something else. */
function stampOf(sources, directory) {
  return `${sources} ${fingerprint(directory, ['.'], (path) => path !== STAMP)}\n`
}

function isBuiltFrom(sources) {
  try {
    return existsSync(entry) && readFileSync(join(dist, STAMP), 'utf8') === stampOf(sources, dist)
  } catch {
    // It has no stamp, or is being replaced under our eyes.
    return false
  }
}

/** True if this process shall build; false while another one does. That two build at once costs time and nothing else. */
function enterBuild() {
  const temporary = `${guard}-${process.pid}`
  try {
    // By a link, so that the guard never stands there without its text.
    writeFileSync(temporary, own)
    linkSync(temporary, guard)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') fail(root, `it cannot be written (${error.code})`, 'Run Loch once as its owner.')
    // A builder that died leaves its guard behind.
    const builder = readGuard()
    if (builder !== undefined && processName(Number(builder.split(' ')[0])) !== builder) rmSync(guard, { force: true })
    return false
  } finally {
    rmSync(temporary, { force: true })
  }
}

function readGuard() {
  try {
    return readFileSync(guard, 'utf8')
  } catch {
    return undefined
  }
}

/** Pid and start time (proc(5), field 22), since pids are given again. */
function processName(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return `${pid} dead`
  }
}

/** Into a directory of its own: a build that is cut off must not leave a dist/ behind that is half old and half new. */
function build(sources) {
  const begin = performance.now()
  process.stderr.write('Compiling Loch ...')
  removeUnfinished()
  const fresh = join(root, `.dist-${process.pid}`)
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [compiler(), '-p', join(root, 'tsconfig.build.json'), '--noCheck', '--outDir', fresh],
    { cwd: root, encoding: 'utf8' },
  )
  if (status !== 0) {
    process.stderr.write('\n')
    rmSync(fresh, { recursive: true, force: true })
    fail(
      root,
      `the sources do not compile\n${error?.message ?? ''}${stdout}${stderr}`,
      'Correct them, or check out a release.',
    )
  }
  writeFileSync(join(fresh, STAMP), stampOf(sources, fresh))
  replaceDist(fresh)
  process.stderr.write(` ${Math.round(performance.now() - begin)} ms\n`)
}

/** What builders left that were killed, and who ran mutations (simulations/command/process-laboratory.ts). */
function removeUnfinished() {
  for (const name of readdirSync(root)) {
    const pid = /^\.dist-(?:old-|guard-|mutants-)?(\d+)$/.exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(root, name), { recursive: true, force: true })
  }
}

/** Directories cannot be exchanged in one step; whoever finds none meanwhile waits for the guard. */
function replaceDist(fresh) {
  const old = join(root, `.dist-old-${process.pid}`)
  for (;;) {
    rmSync(old, { recursive: true, force: true })
    if (existsSync(dist)) renameSync(dist, old)
    try {
      renameSync(fresh, dist)
      break
    } catch (error) {
      // Another builder was between us.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    }
  }
  rmSync(old, { recursive: true, force: true })
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
  if (readGuard() === own) unlinkSync(guard)
}

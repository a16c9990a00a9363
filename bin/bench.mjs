#!/usr/bin/env node
/**
 * `npm run bench`: compiles the sources as the launcher does, then runs the benchmarks in this process. Measured is what
 * users run: the compiled program under plain node. `npm run bench -- replay` measures large run logs instead.
 */
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
// The launcher compiles if need be; `version` does nothing else.
const built = spawnSync(process.execPath, [join(root, 'bin', 'loch.mjs'), '--version'], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
if (built.status !== 0) process.exit(built.status ?? 1)
const program = process.argv[2] === 'replay' ? 'replay.js' : 'main.js'
await import(pathToFileURL(join(root, 'dist', 'runtime', 'bench', program)).href)

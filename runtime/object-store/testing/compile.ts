/**
 * Runs a TypeScript entry of this repository in processes of its own, for tests in which one process cannot stand for
 * several. Node 20 cannot load TypeScript, so the entry and what it imports are compiled once into a directory that
 * finds the repository's packages.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const repository = fileURLToPath(new URL('../../..', import.meta.url))

export interface Compiled {
  readonly spawn: (args: ReadonlyArray<string>) => ChildProcess
  /** The entry's module, in this process: it can start workers, and shares no class with the test's own modules. */
  readonly load: () => Promise<unknown>
  readonly dispose: () => void
}

/** `entry` is a path of a .ts file within the repository. Takes about a second. */
export function compile(entry: string): Compiled {
  const directory = mkdtempSync(join(tmpdir(), 'loch-compiled-'))
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  symlinkSync(join(repository, 'node_modules'), join(directory, 'node_modules'))
  const config = {
    extends: join(repository, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      outDir: directory,
      rootDir: repository,
      rewriteRelativeImportExtensions: true,
      typeRoots: [join(repository, 'node_modules/@types')],
    },
    include: [],
    files: [entry],
  }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config))
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  const dispose = () => rmSync(directory, { recursive: true, force: true })
  try {
    execFileSync(process.execPath, [tsc, '-p', directory], { stdio: ['ignore', 'inherit', 'inherit'] })
  } catch (error) {
    dispose()
    throw error
  }
  const compiled = join(directory, relative(repository, entry)).replace(/\.ts$/, '.js')
  return {
    spawn: (args) => spawn(process.execPath, [compiled, ...args], { stdio: ['pipe', 'pipe', 'inherit'] }),
    load: () => import(/* @vite-ignore */ pathToFileURL(compiled).href),
    dispose,
  }
}

/** The lines that a child prints, as they come. Ends with the child. */
export async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of child.stdout ?? []) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

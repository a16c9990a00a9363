/** The version of this Loch, from package.json, which lies above both the sources and dist/. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export function lochVersion(): string {
  for (let directory = dirname(fileURLToPath(import.meta.url)); directory !== '/'; directory = dirname(directory)) {
    const file = join(directory, 'package.json')
    if (existsSync(file)) return versionIn(readFileSync(file, 'utf8'))
  }
  throw new Error('no package.json above the program: the installation is incomplete')
}

function versionIn(text: string): string {
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed) return String(parsed.version)
  throw new Error('package.json has no version: the installation is damaged')
}

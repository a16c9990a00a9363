import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { expect, test } from 'vitest'
import { hasMountsBelow } from './mounts.ts'
import { Postgres, postgresLayer } from './postgres.ts'
import { whatIsMissing } from './testing.ts'

const missing = whatIsMissing()

test.skipIf(missing !== undefined)(
  `the service fails with members of the closed set and cleans up with its scope${missing ? ` (skipped: ${missing})` : ''}`,
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'loch-layer-'))
    const program = Effect.gen(function* () {
      const postgres = yield* Postgres
      const options = { directory: join(directory, 'data'), superuser: 'postgres', password: 'two\nlines' }
      const failure = yield* Effect.flip(postgres.initialize(options))
      const connection = { host: directory, port: 5432, user: 'postgres', database: 'postgres' }
      const refusal = yield* Effect.flip(postgres.query(connection, 'select 1'))
      return [failure._tag, refusal._tag, refusal.problem]
    })
    const layer = postgresLayer(join(directory, 'binaries'))
    const [failure, refusal, problem] = await Effect.runPromise(program.pipe(Effect.provide(layer)))
    expect([failure, refusal]).toEqual(['BadArgument', 'PostgresFailed'])
    expect(problem).toMatch(/ENOENT/)
    expect(hasMountsBelow(directory)).toBe(false)
    expect(readdirSync(join(directory, 'binaries'))).toEqual(['lock'])
    rmSync(directory, { recursive: true, force: true })
  },
)

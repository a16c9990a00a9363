/** The contract, on both stores; S3 is our own test server, in memory and in a directory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Scope from 'effect/Scope'
import { describeContract } from './contract.ts'
import { openFileStore } from './file.ts'
import { openS3Store } from './s3.ts'
import { S3Server, type S3ServerOptions, TEST_CREDENTIALS } from './testing/s3-server.ts'

describeContract('a directory', async () => {
  const root = mkdtempSync(join(tmpdir(), 'loch-store-'))
  return {
    open: () => Effect.runPromise(openFileStore(root)),
    close: async () => rmSync(root, { recursive: true, force: true }),
  }
})

async function s3Fixture(options: S3ServerOptions, prefix: string) {
  const server = await S3Server.start(options)
  const scope = Effect.runSync(Scope.make())
  const store = openS3Store({ bucket: 'loch', prefix, endpoint: server.url, credentials: TEST_CREDENTIALS })
  return {
    open: () => Effect.runPromise(Scope.provide(store, scope)),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await server.stop()
    },
  }
}

describeContract('S3', () => s3Fixture({}, ''))

describeContract('S3 below a prefix, kept in a directory', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'loch-s3-'))
  const fixture = await s3Fixture({ directory }, 'some/prefix/')
  return {
    open: fixture.open,
    close: async () => {
      await fixture.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
})

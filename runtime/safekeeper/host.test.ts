import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startBroker } from '../bus/broker/broker.ts'
import type { NatsBus } from '../bus/nats.ts'
import { eventually as eventuallyWithin, TestScope } from '../bus/testing.ts'
import { findArchiveTail } from '../log/archive.ts'
import { openFileStore } from '../object-store/file.ts'
import { type Compiled, compile, linesOf } from '../object-store/testing/compile.ts'
import { run } from '../system/run.ts'
import { SafekeeperWorld, TIMELINE } from './testing.ts'
import { BASE, TestWriter } from './testing-writer.ts'

/** Starting a process may take long on a machine that is busy with other tests. */
const PATIENCE_MS = 50_000
const eventually = (name: string, condition: () => boolean) => eventuallyWithin(name, condition, PATIENCE_MS)

let program: Compiled
let scope: TestScope
let directory: string
let bus: NatsBus
let url: string
const children: ChildProcess[] = []

beforeAll(() => {
  program = compile(fileURLToPath(new URL('./testing-host.ts', import.meta.url)))
})
afterAll(() => program.dispose())
beforeEach(async () => {
  scope = new TestScope()
  directory = mkdtempSync(join(tmpdir(), 'loch-safekeeper-'))
  url = (await scope.open(startBroker({ host: '127.0.0.1', port: 0 }))).url
  bus = await scope.connect(url)
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await scope.close()
  rmSync(directory, { recursive: true, force: true })
})

const storeUrl = () => pathToFileURL(join(directory, 'store')).href

function start(): { child: ChildProcess; lines: string[]; said: (prefix: string) => string | undefined } {
  const child = program.spawn([url, storeUrl(), join(directory, 'log'), 'zone-1'])
  children.push(child)
  const lines: string[] = []
  void (async () => {
    for await (const line of linesOf(child)) lines.push(line)
  })()
  return { child, lines, said: (prefix) => lines.findLast((line) => line.startsWith(prefix)) }
}

/** A writer over the real bus and store. */
function writerOf(term: number, store: SafekeeperWorld['store']): TestWriter {
  const world = Object.assign(Object.create(new SafekeeperWorld()), { bus: withoutTimeouts(bus), store })
  return new TestWriter(world, ['zone-1'], term)
}

function withoutTimeouts(nats: NatsBus) {
  return {
    publish: nats.publish.bind(nats),
    subscribe: nats.subscribe.bind(nats),
    request: (subject: string, data: Uint8Array) => nats.request(subject, data, { timeoutMs: 10_000 }),
  }
}

test('a thread serves a timeline, and a kill at any moment leaves a log that opens', async () => {
  const store = (await run(openFileStore(join(directory, 'store')))) as unknown as SafekeeperWorld['store']
  const first = start()
  await eventually('ready', () => first.said('ready') !== undefined)
  const writer = writerOf(1, store)
  await writer.reign({ duty: 'zone-1' })
  for (let sent = 0; sent < 200; sent++) writer.send(writer.frames.frame(`frame ${sent};`.repeat(50)))
  await eventually('some of it durable', () => writer.durable > 0)
  first.child.kill('SIGKILL')
  const { durable } = writer
  const second = start()
  await eventually('ready again', () => second.said('ready') !== undefined)
  second.child.stdin?.write('status\n')
  await eventually('statuses', () => second.said('statuses') !== undefined)
  const [status] = JSON.parse(second.said('statuses')!.slice('statuses '.length))
  expect(status).toMatchObject({ timeline: TIMELINE, state: 'following', term: 1, archived: 0 })
  expect(status.flushed).toBeGreaterThanOrEqual(durable)
  const tail = await run(findArchiveTail(store, TIMELINE, BASE))
  expect(tail!.end).toBeGreaterThanOrEqual(durable)
  const next = writerOf(2, store)
  await next.reign({ duty: 'zone-1' })
  next.send(next.frames.frame('more'))
  await eventually('more durable', () => next.durable === next.frames.position)
  second.child.stdin?.write('stop\n')
  await eventually('stopped', () => second.said('stopped') !== undefined)
})

test('a thread that has ended can be asked and stopped', async () => {
  const first = start()
  await eventually('ready', () => first.said('ready') !== undefined)
  first.child.stdin?.write('stop\n')
  await eventually('stopped again', () => first.said('stopped again, the thread') !== undefined)
})

test('a timeline can be added, and what cannot start says why', async () => {
  const first = start()
  await eventually('ready', () => first.said('ready') !== undefined)
  first.child.stdin?.write('add\n')
  await eventually('two timelines', () => first.said('statuses')?.includes('"other"') === true)
  const refused = program.spawn([url, 'ftp://nowhere', join(directory, 'log'), 'zone-1'])
  children.push(refused)
  for await (const line of linesOf(refused)) expect(line).toContain('is no kind of store')
})

/**
 * The test S3 server as a process of its own: `node s3-server-main.js [--directory DIR] [--port N] [--bucket NAME]
 * [--access-key-id ID]`. Prints one line of JSON when it listens, { url, buckets, environment }, and runs until it is
 * told to stop.
 */
import { parseArgs } from 'node:util'
import { S3Server } from './s3-server.ts'

const { values } = parseArgs({
  options: {
    directory: { type: 'string' },
    port: { type: 'string', default: '0' },
    bucket: { type: 'string', multiple: true, default: ['loch'] },
    'access-key-id': { type: 'string' },
  },
})

const server = await S3Server.start({
  port: Number(values.port),
  buckets: values.bucket,
  ...(values.directory === undefined ? {} : { directory: values.directory }),
  ...(values['access-key-id'] === undefined ? {} : { accessKeyId: values['access-key-id'] }),
})
console.log(JSON.stringify({ url: server.url, buckets: values.bucket, environment: server.environment }))

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop())

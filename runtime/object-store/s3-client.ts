/**
 * The AWS SDK, loaded when the first S3 store is opened and not before: it costs some 20 MB and 170 ms, which a Loch on
 * a local disk must not pay. Everything that makes it behave is set here: one attempt per call, no checksum headers
 * that other vendors' stores refuse, path-style addresses for stores that are not AWS.
 */
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'

export type S3Sdk = typeof import('@aws-sdk/client-s3')

export interface S3Connection {
  readonly sdk: S3Sdk
  readonly client: S3Client
  /** For errors. */
  readonly endpoint: string
}

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface S3ConnectionOptions {
  /** Default: AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL, else AWS. */
  readonly endpoint?: string
  /** Default: AWS_REGION or AWS_DEFAULT_REGION, else the profile's, and us-east-1 for an endpoint that is not AWS. */
  readonly region?: string
  /** Default: the SDK's chain: environment, profile, container, instance. */
  readonly credentials?: S3Credentials
}

const CONNECT_TIMEOUT_MS = 3_000
/** A compute seals, archives and fetches pages at once; beyond this, requests queue in the agent. */
const SOCKETS_MAX = 64

/** The SDK's own switch for the notice that later releases of it will need a newer Node. */
const NOTICE_SWITCH = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'

export async function connectS3(options: S3ConnectionOptions): Promise<S3Connection> {
  const sdk = await import('@aws-sdk/client-s3')
  const { env } = process
  const endpoint = options.endpoint ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL']
  const region = options.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION']
  const config: S3ClientConfig = {
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would open a new connection for every large body.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      httpAgent: { maxSockets: SOCKETS_MAX },
      httpsAgent: { maxSockets: SOCKETS_MAX },
    },
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true, region: 'us-east-1' }),
    ...(region === undefined ? {} : { region }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  }
  return { sdk, client: quietly(() => new sdk.S3Client(config)), endpoint: endpoint ?? 'AWS' }
}

/** The SDK looks at its switch while a client is made; it is set for that moment, so that no child process inherits it. */
function quietly<A>(work: () => A): A {
  const before = process.env[NOTICE_SWITCH]
  process.env[NOTICE_SWITCH] = before ?? 'true'
  try {
    return work()
  } finally {
    if (before === undefined) delete process.env[NOTICE_SWITCH]
  }
}

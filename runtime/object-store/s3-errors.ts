/**
 * What the AWS SDK throws, sorted by what to do next. The SDK's own retries are off (s3-client.ts), because it repeats a
 * conditional write whose response got lost and then reports the 412 that its own first write caused. So every failure
 * arrives here raw, and only this table decides which are worth another try. Unknown ones are: retries are bounded, and
 * what remains is reported with the cause.
 */
import { StoreRefused, StoreUnavailable } from '../errors.ts'

export type S3Fault =
  /** The same request may succeed later; whether it was applied is unknown. */
  | { readonly kind: 'again'; readonly problem: string }
  /** If-None-Match failed: something stands under the name, perhaps our own earlier attempt. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'missing' }
  /** The range begins at or after the object's end. */
  | { readonly kind: 'past-end' }
  | { readonly kind: 'refused'; readonly problem: string; readonly remedy: string }

export interface S3Place {
  readonly bucket: string
  /** URL of the service, or 'AWS' for the SDK's default. */
  readonly endpoint: string
}

export function classify(error: unknown, place: S3Place): S3Fault {
  const name = errorName(error)
  const status = statusOf(error)
  const refusal = refusalOf(name, status, place)
  if (refusal !== undefined) return { kind: 'refused', problem: `${name}${text(error)}`, remedy: refusal }
  if (name === 'NoSuchKey' || name === 'NotFound' || status === 404) return { kind: 'missing' }
  if (name === 'PreconditionFailed' || status === 412) return { kind: 'taken' }
  if (name === 'InvalidRange' || status === 416) return { kind: 'past-end' }
  if (isWorthRepeating(name, status)) return { kind: 'again', problem: `${systemCode(error) ?? name}${text(error)}` }
  return { kind: 'refused', problem: `${name}${text(error)}`, remedy: `Look up this answer of ${place.endpoint}.` }
}

/** The remedy if `name` is a refusal that only its operator can lift. */
function refusalOf(name: string, status: number | undefined, { bucket, endpoint }: S3Place): string | undefined {
  switch (name) {
    case 'NoSuchBucket':
      return `Create the bucket ${bucket} at ${endpoint}, or name another one.`
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
    case 'InvalidToken':
    case 'ExpiredToken':
    case 'TokenRefreshRequired':
      return `Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN: they must belong to ${endpoint}.`
    case 'CredentialsProviderError':
      return 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.'
    case 'RequestTimeTooSkewed':
      return "Set this host's clock: it differs too much from the store's."
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return `Set AWS_REGION to the region of the bucket ${bucket}.`
    case 'NotImplemented':
      return `Use a store with conditional writes: ${endpoint} lacks an operation that Loch needs.`
  }
  if (/^Region is missing/.test(name)) return 'Set AWS_REGION, or AWS_ENDPOINT_URL for a store other than AWS.'
  if (status === 401 || status === 403) {
    return `Let these credentials read, write, list and delete in the bucket ${bucket} at ${endpoint}.`
  }
  if (status === 301) return `Set AWS_REGION to the region of the bucket ${bucket}.`
  return undefined
}

/** 409 is a conflict with a write that is still under way: S3 says to send the same request again. */
function isWorthRepeating(name: string, status: number | undefined): boolean {
  if (status === undefined || status === 200 || status === 206) return true
  return status === 408 || status === 409 || status === 429 || status >= 500 || name === 'RequestTimeout'
}

/** The closed-set error for a fault that ends a call. */
export function failureOf(
  fault: S3Fault,
  doing: string,
  place: S3Place,
  cause: unknown,
): StoreUnavailable | StoreRefused {
  const complaint = { component: 'object store', value: `bucket ${place.bucket} at ${place.endpoint}`, cause }
  switch (fault.kind) {
    case 'again':
      return new StoreUnavailable({
        ...complaint,
        problem: `gave no usable answer to ${doing}: ${fault.problem}`,
        remedy: `Check that ${place.endpoint} is up and can be reached from here; Loch keeps its data and goes on then.`,
      })
    case 'refused':
      return new StoreRefused({ ...complaint, problem: `refused ${doing}: ${fault.problem}`, remedy: fault.remedy })
    case 'taken':
    case 'missing':
    case 'past-end':
      return new StoreRefused({
        ...complaint,
        problem: `answered ${doing} with "${fault.kind}", which is no answer to it`,
        remedy: `Check that ${place.endpoint} is an S3 service, and not something before it.`,
      })
  }
}

function errorName(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.name === 'Error' ? error.message : error.name
}

function text(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  return message === '' || message === errorName(error) ? '' : ` (${message})`
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined
  const metadata = error.$metadata as { readonly httpStatusCode?: number } | undefined
  return metadata?.httpStatusCode
}

/** ECONNREFUSED and its like, also from inside the AggregateError of a host with several addresses. */
function systemCode(error: unknown): string | undefined {
  if (error instanceof AggregateError) return error.errors.map(systemCode).find((code) => code !== undefined)
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * Faults of an object store, on demand: what a client sees when a service throttles it, answers late or never, or breaks
 * off, before or after it did what it was asked. Faults are told in advance and met in that order, by the first request
 * that each fits, so a test is the same every time.
 */

export type S3FaultKind =
  /** 409 ConditionalRequestConflict; not applied. */
  | 'conflict'
  /** Applied, and yet 412: what a client sees whose first attempt was repeated by something between. */
  | 'precondition-failed-after-apply'
  /** 503 SlowDown; not applied. */
  | 'slow-down'
  /** 500 InternalError; not applied. */
  | 'internal-error'
  /** 502 with a page that is no XML; not applied. */
  | 'bad-gateway'
  /** 504; applied. */
  | 'gateway-timeout-after-apply'
  /** Never answered, and not applied. */
  | 'timeout-before-apply'
  /** Applied, and never answered: the lost response. */
  | 'timeout-after-apply'
  /** Connection reset; not applied. */
  | 'reset-before-apply'
  /** Connection reset; applied. */
  | 'reset-after-apply'
  /** All headers and half of the body, then the connection closes. */
  | 'half-body'

export interface S3Fault {
  readonly kind: S3FaultKind
  /** Only requests of this method. */
  readonly method?: string
  /** Only requests whose path and query contain this. */
  readonly about?: string
  /** How many requests meet it; default 1. */
  readonly times?: number
}

/** True for faults that are met before the request had any effect. */
export function precedesApply(kind: S3FaultKind): boolean {
  switch (kind) {
    case 'conflict':
    case 'slow-down':
    case 'internal-error':
    case 'bad-gateway':
    case 'timeout-before-apply':
    case 'reset-before-apply':
      return true
    case 'precondition-failed-after-apply':
    case 'gateway-timeout-after-apply':
    case 'timeout-after-apply':
    case 'reset-after-apply':
    case 'half-body':
      return false
  }
}

export class S3Faults {
  private plan: Array<{ readonly fault: S3Fault; left: number }> = []

  inject(...faults: ReadonlyArray<S3Fault>): void {
    this.plan.push(...faults.map((fault) => ({ fault, left: fault.times ?? 1 })))
  }

  /** How many are still to be met: 0 shows that a test met what it asked for. */
  get left(): number {
    return this.plan.reduce((sum, { left }) => sum + left, 0)
  }

  clear(): void {
    this.plan = []
  }

  take(method: string, target: string): S3FaultKind | undefined {
    const due = this.plan.find(({ fault }) => {
      return (fault.method ?? method) === method && target.includes(fault.about ?? '')
    })
    if (due === undefined) return undefined
    due.left--
    this.plan = this.plan.filter(({ left }) => left > 0)
    return due.fault.kind
  }
}

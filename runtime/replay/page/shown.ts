/** What a page shows of a run, be it made while a simulation goes on or from a run log. Data only: it travels as JSON. */

/** By field, as text. */
export type ActorState = Readonly<Record<string, string>>

export interface ShownMessage {
  readonly atMs: number
  readonly from: string
  readonly to: string
  readonly subject: string
  readonly bytes: number
}

export interface StateChange {
  readonly atMs: number
  /** By `zone/actor`; null for one that is gone. */
  readonly changes: Readonly<Record<string, ActorState | null>>
}

export interface FaultBand {
  readonly fromMs: number
  readonly untilMs: number
  /** Absent if it befalls all. */
  readonly zone?: string
  readonly text: string
}

export interface ShownEvent {
  readonly atMs: number
  /** Says how it is drawn. */
  readonly kind: string
  readonly lane: string
  readonly text: string
}

export interface Line {
  /** `zone/actor`, or whoever it is about, and a field of it that is a number. */
  readonly key: string
  readonly field: string
  readonly dashed: boolean
  /** Of what is no actor's field: times and values. */
  readonly points?: ReadonlyArray<readonly [atMs: number, value: number]>
}

export interface Shown {
  readonly title: string
  /** In one line, whether it went well. */
  readonly heading: string
  /** What went wrong; '' if nothing did. */
  readonly problem: string
  readonly about: string
  readonly details: readonly string[]
  readonly endMs: number
  readonly zones: readonly string[]
  readonly faults: readonly FaultBand[]
  readonly events: readonly ShownEvent[]
  readonly messages: readonly ShownMessage[]
  readonly messagesSeen: number
  readonly states: readonly StateChange[]
  /** What dashed lines are. */
  readonly dashed: string
  readonly charts: ReadonlyArray<{ readonly title: string; readonly lines: readonly Line[] }>
}

/**
 * The oracle of whoever serves: no Postgres is started while another answers clients that knows less, nobody listens before
 * something of the own term is durable, and no fsync succeeds before what it stands for is.
 */
import type { CommittedLog } from './committed-log.ts'
import type { ReignObserver, SyncedAnswer } from './reign-observer.ts'

export interface ServingPorts {
  readonly log: CommittedLog
  /** Where a server of `term` or a former one answers clients. */
  readonly admittingZones: (term: number) => readonly string[]
  readonly violated: (words: string) => void
}

export function watchServing({
  log,
  admittingZones,
  violated,
}: ServingPorts): Required<Pick<ReignObserver, 'launches' | 'serves' | 'synced'>> {
  return {
    launches: (term: number, zone: string) => {
      const admitting = admittingZones(term)
      if (admitting.length === 0) return
      violated(
        `serving: Postgres is started in ${zone} in term ${term}, while one in ${admitting.join(', ')} answers clients`,
      )
    },
    serves: (term: number) => {
      const reign = log.reign(term)
      if (reign && reign.durable > reign.position) return
      violated(`serving: term ${term} is served before an entry of its own is durable`)
    },
    synced: ({ term, ino, wanted, durable, isUnsealed }: SyncedAnswer) => {
      if (isUnsealed)
        violated(`serving: an fsync of file ${ino} succeeds in term ${term} with pages that are in no segment`)
      if (durable >= wanted) return
      violated(
        `serving: an fsync of file ${ino} succeeds in term ${term} at ${durable}, though ${wanted} is to be durable`,
      )
    },
  }
}

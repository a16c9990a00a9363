/**
 * All oracles of a run, put together: what each is told while the run goes on, and what is looked at in the end. The ledger is
 * not here, it belongs to the clients. A violation is said in words and ends the run. Nothing here may change what
 * the cluster does, beyond the few questions to safekeepers after everything else is over.
 */
import type { Envelope } from '../../events/envelope.ts'
import { type ActorEvent, unwrap } from '../../events/envelope.ts'
import type { IndexSnapshot, TimelineFact } from '../../events/timeline.ts'
import { problemOf } from '../../runtime/errors.ts'
import { openJournal } from '../../runtime/log/journal.ts'
import { timelineJournal } from '../../runtime/log/keys.ts'
import { run, useScheduler } from '../../runtime/system/run.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'
import { safekeeperDirectory } from '../cluster/sim-zone.ts'
import { type Draws, SeededDraws } from '../kernel/draws.ts'
import { WORLD } from '../kernel/kernel.ts'
import type { Plan } from '../plan/plan.ts'
import { ArchiveIndex } from './archive-index.ts'
import { askUntilAnswered, type SafekeeperAnswer, termsOf } from './ask-safekeepers.ts'
import { BucketView } from './bucket-view.ts'
import { CommitCopies } from './commit-copies.ts'
import { CommittedLog } from './committed-log.ts'
import { Deletions } from './deletions.ts'
import { FreshVotes } from './fresh-votes.ts'
import { recoverImage } from './image-world.ts'
import { type CrashImage, checkImage, ImagePicker, snapshotFor, tailAt } from './images.ts'
import { checkJournal, isJournaled, type LiveSample } from './journals.ts'
import {
  checkArchiveAlone,
  checkArchivedObjects,
  checkMajority,
  checkSafekeeper,
  findArchivedEnd,
} from './log-copies.ts'
import { ObjectNames } from './object-names.ts'
import { Promises } from './promises.ts'
import { awaitCopies, type RedundancyPorts } from './redundancy.ts'
import type { OpenedLog } from './reign-observer.ts'
import { checkSealedPages } from './sealed-pages.ts'
import { watchServing } from './serving.ts'
import { Snapshots } from './snapshots.ts'
import { type Probe, Sometimes } from './sometimes.ts'
import { bearersIn, checkTerms } from './terms.ts'
import { Violated } from './violated.ts'

const SAMPLE_INTERVAL_MS = 500
const ASK_AGAIN_MS = 200

export class Oracles {
  readonly #plan: Plan
  readonly #sometimes = new Sometimes()
  /** Apart from the run's: what is drawn here changes nothing there. */
  readonly #draws: Draws
  readonly #samples = new Map<string, LiveSample[]>()
  #log!: CommittedLog
  #images!: ImagePicker
  #copies!: RedundancyPorts
  #healedAtMs = Number.POSITIVE_INFINITY
  #askedAtMs = 0

  constructor(plan: Plan) {
    this.#plan = plan
    this.#draws = new SeededDraws(plan.seed)
  }

  get probes(): readonly Probe[] {
    return this.#sometimes.reached
  }

  reported(line: string): void {
    this.#sometimes.reported(line)
  }

  begin(cluster: SimCluster): void {
    const { kernel, ledger } = cluster
    const violated = (words: string) => kernel.fail({ words })
    const log = new CommittedLog({ nowMs: () => kernel.nowMs, violated })
    this.#log = log
    this.#images = new ImagePicker(this.#draws, ledger, this.#plan.workload.keys)
    const { bucket, project } = cluster
    const archive = new ArchiveIndex(project.timeline)
    const snapshots = new Snapshots({ archive, timeline: project.timeline, violated })
    const names = new ObjectNames({ violated })
    const deletions = new Deletions({ objects: bucket.objects, violated })
    bucket.watchRemoval = (key, by) => deletions.removed(key, by)
    bucket.watch = (key, body, before) => {
      if (before === undefined) deletions.created(key, body)
      if (before === undefined) snapshots.created(key, body)
      if (before === undefined) archive.created(key, body)
      else if (!bucket.rotten.has(key)) names.taken(key, body, before)
    }
    const promises = new Promises({ directory: safekeeperDirectory(project.timeline), log, archive, violated })
    const isRotten = () => bucket.rotten.size > 0
    const fresh = new FreshVotes({ archive, isRotten, zones: this.#plan.zones, violated })
    cluster.safekeeperObserver = {
      opened: (...what) => promises.opened(...what),
      said: (zone, disk, said) => {
        promises.said(zone, disk, said)
        fresh.said(zone, said)
      },
    }
    if (this.#plan.durability === 'archived')
      cluster.reignObservers.push({ opened: (opened) => fresh.opened(opened), durable: () => {} })
    this.#copies = { promises, log, archive }
    const { durability, zones } = this.#plan
    const copies = new CommitCopies({ promises, archive, durability, zones, violated })
    cluster.reignObservers.push(log, copies, {
      ...watchServing({ log, admittingZones: (term) => cluster.admittingZones(term), violated }),
      opened: (opened) => this.#opened(opened),
      durable: (_, position, chain) => {
        // Before somebody has served there is no cluster to recover. A writer that learns late what its successor began with is no
        // news: clients have been told of more.
        if (cluster.servings > 0 && position === log.end) this.#images.offer(position, chain)
      },
      resent: () => this.#sometimes.reach('log was sent again from the ring'),
      guarded: () => this.#sometimes.reach('Postgres was restarted in place behind a guard'),
    })
    const sample = () => {
      this.#sample(cluster)
      kernel.after(WORLD, SAMPLE_INTERVAL_MS, sample)
    }
    kernel.after(WORLD, SAMPLE_INTERVAL_MS, sample)
  }

  /** No fault strikes any more. */
  healed(cluster: SimCluster): void {
    this.#healedAtMs = cluster.kernel.nowMs
  }

  /** Service is back: every safekeeper is to get there. */
  async audited(cluster: SimCluster): Promise<void> {
    await awaitCopies(cluster, this.#copies)
  }

  /** Throws what is violated. The cluster is asked first, and stands still afterwards. */
  async atEnd(cluster: SimCluster, deadline: number): Promise<void> {
    const { timeline } = cluster.project
    this.#sample(cluster)
    const answers = await this.#askAll(cluster, deadline)
    useScheduler(undefined)
    const store = new BucketView(cluster.bucket.objects)
    const problems = this.#judgeSafekeepers(cluster, answers)
    const history = await run(openJournal(store, timelineJournal(timeline)).history())
    const bearers = [...bearersIn(cluster.bucket.objects.keys()), ...termsIn(answers)]
    problems.push(...checkTerms(history, this.#log.reigns, bearers))
    for (const [actor, samples] of this.#samples) problems.push(...(await checkJournal(store, actor, samples)))
    problems.push(...(await checkArchivedObjects(this.#log, store, timeline)))
    if (this.#plan.durability === 'archived') {
      for (const from of [undefined, ...snapshotsIn(history)])
        problems.push(...(await checkArchiveAlone(this.#log, store, timeline, from)))
    }
    problems.push(...(await checkSealedPages(store, timeline)))
    this.#probeEnd(cluster, history, answers)
    if (problems.length === 0) problems.push(...(await this.#judgeImages(cluster, store, history)))
    if (problems.length > 0) throw { words: problems.join('\n') }
  }

  /**
   * In a world that nobody heals: what was shown has been judged when it was shown, and nobody may answer any more. Terms and journals
   * are looked at, unless the objects that hold them have rotted.
   */
  async atUnhealedEnd(cluster: SimCluster): Promise<void> {
    this.#sample(cluster)
    this.#sometimes.reach('service was lost for good beyond the promise', cluster.server?.isServing !== true)
    this.#sometimes.reach('service outlived what nobody promises to survive', cluster.server?.isServing === true)
    useScheduler(undefined)
    if (this.#plan.faults.some(({ kind }) => kind === 'rot-object')) return
    const store = new BucketView(cluster.bucket.objects)
    const history = await run(openJournal(store, timelineJournal(cluster.project.timeline)).history())
    const problems = checkTerms(history, this.#log.reigns, bearersIn(cluster.bucket.objects.keys()))
    for (const [actor, samples] of this.#samples) problems.push(...(await checkJournal(store, actor, samples)))
    if (problems.length > 0) throw { words: problems.join('\n') }
  }

  #opened({ term, position, fromSnapshot }: OpenedLog): void {
    const sometimes = this.#sometimes
    const last = this.#log.places.at(-1)
    sometimes.reach('a term changed', term > 1)
    sometimes.reach('an attach began from a snapshot', fromSnapshot)
    sometimes.reach('a tail of which nobody was told was continued', last !== undefined && position > last.position)
    sometimes.reach('a term that wrote nothing was passed over', last !== undefined && term > last.term + 1)
  }

  #sample(cluster: SimCluster): void {
    const hosts = new Map<string, number>()
    for (const zone of cluster.zones) {
      this.#sometimes.reach('a safekeeper caught up', zone.safekeeper?.status().state === 'catchingUp')
      for (const inspection of zone.inspect().actors) {
        this.#sometimes.inspected(inspection)
        const { actor, sequence, state, remembered } = inspection
        if (!isJournaled(actor)) continue
        hosts.set(actor, (hosts.get(actor) ?? 0) + 1)
        const samples = this.#samples.get(actor) ?? []
        this.#samples.set(actor, samples)
        // One that has not moved since says nothing new.
        const before = samples.findLast((sample) => sample.zone === zone.name)
        if (before?.sequence === sequence && before.remembered === remembered) continue
        samples.push({ actor, zone: zone.name, atMs: cluster.kernel.nowMs, sequence, state, remembered })
      }
    }
    this.#sometimes.reach(
      'a timeline had two hosts at once',
      [...hosts.values()].some((count) => count > 1),
    )
  }

  /** Each until it answers: one may still be on its way back. Of those that do not until `deadline`, the run ends. */
  async #askAll({ kernel, network, project, zones }: SimCluster, deadline: number): Promise<SafekeeperAnswer[]> {
    this.#askedAtMs = kernel.nowMs
    const bus = network.connect(WORLD, 'onlooker')
    const asking = { bus, project: project.project, timeline: project.timeline }
    let answers: SafekeeperAnswer[] | undefined
    const again = () => new Promise<void>((resolve) => void kernel.after(WORLD, ASK_AGAIN_MS, resolve))
    Promise.all(zones.map(({ name }) => askUntilAnswered(asking, name, again))).then((all) => {
      answers = all
    }, kernel.fail)
    await kernel.run(deadline, () => answers !== undefined)
    if (answers === undefined) throw new Violated('not all safekeepers answered when they were asked what they hold')
    return answers
  }

  #judgeSafekeepers({ zones }: SimCluster, answers: readonly SafekeeperAnswer[]): string[] {
    const problems = answers.flatMap(({ status: { zone, lastTerm }, frames }) =>
      checkSafekeeper(this.#log, { zone, lastTerm, frames }),
    )
    const last = this.#log.places.findLast(({ atMs }) => atMs <= this.#askedAtMs)
    // What became durable before the last fault may have lost disks since, and whoever serves is still at work on that. So may what
    // became durable only after it: by the word of a disk that was lost in between.
    const lostUpTo = Math.max(...zones.map((zone) => zone.lostUpTo))
    if (last && last.atMs > this.#healedAtMs && last.position > lostUpTo) {
      const flushed = new Map(
        answers.map(({ status }) => [status.zone, status.lastTerm < last.term ? 0 : status.flushed]),
      )
      problems.push(...checkMajority(last.position, this.#plan.durability, flushed, this.#plan.zones))
    }
    return problems
  }

  async #judgeImages(cluster: SimCluster, store: BucketView, history: readonly Envelope[]): Promise<string[]> {
    const problems: string[] = []
    const { timeline } = cluster.project
    const snapshots = snapshotsIn(history)
    const archivedEnd = await findArchivedEnd(this.#log, store, timeline)
    for (const image of this.#images.kept) {
      // Under quorum durability the archive may not have got there.
      if (image.position > archivedEnd) continue
      const snapshot = snapshotFor(image, snapshots, this.#draws)
      problems.push(...(await this.#judgeImage(cluster, image, snapshot)))
    }
    return problems
  }

  async #judgeImage(cluster: SimCluster, image: CrashImage, snapshot: IndexSnapshot | undefined): Promise<string[]> {
    const { postgres, workload, seed } = this.#plan
    const store = new BucketView(cluster.bucket.objects)
    const { timeline } = cluster.project
    const keys = Array.from({ length: workload.keys }, (_, key) => key)
    const world = { seed, epochMs: cluster.kernel.nowMs, store, timeline, postgres, keys }
    const from = snapshot ? `the snapshot at ${snapshot.position}` : 'the first byte'
    try {
      const problems = checkImage(image, await recoverImage(world, tailAt(this.#log, image), snapshot))
      this.#sometimes.reach(
        snapshot ? 'a crash image was recovered from a snapshot' : 'a crash image was recovered from the first byte on',
      )
      return problems.map((problem) => `${problem} (folded from ${from})`)
    } catch (error) {
      return [`the log up to ${image.position}, folded from ${from}, is no crash image: ${problemOf(error)}`]
    }
  }

  #probeEnd(cluster: SimCluster, history: readonly Envelope[], answers: readonly SafekeeperAnswer[]): void {
    const sometimes = this.#sometimes
    const keys = [...cluster.bucket.objects.keys()]
    sometimes.reach('a snapshot was recorded', snapshotsIn(history).length > 0)
    sometimes.reach(
      'a journal was folded from a snapshot',
      keys.some((key) => key.includes('/journal/snapshots/')),
    )
    const { looks, met } = cluster.bucket
    sometimes.reach('whose an object is was asked of the store', looks > 0)
    sometimes.reach('the store was too busy', met['slow-down'] > 0)
    sometimes.reach('the store was too busy, and said so as some services do', met['too-many-requests'] > 0)
    sometimes.reach('the store took no credentials', met.expired > 0)
    sometimes.reach('an answer of the store got lost', met.stuck > 0)
    sometimes.reach('a body broke off', met.truncated > 0)
    sometimes.reach('two creations of a name were in conflict', met.conflict > 0)
    sometimes.reach('a request reached the store after its process had died', met.posthumous > 0)
    const { network } = cluster
    sometimes.reach('a slow consumer was cut off', network.slowConsumers > 0)
    sometimes.reach('a message came late, from before a reconnect', network.publishedLate > 0)
    sometimes.reach('a message came twice', network.mangling.repeated > 0)
    sometimes.reach('log came damaged', network.mangling.corrupted > 0)
    const disks = cluster.zones.map(({ disk }) => disk)
    sometimes.reach(
      'a disk failed to read',
      disks.some(({ failedReads }) => failedReads > 0),
    )
    sometimes.reach(
      'a disk failed to write',
      disks.some(({ failedWrites }) => failedWrites > 0),
    )
    sometimes.reach(
      'a disk lied about a sync',
      disks.some(({ lies }) => lies > 0),
    )
    sometimes.reach(
      'a write had gone astray',
      disks.some(({ misplaced }) => misplaced > 0),
    )
    const lost = new Set<number>()
    for (const fault of this.#plan.faults) {
      if (fault.kind === 'lose-disk') lost.add(fault.zone % this.#plan.zones)
      if (fault.kind === 'lose-everything' && fault.disks) for (const at of cluster.zones.keys()) lost.add(at)
    }
    const holders = answers.filter(({ status }) => status.flushed >= this.#log.end).map(({ status }) => status.zone)
    const isBack = [...lost].some((at) => holders.includes(cluster.zones[at]!.name))
    sometimes.reach('a zone that lost its disk holds the log again', isBack)
  }
}

function snapshotsIn(history: readonly Envelope[]): IndexSnapshot[] {
  return history
    .map((envelope) => unwrap(envelope) as ActorEvent as TimelineFact)
    .filter((fact) => fact.type === 'SnapshotRecorded')
}

function termsIn(answers: readonly SafekeeperAnswer[]) {
  return answers.flatMap(({ status, frames }) => [
    { who: `the safekeeper of ${status.zone}`, term: status.term },
    ...[...termsOf(frames)].map((term) => ({ who: `a frame in the log of ${status.zone}`, term })),
  ])
}

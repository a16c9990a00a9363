/**
 * Errors in what a compute concludes: which log goes on, what is durable, when an fsync may be answered, and when its reign
 * has ended. Nothing here is about disks of safekeepers.
 */
import type { Mutation } from './mutation.ts'

const PROPOSER = 'actors/compute/proposer.ts'
const ELECTION = 'actors/compute/election.ts'
const REIGN = 'runtime/compute/reign.ts'
const LOG_WRITER = 'runtime/compute/log-writer.ts'
const FSYNCS = 'runtime/compute/fsyncs.ts'

/**
 * What is served must be on a majority, be it by an election or by an entry after it. The second alone changes nothing that can be
 * seen: a Postgres that starts syncs what its recovery wrote before it listens.
 */
const FENCE_NOBODY = {
  file: REIGN,
  find: 'await fence(ports, reign, votes);',
  replace: 'fence(ports, reign, votes).catch(() => { });',
}
const SERVE_AT_ONCE = {
  file: 'runtime/compute/attached-volume.ts',
  find: 'becomesDurable(volume, reign.tail.position + 1, signal)',
  replace: 'becomesDurable(volume, 0, signal)',
}

export const COMPUTE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'acknowledge-before-quorum',
    file: PROPOSER,
    find: 'if (holders >= rank)',
    replace: 'if (holders >= 1)',
    about: 'What one safekeeper has flushed counts as flushed by a majority.',
  },
  {
    name: 'acknowledge-before-archive',
    file: PROPOSER,
    find: 'Math.min(flushed, state.archived)',
    replace: 'flushed',
    about: 'What a majority has flushed is acknowledged although it is not archived.',
    needs: { durability: 'archived' },
  },
  {
    name: 'acknowledge-what-was-sent',
    file: 'runtime/compute/shared-log.ts',
    find: 'if (this.durable >= position || this.failure !== 0)',
    replace: 'if (this.sent >= position || this.failure !== 0)',
    about: 'An fsync is answered once the log was sent.',
  },
  {
    name: 'commit-older-term-on-its-own',
    file: PROPOSER,
    find: 'if (candidate.flushed < state.termStart || candidate.flushed <= best)',
    replace: 'if (candidate.flushed <= best)',
    also: [
      {
        file: 'runtime/safekeeper/append-path.ts',
        find: 'const flushed = isElected(state) ? state.flushed : 0;',
        replace: 'const { flushed } = state;',
      },
    ],
    about: 'Entries of an older term count as on a majority before the present one has any there (Raft, figure 8).',
  },
  {
    name: 'choose-longest-tail',
    file: ELECTION,
    find: 'if (one.lastTerm !== other.lastTerm)',
    replace: 'if (one.position === other.position && one.lastTerm !== other.lastTerm)',
    about: 'The longest log goes on, whoever wrote its end.',
    plan: 'mutations/plans/choose-longest-tail',
  },
  {
    name: 'choose-tail-by-term-only',
    file: ELECTION,
    find: 'return one.position > other.position ||',
    replace: 'return',
    about: 'Of the logs of the newest term any goes on, not the longest.',
  },
  {
    name: 'elect-without-archive',
    file: ELECTION,
    find: 'if (archive)\n        candidates.push(tailOfArchive(archive));',
    replace: '',
    about: 'The archive does not stand in an election.',
    needs: { durability: 'archived', faults: ['lose-disk', 'lose-everything'] },
  },
  {
    name: 'elect-with-minority',
    file: ELECTION,
    find: 'if (counted.length < needed)',
    replace: 'if (counted.length < 1)',
    also: [FENCE_NOBODY, SERVE_AT_ONCE],
    about: 'A single vote elects, and who was elected serves.',
  },
  {
    name: 'archive-read-before-votes',
    file: REIGN,
    find: 'mustLookAgain ? await findArchive(!knowTheEnd(promises, grant)) : before',
    replace: 'before',
    about: 'The archive is not looked at again after disks without a memory have voted.',
    needs: { durability: 'archived', faults: ['lose-disk', 'lose-everything'] },
    plan: 'mutations/plans/archive-read-before-votes',
  },
  {
    name: 'attach-before-fencing',
    ...FENCE_NOBODY,
    also: [SERVE_AT_ONCE],
    about: 'A compute attaches before a majority refuses older terms and holds the tail.',
  },
  {
    name: 'begin-log-anew-from-zero',
    file: REIGN,
    find: 'truncateTo < base.position || archived.position - truncateTo > RESEND_BYTES_MAX',
    replace: 'archived.position - truncateTo > RESEND_BYTES_MAX',
    about: 'A safekeeper without a log is sent it from its beginning, of which the archive is not asked who wrote it.',
  },
  {
    name: 'skip-resend',
    file: PROPOSER,
    find: 'member.flushed < end && at - member.movedAt >= RESEND_AFTER_MS',
    replace: 'false',
    about: 'The timer that sends the log again is forgotten.',
  },
  {
    name: 'full-ring-forgets-its-oldest',
    file: 'runtime/compute/shared-log.ts',
    find: 'Math.min(this.released, this.end - this.ringBytes + this.reserveBytes)',
    replace: 'this.end - this.ringBytes + this.reserveBytes',
    about: 'What was not acknowledged counts as gone once the ring is so full that its writer waits.',
    plan: 'mutations/plans/full-ring-forgets-its-oldest',
  },
  {
    name: 'never-move-duty',
    file: PROPOSER,
    find: 'if (at - state.archivedAt < DUTY_TIMEOUT_MS * 2 ** state.dutyMoves)',
    replace: 'if (at >= 0)',
    about: 'The timer that moves archive duty is forgotten.',
  },
  {
    name: 'resend-from-durable',
    file: LOG_WRITER,
    find: "if (ack.status === 'gap')\n            this.resendTo(ack.zone, ack.flushed);",
    replace: "if (ack.status === 'gap')\n            this.resendTo(ack.zone, this.log.durable);",
    also: [
      {
        file: LOG_WRITER,
        find: 'this.resendTo(member.zone, Math.max(member.flushed, this.log.base));',
        replace: 'this.resendTo(member.zone, Math.max(this.log.durable, this.log.base));',
      },
    ],
    about: 'Who has missed frames is sent the log from where it is durable, not from where its own ends.',
  },
  {
    name: 'forget-to-reelect',
    file: 'runtime/compute/writing-log.ts',
    find: 'if (this.#isOver || now -',
    replace: 'if (zone || now -',
    about: 'A safekeeper that came back is not told of the election that it missed.',
  },
  {
    name: 'count-acknowledgements-of-other-terms',
    file: LOG_WRITER,
    find: 'if (ack.term > this.proposer.term)\n            this.onFenced(ack.term);',
    replace: 'if (ack.term > this.proposer.term)\n            this.take(ack);',
    about: 'What a safekeeper has flushed under a higher term counts as flushed under the own.',
  },
  {
    name: 'fsync-of-failed-log-succeeds',
    file: LOG_WRITER,
    find: 'this.answers.replyError(low, high, EIO)',
    replace: 'this.answers.replyEmpty(low, high)',
    about: 'When the log fails, fsyncs that wait are answered with success.',
  },
  {
    name: 'serve-beside-predecessor',
    file: 'runtime/compute/predecessors.ts',
    find: 'return this.#silent.size === 0 || this.#ports.monotonicMs() >= this.#endAtMs;',
    replace: 'return true;',
    about: 'A compute serves while a predecessor that does not know of it may still answer reads.',
    plan: 'seeds/reads-of-a-deposed-server',
  },
  {
    name: 'keep-lease',
    file: 'runtime/compute/serving-lease.ts',
    find: 'if (this.#held && !this.#isHeld())',
    replace: 'if (false)',
    about: 'A compute that hears no majority goes on answering reads.',
    needs: { faults: ['isolate', 'cut', 'pause-zone'] },
    plan: 'mutations/plans/keep-lease',
  },
  {
    name: 'fsync-ignores-dirty-pages',
    file: FSYNCS,
    find: 'if (this.volume.isClean(ino) && this.guards === 0)',
    replace: 'if (this.guards === 0)',
    about: 'An fsync is answered before dirty pages of its file are sealed.',
  },
  {
    name: 'fsync-ignores-seal-entry',
    file: FSYNCS,
    find: 'Math.max(own, sealed, this.guardedPosition)',
    replace: 'Math.max(own, this.guardedPosition)',
    about: 'An fsync waits for its pages to be stored, not for the log to say where.',
  },
  {
    name: 'skip-guard',
    file: 'runtime/compute/volume-service.ts',
    find: 'this.#fsyncs.guard();',
    replace: '',
    about: 'After a restart of Postgres fsyncs do not wait for what the dead one left unsynced.',
    needs: { faults: ['kill-postgres'] },
    plan: 'mutations/plans/skip-guard',
  },
  {
    name: 'forget-guarded-position',
    file: FSYNCS,
    find: 'Math.max(own, this.guardedPosition)',
    replace: 'own',
    about: 'The guard after a restart waits for seals, not for the log that makes them durable.',
    needs: { faults: ['kill-postgres'] },
    plan: 'mutations/plans/forget-guarded-position',
  },
  {
    name: 'guard-heard-too-early',
    file: FSYNCS,
    find: 'Math.max(own, sealed, this.guardedPosition)',
    replace: 'Math.max(own, sealed)',
    about: 'An fsync that comes while a guard waits takes no notice of up to where that guards the log.',
    needs: { faults: ['kill-postgres'] },
    plan: 'seeds/fsync-beside-a-guard',
  },
  {
    name: 'snapshot-before-log-is-durable',
    file: 'runtime/compute/snapshot-store.ts',
    find: 'if (!(await writer.whenArchived(position)))',
    replace: 'if (false)',
    about: 'A snapshot is recorded although the log up to it is not durable.',
  },
  {
    name: 'snapshot-before-log-is-archived',
    file: 'runtime/compute/snapshot-store.ts',
    find: 'writer.whenArchived(position)',
    replace: 'writer.whenDurable(position)',
    about:
      'A snapshot is recorded although the archive has not reached it, from where the next term begins to archive.',
    plan: 'mutations/plans/snapshot-before-log-is-archived',
  },
  {
    name: 'snapshot-before-its-objects',
    file: 'runtime/compute/snapshot-store.ts',
    find: 'await run(Effect.all(creations, { concurrency: 4, discard: true }));',
    replace: 'run(Effect.all(creations, { concurrency: 4, discard: true })).catch(() => { });',
    about: 'A snapshot is recorded before its objects are stored.',
  },
  {
    name: 'grant-term-twice',
    file: 'runtime/log/journal.ts',
    find: "=== 'exists' && !sameBytes(yield* store.read(key), body)",
    replace: "=== 'conflict'",
    about: 'Whoever finds its slot of a journal taken believes that it wrote it: two computes get the same term.',
  },
  {
    name: 'trust-who-stands-still',
    file: 'runtime/compute/writing-log.ts',
    find: ' || !confirmed)',
    replace: ')',
    about: 'A disk that lost what it had acknowledged is not filled again before there is more to be written.',
    plan: 'seeds/lying-disk-of-a-log-that-stands-still',
  },
  {
    name: 'ask-nobody-for-the-archive',
    file: 'runtime/compute/writing-log.ts',
    find: 'this.writer.heardOfArchive(zone, archived);',
    replace: '',
    about:
      'How far the archive has got is not asked of safekeepers that were started anew, and know nobody to tell it to.',
    plan: 'seeds/archive-that-nobody-is-told-of',
  },
  {
    name: 'wait-for-the-time-of-another',
    file: 'runtime/system/deadlines.ts',
    find: 'atMs - aheadMs',
    replace: 'atMs',
    about: "A deadline that follows from another host's fact comes at the time of day that his clock said.",
    plan: 'seeds/deadline-of-a-clock-that-is-ahead',
  },
  {
    name: 'move-duty-with-each-slow-object',
    file: PROPOSER,
    find: 'if (at - state.grownAt < DUTY_TIMEOUT_MS)\n            state.dutyMoves = Math.max(0, state.dutyMoves - 1);',
    replace: 'state.dutyMoves = 0;',
    about: 'Whenever the archive has grown, however slowly, its duty moves after two seconds again.',
    plan: 'seeds/store-slower-than-archive-duty-waits',
  },
  {
    name: 'look-for-each-message',
    file: 'runtime/system/hosted-actor.ts',
    find: ' || waiting.arrival <= this.#arrivalsRefolded)',
    replace: ')',
    about:
      'An actor looks for newer facts before each message that it turns down, though it has looked since that came.',
    plan: 'seeds/messages-that-wait-for-a-slow-store',
  },
  {
    name: 'believe-disks-that-were-opened',
    file: REIGN,
    find: 'votes.filter(({ confirmed }) => confirmed)',
    replace: 'votes.filter(({ fresh }) => !fresh)',
    about: 'A disk that may have lied about its syncs is taken for one that knows the end of the log.',
    plan: 'mutations/plans/believe-disks-that-were-opened',
  },
]

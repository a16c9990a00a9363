/**
 * Errors around objects: their names, who wrote them, what is archived, and which pages a volume publishes. Nothing here is about
 * elections.
 */
import type { Mutation } from './mutation.ts'

const S3 = 'runtime/object-store/s3.ts'
const KEYS = 'runtime/log/keys.ts'
const ARCHIVER = 'runtime/safekeeper/archiver.ts'
const SEALING = 'runtime/volume/sealing.ts'

export const STORE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'take-412-as-success',
    file: S3,
    find: 'return yield* whose(key, creator, body);',
    replace: "return 'created';",
    about: 'A name that is taken counts as created.',
  },
  {
    name: 'take-412-as-failure',
    file: S3,
    find: "if (put.kind !== 'taken')",
    replace: 'if (key !== undefined)',
    about: 'A name that is taken is an error of the store, also if it is our own write whose answer got lost.',
  },
  {
    name: 'segment-names-without-term',
    file: KEYS,
    find: 'export function segmentKey(timeline, term, number) {',
    replace: 'export function segmentKey(timeline, _, number) { const term = 1;',
    about: 'Segments of all terms share their names.',
  },
  {
    name: 'log-names-without-term',
    file: KEYS,
    find: 'export function logKey(timeline, term, begin) {',
    replace: 'export function logKey(timeline, _, begin) { const term = 1;',
    about: 'Archived log of all terms shares its names.',
  },
  {
    name: 'reuse-segment-number',
    file: 'runtime/compute/sealer.ts',
    find: 'const number = this.nextSegmentNumber();',
    replace: 'const number = order;',
    about: 'Seals and snapshots of a term number their segments each for itself.',
  },
  {
    name: 'archive-counts-on-its-way',
    file: ARCHIVER,
    find: 'this.#next = object.end;',
    replace: 'this.#next = object.end;\n            this.#archived = object.end;',
    about: 'An object that is on its way to the store counts as archived.',
  },
  {
    name: 'archive-counts-over-holes',
    file: ARCHIVER,
    find: 'if (first.upTo < first.end)',
    replace: 'if (first.upTo < first.end && !this.#puts.some(({ upTo, end }) => upTo >= end))',
    about: 'An object that is stored vouches for those before it that are not.',
  },
  {
    name: 'archive-over-term-end',
    file: 'runtime/safekeeper/archive-object.ts',
    find: 'const border = Math.min(until, termEndAfter(history, begin));',
    replace: 'const border = until;',
    about: 'One object holds bytes of two terms under the name of the first.',
  },
  {
    name: 'take-found-object-for-ours',
    file: ARCHIVER,
    find: 'await this.#settleExisting(rest, duty, isLooking)',
    replace: 'rest.end',
    about: 'An object that stands under the name of ours counts as ours, however short it is.',
  },
  {
    name: 'archive-keeps-duty',
    file: ARCHIVER,
    find: 'return duty === this.#duty ? creation : undefined;',
    replace: 'return creation;',
    also: [{ file: ARCHIVER, find: 'this.#archived = 0;\n        this.#puts = [];', replace: 'this.#archived = 0;' }],
    about: 'What is stored after the duty ended counts for the duty that came after.',
  },
  {
    name: 'archive-tail-by-last-name',
    file: 'runtime/log/archive-tail.ts',
    find: '(await reach.chainAt(object.begin, objects)) === object.chainBefore',
    replace: 'object.begin >= reach.begin',
    about: 'An archived term is joined to the newest that began before it, without a look at the chain.',
    plan: 'mutations/plans/archive-tail-by-last-name',
  },
  {
    name: 'seal-completes-before-stored',
    file: 'runtime/compute/volume-host.ts',
    find: 'ok = await this.attempt(',
    replace: 'void this.attempt(',
    about: 'A seal is complete before its segment is stored.',
  },
  {
    name: 'publish-page-of-truncated-file',
    file: SEALING,
    find: 'seal.bodies[index] !== body || seal.blocks[index] < block)',
    replace: 'seal.bodies[index] !== body || true)',
    about: 'A page of a file that was cut or removed is published all the same.',
  },
  {
    name: 'page-goes-back',
    file: 'runtime/volume/page-cache.ts',
    find: 'if (this.published[slot] > seal)',
    replace: 'if (false)',
    about: 'An older capture of a page is published over a newer one.',
  },
  {
    name: 'publish-rewritten-logged-page',
    file: SEALING,
    find: 'if (!unchanged && this.cache.state(slot) !== PageState.dirty)',
    replace: 'if (false)',
    about: 'A page that only the log has is published although the log has changed it since.',
    plan: 'mutations/plans/publish-rewritten-logged-page',
  },
  {
    name: 'clean-rewritten-page',
    file: SEALING,
    find: 'if (unchanged)\n                this.cache.cleaned(slot);',
    replace: 'this.cache.cleaned(slot);',
    about: 'A page counts as clean although it was changed after its capture.',
  },
  {
    name: 'abandoned-seal-is-forgotten',
    file: SEALING,
    find: 'if (unchanged)\n                this.cache.uncaptured(slot);',
    replace: '',
    about: 'What a seal captured that could not be stored is never captured again.',
    plan: 'mutations/plans/abandoned-seal-is-forgotten',
  },
  {
    name: 'trust-prefix-of-log-write',
    file: 'runtime/volume/served-files.ts',
    find: 'if (end <= node.size)\n            end -=',
    replace: 'end -=',
    about: 'What a write adds past the end of a file is left out of the log if it is zeros there anyway.',
  },
  {
    name: 'clean-up-takes-newest-snapshot',
    file: 'runtime/log/journal.ts',
    find: 'for (const key of keys.slice(0, -SNAPSHOTS_KEPT))',
    replace: 'for (const key of keys)',
    about: 'Who stores a snapshot of a journal removes all of them, its own too.',
    plan: 'mutations/plans/clean-up-takes-newest-snapshot',
  },
  {
    name: 'list-first-page-only',
    file: S3,
    find: 'if (token === undefined)',
    replace: 'if (true)',
    about: 'Of a listing that comes in pages the first one counts as all.',
  },
  {
    name: 'fsync-after-abandoned-seal',
    file: 'runtime/compute/sealer.ts',
    find: 'if (waiter.seal < order)\n                continue;',
    replace: 'continue;',
    about: 'An fsync succeeds though the segment could not be stored that has its pages.',
    needs: { durability: 'quorum', faults: ['store-outage'] },
  },
  {
    name: 'delete-when-resumed',
    file: 'actors/timeline/table.ts',
    find: "Resumed: ignored('nothing is under way')",
    replace: "Resumed: { do: ['deleteObjects'] }",
    about: 'A new leader takes up the deletion of a timeline that nobody has deleted.',
  },
]

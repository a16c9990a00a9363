/**
 * Errors in what a safekeeper promises and in how its disk makes that true. Every one of them breaks a rule that a comment
 * in actors/safekeeper/ or runtime/safekeeper/ states; nothing here is about writers.
 */
import type { Mutation } from './mutation.ts'

const ACCEPTOR = 'actors/safekeeper/acceptor.ts'
const KEEPER = 'runtime/safekeeper/keeper.ts'
const ELECTIONS = 'runtime/safekeeper/elections.ts'
const DISK_LOG = 'runtime/safekeeper/disk-log.ts'

export const SAFEKEEPER_MUTATIONS: readonly Mutation[] = [
  {
    name: 'acknowledge-before-fsync',
    file: KEEPER,
    find: 'if (!flushedTo(state, this.log.flush()))',
    replace: 'if (!flushedTo(state, this.log.end))',
    about: 'A safekeeper acknowledges what it has written and not flushed.',
    needs: { durability: 'quorum', faults: ['lose-power', 'lose-everything'] },
  },
  {
    name: 'accept-append-of-older-term',
    file: ACCEPTOR,
    find: "if (frame.term < state.term)\n        return 'fenced';\n    if (frame.term > state.term || !isElected(state))",
    replace: 'if (frame.term > state.term)',
    also: [
      {
        file: 'runtime/safekeeper/append-path.ts',
        find: 'const flushed = isElected(state) ? state.flushed : 0;',
        replace: 'const { flushed } = state;',
      },
      {
        file: 'runtime/safekeeper/append-path.ts',
        find: 'encodeAck({ zone, term: state.term, flushed,',
        replace: 'encodeAck({ zone, term: this.#writerTerm || state.term, flushed,',
      },
    ],
    about:
      'Frames of a writer that has been succeeded are taken if they join on, and acknowledged as if it had not been.',
  },
  {
    name: 'accept-append-before-election',
    file: ACCEPTOR,
    find: 'if (frame.term > state.term || !isElected(state))',
    replace: 'if (frame.term > state.term)',
    about: 'Frames of a term are taken before the log was cut to where it agrees with the writer.',
  },
  {
    name: 'vote-without-persisting',
    file: KEEPER,
    find: 'this.#write({ ...this.#control, term });',
    replace: '',
    about: 'A vote is given before its term is on disk.',
    needs: { faults: ['kill-zone', 'lose-power', 'lose-everything'] },
  },
  {
    name: 'vote-for-older-term',
    file: ELECTIONS,
    find: 'return { response: voteResponse(state, false), unsaved: undefined };',
    replace: 'return { response: { ...voteResponse(state, true), term: request.term }, unsaved: undefined };',
    also: [{ file: ACCEPTOR, find: "if (message.term < state.term)\n        return { type: 'ignore' };", replace: '' }],
    about: 'A vote is given for a term that is not higher than the one promised, and its election is followed.',
  },
  {
    name: 'last-term-is-the-promised-one',
    file: ACCEPTOR,
    find: 'lastTerm: lastTermOf(history)',
    replace: 'lastTerm: term',
    about: 'A vote names the term that was promised, not the one that wrote the end of the log.',
  },
  {
    name: 'history-not-persisted',
    file: ELECTIONS,
    find: 'const unsaved = trySaving(() => keeper.save());',
    replace: 'const unsaved = undefined;',
    about: 'Who wrote what of the log is not put on disk when an election is followed.',
    needs: { faults: ['kill-zone', 'lose-power', 'lose-everything'] },
  },
  {
    name: 'keep-diverged-tail',
    file: KEEPER,
    find: 'this.log.truncate(position);',
    replace: '',
    about: 'A tail that is not of the new term stays in the log.',
  },
  {
    name: 'cut-one-byte-too-many',
    file: ELECTIONS,
    find: 'keeper.cut(decision.truncateTo);',
    replace: 'keeper.cut(Math.max(state.begin, decision.truncateTo - 1));',
    about: 'The log is cut one byte before where it agrees with the new one.',
  },
  {
    name: 'cut-drops-whole-frame',
    file: DISK_LOG,
    find: 'if (position > header.begin)',
    replace: 'if (false)',
    about: 'A cut inside of a frame drops the part of it that should stay.',
    plan: 'mutations/plans/cut-drops-whole-frame',
  },
  {
    name: 'trust-overlap',
    file: 'runtime/safekeeper/append-path.ts',
    find: 'if (header.begin + header.length <= state.end) {',
    replace: 'if (header.begin < state.end) {',
    about: 'A frame that begins before the end is taken for known, although it goes beyond.',
  },
  {
    name: 'ignore-full-disk',
    file: DISK_LOG,
    find: 'this.#files.write(this.#file, [this.#head, frame], segment.bytes);',
    replace: 'try { this.#files.write(this.#file, [this.#head, frame], segment.bytes); } catch { }',
    about: 'A frame that did not fit onto the disk counts as written.',
    needs: { faults: ['full-disk'] },
  },
  {
    name: 'ignore-failed-sync',
    file: DISK_LOG,
    find: 'this.#files.sync(this.#file);\n        }\n        catch (error) {\n            this.#failure = error;\n            throw error;',
    replace: 'this.#files.sync(this.#file);\n        }\n        catch (error) {',
    about: 'A failed sync counts as done.',
    needs: { faults: ['fail-sync'] },
  },
  {
    name: 'repeat-failed-sync',
    file: DISK_LOG,
    find: 'this.#files.sync(this.#file);\n        }\n        catch (error) {\n            this.#failure = error;\n            throw error;',
    replace:
      'this.#files.sync(this.#file);\n        }\n        catch (error) {\n            try { this.#files.sync(this.#file); } catch { throw error; }',
    about: 'After a failed sync the next one is believed, although the kernel has dropped the pages (fsyncgate).',
    needs: { faults: ['fail-sync'] },
  },
  {
    name: 'forget-fresh',
    file: 'runtime/safekeeper/safekeeper.ts',
    find: 'await rememberTerm(keeper, ports);',
    replace: '{ }',
    about: 'A disk without a memory votes as if it had promised nothing before.',
    needs: { faults: ['lose-disk', 'lose-everything'] },
  },
  {
    name: 'vouch-though-fresh',
    file: ACCEPTOR,
    find: 'incarnation, fresh };',
    replace: 'incarnation, fresh: false };',
    about: 'A disk that has forgotten does not say so in its votes.',
    needs: { faults: ['lose-disk', 'lose-everything'] },
  },
  {
    name: 'trim-before-archived',
    file: 'runtime/safekeeper/append-path.ts',
    find: 'log.trim(Math.min(state.settled, this.#archiver.needed))',
    replace: 'log.trim(state.flushed)',
    about: 'The local log is trimmed up to what is flushed, archived or not.',
  },
  {
    name: 'believe-torn-record',
    file: 'runtime/safekeeper/log-record.ts',
    find: 'return checkPayload(header, source.subarray(from, from + header.length)) ? header : undefined;',
    replace: 'return from + header.length <= source.length ? header : undefined;',
    about: 'A record whose payload a crash has torn is part of the log when that is opened.',
    needs: { faults: ['lose-power', 'lose-everything'] },
  },
  {
    name: 'keep-torn-end',
    file: 'runtime/safekeeper/disk-open.ts',
    find: 'this.#cutTorn(segment, content.length, scanned);',
    replace: '{ }',
    about: 'What lies behind the last good record stays in the file.',
    needs: { faults: ['lose-power', 'lose-everything'] },
  },
  {
    name: 'serve-lost-log',
    file: 'runtime/safekeeper/segment-file.ts',
    find: "> segment.end ? 'damaged' : 'torn';",
    replace: "> segment.end ? 'torn' : 'torn';",
    about: 'Bytes that were flushed and are bad now are taken for an unfinished end.',
    needs: { faults: ['lose-power', 'lose-everything', 'fail-sync'] },
  },
  {
    name: 'believe-cache-after-failed-sync',
    file: 'runtime/safekeeper/disk-open.ts',
    find: 'this.#settleUnsynced();',
    replace: '',
    about: 'After a failed sync and a restart, what the kernel shows is believed to be on the disk.',
    needs: { faults: ['fail-sync'] },
  },
  {
    name: 'vote-hides-what-was-answered',
    file: 'runtime/safekeeper/safekeeper.ts',
    find: 'this.#answeredAtMs = this.#ports.monotonicMs();',
    replace: '',
    about: 'A vote says that no writer has been answered since the disk was opened.',
    plan: 'seeds/reads-of-a-deposed-server',
  },
  {
    name: 'forget-failed-sync-at-opening',
    file: 'runtime/safekeeper/disk-open.ts',
    find: 'const unnoted = noteFailedSync(this.#files, this.#directory);',
    replace: "const unnoted = '';",
    about: 'A sync that fails while a disk is opened leaves no word for whoever opens it next.',
    needs: { faults: ['fail-sync'] },
    plan: 'mutations/plans/forget-failed-sync-at-opening',
  },
  {
    name: 'catch-up-from-anyone',
    file: 'runtime/safekeeper/catch-up.ts',
    find: 'await expectFollower(ports, peer, term);',
    replace: '',
    about: 'Missing log is taken from a peer without asking whether it follows the same term.',
    plan: 'mutations/plans/catch-up-from-anyone',
  },
]

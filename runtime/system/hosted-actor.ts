/**
 * One actor being hosted: its queue, its journal and its deadlines around the pure functions of actors/. One event at a
 * time: decide, make the facts durable, and only then answer, publish and act. If another host took the journal's slot,
 * what was decided is thrown away, the winner's facts are folded and the same event is decided again. Nothing here knows
 * what any actor is for.
 */
import type { ActorEffect, BaseContext, Definition, Outcome, SendEffect, Snapshot } from '../../actors/definition.ts'
import { applyFacts, decide } from '../../actors/fold.ts'
import { type ActorEvent, type Cause, causeOf, type Envelope, encodeEnvelope, wrap } from '../../events/envelope.ts'
import { Conflict, isLochError, type LochError } from '../errors.ts'
import type { Journal } from '../log/journal.ts'
import { Deadlines } from './deadlines.ts'
import {
  answerOf,
  defectAt,
  misplacedFact,
  notHostedHere,
  queueFull,
  readFact,
  readMessage,
  refusalOf,
} from './messages.ts'
import {
  type ActorInspection,
  actorSubject,
  eventsSubject,
  type OwnEffect,
  type Perform,
  type Recorder,
  type SystemMessage,
  type SystemPorts,
} from './ports.ts'
import { run, startEffect } from './run.ts'

/** Messages that may wait for an actor. More means that it is stuck; the sender should hear so and not wait. */
export const QUEUE_LENGTH_MAX = 1_024
/** Lost races for a journal's slot in a row before an event is given up: two live hosts take turns long before. */
export const CONFLICTS_MAX = 16
/** A host that has not learned of another's facts looks for them no oftener than this, unless somebody waits for an answer. */
export const REFOLD_INTERVAL_MS = 1_000
/** The object store retries by itself before it gives up, so this need not be short. */
export const RETRY_INTERVAL_MS = 1_000

/** Before it is queued. */
type Arriving<Event> = Omit<Waiting<Event>, 'arrival'>

interface Waiting<Event> {
  readonly event: Event
  readonly id: string
  readonly cause: Cause | undefined
  readonly answer: (reply: Envelope) => void
  /** Of a deadline. */
  readonly dueAtMs?: number
  /** It was queued as the how manieth. */
  readonly arrival: number
}

const nobody = () => {}

export class HostedActor<
  State extends string,
  Context extends BaseContext,
  Event extends ActorEvent,
  Eff extends ActorEffect,
> {
  readonly actor: string
  readonly #ports: SystemPorts
  readonly #definition: Definition<never, State, Context, Event, Eff>
  readonly #perform: Perform<State, Context, Event, Eff>
  readonly #journal: Journal | undefined
  readonly #deadlines: Deadlines
  readonly #queue: Array<Waiting<Event>> = []
  #unsubscribe = nobody
  #snapshot: Snapshot<State, Context>
  #sequence = 0
  /** True while the journal may hold events that are not folded: after a lost race, or an append of unknown fate. */
  #mustRefold = false
  #refoldedAtMs = 0
  /** The event that is being handled, which may take a request to the store or more. */
  #handling: Event | undefined
  /** Effects that have not ended. */
  readonly #running: Eff[] = []
  #arrivals = 0
  /** What arrived up to here came before the journal was last looked at. */
  #arrivalsRefolded = 0
  /** Of the fact that was folded last: by how much who wrote it has a later time of day than this host. */
  #aheadMs = 0
  #stopped = false
  #draining: Promise<void> | undefined

  constructor(
    ports: SystemPorts,
    definition: Definition<never, State, Context, Event, Eff>,
    id: string,
    begin: Snapshot<State, Context>,
    perform: Perform<State, Context, Event, Eff>,
  ) {
    this.actor = `${definition.kind}.${id}`
    this.#ports = ports
    this.#definition = definition
    this.#perform = perform
    this.#journal = definition.facts.length > 0 ? ports.openJournal(definition.kind, id) : undefined
    this.#snapshot = begin
    this.#deadlines = new Deadlines(ports, this.actor, (name, dueAtMs) => {
      const event = definition.onTimer(name, 0)
      this.#enqueue({ event, id: this.#ports.ids.next(), cause: undefined, answer: nobody, dueAtMs })
    })
  }

  get snapshot(): Snapshot<State, Context> {
    return this.#snapshot
  }

  /** Folds the journal, then takes messages. Called once, by the System. */
  async open(): Promise<void> {
    if (this.#journal) {
      const { snapshot, events } = await run(this.#journal.load())
      if (snapshot) {
        const context = { ...this.#snapshot.context, remembered: snapshot.remembered }
        this.#snapshot = { state: snapshot.state as State, context }
        this.#sequence = snapshot.sequence
      }
      this.#fold(events)
    }
    this.#ports.recorder?.began(this.actor, this.#snapshot)
    this.#deadlines.follow(this.#snapshot.context.timers, this.#aheadMs)
    const subject = actorSubject(this.#ports.project, this.actor)
    this.#unsubscribe = this.#ports.bus.subscribe(subject, (message) => this.#receive(message))
  }

  /** Says `event` to the actor from inside this process; its `at` is replaced. `cause` links it to what led to it. */
  tell(event: Event, cause?: Cause): void {
    this.#enqueue({ event, id: this.#ports.ids.next(), cause, answer: nobody })
  }

  /** Like `tell`, and resolves with the answer: the actor's own, `Done` or `Refusal`. Never rejects. */
  ask(event: Event, cause?: Cause): Promise<Envelope> {
    return new Promise((answer) => {
      this.#enqueue({ event, id: this.#ports.ids.next(), cause, answer })
    })
  }

  inspect(): ActorInspection {
    const { context, state } = this.#snapshot
    return {
      actor: this.actor,
      state,
      term: this.#definition.termOf(context),
      sequence: this.#sequence,
      queued: this.#queue.length,
      handling: this.#handling?.type,
      running: this.#running.map(({ type }) => type),
      timers: context.timers,
      summary: this.#definition.summary(context),
      remembered: context.remembered,
    }
  }

  /** Resolves when nothing is queued or being handled. Effects may still be under way. */
  async settled(): Promise<void> {
    while (this.#draining) await this.#draining
  }

  /** Takes no more messages, refuses the waiting ones, and resolves when the one being handled is through. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe()
    this.#deadlines.cancelAll()
    for (const waiting of this.#queue.splice(0)) this.#refuse(waiting, notHostedHere(this.actor))
    await this.settled()
  }

  #receive(message: SystemMessage): void {
    const { reply } = message
    const answer =
      reply === undefined ? nobody : (envelope: Envelope) => this.#ports.bus.publish(reply, encodeEnvelope(envelope))
    const read = readMessage(this.#definition, this.actor, message.data)
    if ('error' in read) {
      const { envelope, error } = read
      this.#answer({ answer }, refusalOf(error, this.#ports.clock.nowMs()), envelope)
      return
    }
    // The message and the event are one, and have one id.
    const waiting = { event: read.event, id: read.envelope.id, cause: causeOf(read.envelope), answer }
    if (this.#queue.length < QUEUE_LENGTH_MAX) this.#enqueue(waiting)
    else this.#refuse(waiting, queueFull(this.actor, read.event.type, QUEUE_LENGTH_MAX))
  }

  #enqueue(arriving: Arriving<Event>): void {
    const waiting = { ...arriving, arrival: ++this.#arrivals }
    if (this.#stopped) {
      this.#refuse(waiting, notHostedHere(this.actor))
      return
    }
    this.#queue.push(waiting)
    this.#draining ??= this.#drain()
  }

  async #drain(): Promise<void> {
    // Never inside the caller: who tells an actor something must not be run over by its effects.
    await Promise.resolve()
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      for (const one of this.#ports.edited ? this.#edited(next) : [next]) await this.#take(one)
    }
    this.#draining = undefined
  }

  async #take(waiting: Waiting<Event>): Promise<void> {
    this.#handling = waiting.event
    try {
      await this.#handle(waiting)
    } catch (error) {
      const { event, answer } = waiting
      this.#ports.report(this.actor, event.type, error)
      if (answer === nobody && isLochError(error)) this.#tryLater(waiting)
      this.#refuse(waiting, isLochError(error) ? error : defectAt(this.actor, event.type, error))
    }
    this.#handling = undefined
  }

  /** In a fork of a simulation: what is taken in the place of a message. */
  #edited(waiting: Waiting<Event>): ReadonlyArray<Waiting<Event>> {
    const edited = this.#ports.edited?.(this.actor, waiting.id, waiting.event)
    if (edited === undefined) return [waiting]
    const before = edited.before as ReadonlyArray<Event>
    const { arrival } = waiting
    const inserted = before.map((event) => {
      return { event, id: this.#ports.ids.next(), cause: undefined, answer: nobody, arrival }
    })
    return edited.event === undefined ? inserted : [...inserted, { ...waiting, event: edited.event as Event }]
  }

  /** Results and deadlines come once; while the journal cannot be reached they must wait, or the actor would hang. */
  #tryLater(waiting: Waiting<Event>): void {
    const atMs = this.#ports.clock.nowMs() + RETRY_INTERVAL_MS
    this.#ports.timers.set(`${this.actor}/again/${waiting.id}`, atMs, () => this.#enqueue(waiting))
  }

  async #handle(waiting: Waiting<Event>): Promise<void> {
    let isFresh = false
    for (let attempt = 1; ; attempt++) {
      if (this.#mustRefold) await this.#refold()
      // Time is the host's, at the moment of the decision: senders' clocks differ, and queues delay.
      // A deadline that fired is due, though the clock may have been set back meanwhile: it will not fire again.
      const nowMs = this.#ports.clock.nowMs()
      const at = Math.max(nowMs, waiting.dueAtMs ?? 0)
      const event = { ...waiting.event, at }
      const decision = decide(this.#definition, this.#snapshot, event)
      if (!isFresh && this.#mayBeStale(decision.outcome, waiting)) {
        isFresh = true
        if (await this.#learn()) continue
      }
      const folded = applyFacts(this.#definition, decision.snapshot, decision.facts)
      if (folded.impossible) throw new Error(`${this.actor} decided what cannot be: ${folded.impossible.reason}`)
      const taken = decision.outcome.kind === 'taken'
      const term = this.#definition.termOf(folded.snapshot.context)
      const sequence = taken && !this.#journal ? this.#sequence + 1 : 0
      const message = wrap(event, { id: waiting.id, actor: this.actor, sequence, term }, waiting.cause)
      const facts = decision.facts.map((fact, index) => {
        const identity = { id: this.#ports.ids.next(), actor: this.actor, sequence: this.#sequence + 1 + index, term }
        return wrap(fact, identity, message)
      })
      if (facts.length > 0 && !(await this.#persist(facts, attempt))) continue
      const before = this.#snapshot
      this.#snapshot = folded.snapshot
      this.#sequence += sequence > 0 ? 1 : facts.length
      const effects = [...decision.effects, ...folded.effects]
      const { outcome } = decision
      this.#ports.recorder?.took({ message, outcome, facts, effects, before, after: this.#snapshot })
      if (!this.#stopped) this.#deadlines.follow(this.#snapshot.context.timers, at - nowMs)
      if (taken) for (const happened of [message, ...facts]) this.#publish(happened)
      if (waiting.answer !== nobody) {
        const now = { state: this.#snapshot.state, sequence: this.#sequence }
        this.#answer(waiting, answerOf(this.actor, event, outcome, effects, now), message)
      }
      for (const effect of effects) this.#act(effect, message)
      this.#keepSnapshot(facts.length)
      return
    }
  }

  /** True once the facts are durable, false if they must be decided again; throws if it is neither. */
  async #persist(facts: ReadonlyArray<Envelope>, attempt: number): Promise<boolean> {
    try {
      await run(this.#journal!.append(facts[0]!.sequence, facts))
      return true
    } catch (error) {
      this.#mustRefold = true
      if (error instanceof Conflict && attempt < CONFLICTS_MAX) return false
      throw error
    }
  }

  /**
   * Saying no needs no journal slot, so a host that another one has overtaken would not notice that it decides by old
   * facts. Before it turns anything down it looks whether there are newer ones, once for all that wait: while the store is slow, more
   * may come than it could look for one by one.
   */
  #mayBeStale(outcome: Outcome, waiting: Waiting<Event>): boolean {
    if (!this.#journal || outcome.kind === 'taken' || waiting.arrival <= this.#arrivalsRefolded) return false
    return waiting.answer !== nobody || this.#ports.clock.nowMs() - this.#refoldedAtMs >= REFOLD_INTERVAL_MS
  }

  /** True if the journal had facts that were not folded. */
  async #learn(): Promise<boolean> {
    const before = this.#sequence
    await this.#refold()
    return this.#sequence > before
  }

  async #refold(): Promise<void> {
    this.#refoldedAtMs = this.#ports.clock.nowMs()
    const arrivals = this.#arrivals
    this.#fold(await run(this.#journal!.eventsAfter(this.#sequence)), this.#ports.recorder)
    if (!this.#stopped) this.#deadlines.follow(this.#snapshot.context.timers, this.#aheadMs)
    this.#mustRefold = false
    this.#arrivalsRefolded = arrivals
  }

  /** Facts of the journal, without their effects: whoever wrote them performs those. */
  #fold(envelopes: ReadonlyArray<Envelope>, recorder?: Recorder): void {
    for (const envelope of envelopes) {
      const fact = readFact(this.#definition, envelope)
      if (isLochError(fact)) throw fact
      const folded = applyFacts(this.#definition, this.#snapshot, [fact])
      if (folded.impossible) throw misplacedFact(this.actor, envelope.sequence, folded.impossible.reason)
      recorder?.folded(envelope, this.#snapshot, folded.snapshot)
      this.#snapshot = folded.snapshot
      this.#sequence = envelope.sequence
      this.#aheadMs = Math.max(0, fact.at - this.#ports.clock.nowMs())
    }
  }

  #act(effect: Eff, cause: Envelope): void {
    if (effect.type === 'record' || effect.type === 'reply') return
    if (effect.type === 'send') {
      const { to, event } = effect as ActorEffect as SendEffect<ActorEvent>
      this.#send(to, event, cause)
      return
    }
    const tell = (event: Event) => this.tell(event, cause)
    const send = (to: string, event: ActorEvent) => this.#send(to, event, cause)
    const scope = { actor: this.actor, snapshot: this.#snapshot, cause, tell, send }
    const failed = (error: unknown) => this.#ports.report(this.actor, effect.type, error)
    this.#running.push(effect)
    const ended = () => void this.#running.splice(this.#running.indexOf(effect), 1)
    startEffect(() => this.#perform(effect as OwnEffect<Eff>, scope), { tell, failed, ended })
  }

  #send(to: string, event: ActorEvent, cause: Envelope): void {
    const identity = { id: this.#ports.ids.next(), actor: to, sequence: 0, term: cause.term }
    const subject = actorSubject(this.#ports.project, to)
    this.#ports.bus.publish(subject, encodeEnvelope(wrap(event, identity, cause)))
  }

  #publish(envelope: Envelope): void {
    if (this.#definition.unpublished.includes(envelope.type)) return
    this.#ports.bus.publish(eventsSubject(this.#ports.project, this.actor), encodeEnvelope(envelope))
  }

  #keepSnapshot(added: number): void {
    if (!this.#journal?.isSnapshotDue(this.#sequence - added, this.#sequence)) return
    const { state, context } = this.#snapshot
    const snapshot = { actor: this.actor, sequence: this.#sequence, state, remembered: context.remembered }
    run(this.#journal.keepSnapshot(snapshot)).catch((error) => this.#ports.report(this.actor, 'snapshot', error))
  }

  #answer(waiting: Pick<Waiting<Event>, 'answer'>, event: ActorEvent, cause: Cause | undefined): void {
    if (waiting.answer === nobody) return
    const term = this.#definition.termOf(this.#snapshot.context)
    const identity = { id: this.#ports.ids.next(), actor: this.actor, sequence: this.#sequence, term }
    waiting.answer(wrap(event, identity, cause))
  }

  #refuse(waiting: Pick<Waiting<Event>, 'answer' | 'cause' | 'id'>, error: LochError): void {
    const { id, cause } = waiting
    const refused = { id, correlationId: cause?.correlationId ?? id }
    this.#answer(waiting, refusalOf(error, this.#ports.clock.nowMs()), refused)
  }
}

/**
 * Owns the one stream of events: whoever does something says so here, and logs, metrics and traces only listen.
 * Without subscribers an event costs a comparison; a subscriber that throws is nobody else's problem.
 */
import { toAppError } from '../errors.ts';
import type { EventFields, EventName } from './events.ts';

export type Subscriber = <N extends EventName>(name: N, fields: EventFields<N>) => void;

export interface Span {
  readonly name: string;
  readonly kind?: 'consumer' | 'server' | 'internal';
  /** W3C traceparent of what caused it; absent: the span that is active here. */
  readonly parent?: string | undefined;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}

/** A span that has begun. */
export interface OpenSpan {
  /** Runs work, and whatever it starts, inside the span. */
  enter<T>(work: () => T): T;
  /** `code`: of the error with which it ended. */
  end(code?: string): void;
}

/** Who turns stretches of work into spans. */
export interface Spans {
  open(span: Span): OpenSpan;
  /** W3C traceparent of the active span. */
  current(): string | undefined;
  /** A span that has ended already, of work that another thread did. Times in ms since 1970. */
  past(span: Span, startedAt: number, endedAt: number, code?: string): void;
}

const SUBSCRIBERS_MAX = 16;

export class Telemetry {
  #subscribers: readonly Subscriber[] = [];
  readonly spans: Spans | undefined;

  constructor(spans?: Spans) {
    this.spans = spans;
  }

  /** Whether anybody listens: what costs something to say may be left out otherwise. */
  get heard(): boolean {
    return this.#subscribers.length > 0;
  }

  /** Returns what ends the subscription. */
  subscribe(subscriber: Subscriber): () => void {
    if (this.#subscribers.length >= SUBSCRIBERS_MAX)
      throw new RangeError(`at most ${SUBSCRIBERS_MAX} subscribers of telemetry`);
    this.#subscribers = [...this.#subscribers, subscriber];
    return () => {
      this.#subscribers = this.#subscribers.filter((one) => one !== subscriber);
    };
  }

  emit<N extends EventName>(name: N, fields: EventFields<N>): void {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(name, fields);
      } catch {
        // Whoever listens badly misses an event; the job goes on.
      }
    }
  }

  /** Runs work as a span, if spans are wanted. */
  within<T>(span: Span, work: () => Promise<T>): Promise<T> {
    return this.spans === undefined ? work() : within(this.spans.open(span), work);
  }
}

async function within<T>(span: OpenSpan, work: () => Promise<T>): Promise<T> {
  try {
    const result = await span.enter(work);
    span.end();
    return result;
  } catch (thrown) {
    span.end(toAppError(thrown).code);
    throw thrown;
  }
}

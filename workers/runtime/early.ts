/**
 * Owns what goes ahead of the answer to a claim, so that its round trip costs no time of its own. Only what writes nothing may, and nobody
 * looks at what comes of it before the claim is granted; where it is not, it was in vain.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { Envelope } from '../../shared/contract-kit/envelope.ts';
import type { ConsentSnapshot } from '../../shared/store/ports.ts';
import type { AnyProcessor, Ports } from './processor.ts';

export interface Early {
  /** The opened input; absent: it has to wait for the claim. */
  readonly input?: Promise<unknown>;
  /** For processors that ask for it. As of a moment before anything is loaded, as everything that load sees of consents. */
  readonly consents?: Promise<ConsentSnapshot>;
}

export interface EarlyOptions {
  readonly job: Job;
  readonly envelope: Envelope;
  readonly processor: AnyProcessor;
  readonly ports: Ports;
  readonly open: () => Promise<unknown>;
}

/** To be called right after the claim was sent. Never throws: what fails does so where it is awaited. */
export function startEarly({ job, envelope, processor, ports, open }: EarlyOptions): Early {
  return {
    ...(processor.consents === true && { consents: unwatched(ports.store.consents.snapshot(envelope.tenant)) }),
    ...(mayOpen(job, envelope) && { input: unwatched(nextTurn().then(open)) }), // by then the claim is on its way
  };
}

/**
 * Not what lies in the store: it is bound to a claimed run. And on a first delivery alone: what may have killed a process before
 * is not touched until its claims have been counted.
 */
function mayOpen(job: Job, envelope: Envelope): boolean {
  return job.attemptsStarted === 1 && envelope.claim === undefined;
}

/** Its failure is no unhandled one while nobody waits for it. */
function unwatched<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

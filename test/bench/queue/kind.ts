/** Owns the kind of job that the benchmarks of the queue run: it does nothing, in every effect class. */
import { kindOptions, makeJob, type MadeJob } from '../../../jobs/client/make-job.ts';
import { defineJob, type EffectClass } from '../../../shared/contract-kit/define-job.ts';
import { z } from 'zod';
import { defineProcessor, type Processor } from '../../../workers/runtime/processor.ts';

/** Jobs of one call to either side. */
export const BULK = 100;

export function noop(effect: EffectClass) {
  const contract = defineJob({
    kind: `bench-${effect}`,
    version: 1,
    title: 'Does nothing.',
    input: z.strictObject({ text: z.string() }),
    output: z.object({ ok: z.boolean() }),
    personal: false,
    effect,
    purposes: [],
  });
  const processor = defineProcessor({
    contract,
    load: async ({ text: given }) => given.length,
    compute: async (length: number) => length,
    write: async (length) => ({ output: { ok: length > 0 } }),
  });
  return { contract, processor: processor as unknown as Processor };
}
export type NoopContract = ReturnType<typeof noop>['contract'];

export const text = 'x'.repeat(186); // {"text":"..."} is 200 bytes then
export const jobOptions = { ...kindOptions(noop('none').contract) };

/** A job as the client makes it. */
export function madeJob(contract: NoopContract): MadeJob {
  const one = makeJob(contract, { text }, { tenant: 'main', asOf: Date.now() });
  if (!one.fits) throw new Error('a 200 byte input must fit');
  return one.job;
}

/** Hands over so many jobs in bulks. */
export async function inBulks(jobs: number, add: (bulk: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < jobs; from += BULK) await add(Math.min(BULK, jobs - from));
}

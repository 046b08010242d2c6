/** Owns enqueueing batches of records: checked one by one here, cut into parts, behind one handle. */
import { type IngestionBatch, ingestion } from '../ingestion/contract.ts';
import { BatchHandle } from './batch-handle.ts';
import { checkBatch, cutParts, openBatch } from './batch-parts.ts';
import {
  boundMany,
  type ClientCore,
  type EnqueueManyOptions,
  type EnqueueOptions,
  KindClient,
  keyAt,
  placeOf,
  refuseReusedKeys,
  submit,
} from './job-client.ts';
import type { JobHandle } from './job-handle.ts';
import { type MadeJob, makeSerialisedJob } from './make-job.ts';
import { jobIdOf, runKeyOf } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';

/** Freezes everything recorded so far into a data set version. */
export interface CompactInput {
  readonly compact: { readonly asOf?: number };
}

export class IngestionClient {
  readonly kind = 'ingestion';
  readonly #core: ClientCore;
  readonly #plain: KindClient<'ingestion'>;

  constructor(core: ClientCore) {
    this.#core = core;
    this.#plain = new KindClient(core, 'ingestion');
  }

  /** Bad records do not refuse the batch: they are in `rejected` of the handle and of `done()`. */
  enqueue(batch: IngestionBatch, options?: EnqueueOptions): Promise<BatchHandle>;
  enqueue(input: CompactInput, options?: EnqueueOptions): Promise<JobHandle<'ingestion'>>;
  async enqueue(
    input: IngestionBatch | CompactInput,
    options: EnqueueOptions = {},
  ): Promise<BatchHandle | JobHandle<'ingestion'>> {
    if (isCompact(input)) return this.#plain.enqueue(input, options);
    return this.#enqueueBatch(input, options);
  }

  /** Several batches, one after the other; a handle for each. */
  async enqueueMany(
    batches: readonly IngestionBatch[],
    options: EnqueueManyOptions<IngestionBatch> = {},
  ): Promise<BatchHandle[]> {
    boundMany(batches.length);
    const { key, ...rest } = options;
    for (const batch of batches) openBatch(batch);
    const handles: BatchHandle[] = [];
    for (const [index, batch] of batches.entries())
      handles.push(
        await this.#enqueueBatch(batch, key === undefined ? rest : { ...rest, key: keyAt(key, batch, index) }),
      );
    return handles;
  }

  /** The job (one part of a batch) of that id. */
  get(id: string): Promise<JobHandle<'ingestion'> | undefined> {
    return this.#plain.get(id);
  }

  async #enqueueBatch(input: IngestionBatch, options: EnqueueOptions): Promise<BatchHandle> {
    const core = this.#core;
    const { key, signal } = options;
    const batch = openBatch(input);
    const checked = checkBatch(batch, core.nowMs());
    const place = { ...placeOf(core, options, undefined), source: batch.source };
    const parts = cutParts(batch, checked, (text, part) =>
      makeSerialisedJob(ingestion, text, key === undefined ? place : { ...place, key: partKey(key, part) }),
    );
    const made = parts.map((part) => part.made);
    if (key !== undefined)
      await this.#refuseOtherBatch(
        key,
        parts.length,
        made.flatMap((one) => (one.fits ? one.job : [])),
      );
    const handles = await submit(core, 'ingestion', made, key !== undefined, signal);
    return new BatchHandle(
      handles,
      parts.map((part) => part.records),
      checked.rejected,
    );
  }

  /** Looks before anything is added, lest a reused key add the parts in which the batches differ. */
  async #refuseOtherBatch(key: string, parts: number, jobs: readonly MadeJob[]): Promise<void> {
    const { transport, tenant } = this.#core;
    if (parts > 1) await refuseReusedKeys(transport, 'ingestion', jobs);
    const id = jobIdOf(runKeyOf(tenant, 'ingestion', partKey(key, parts)));
    const [beyond] = await transport.storedHashes('ingestion', [id]);
    if (beyond === undefined) return;
    throw new AppError('KEY_REUSED', {
      message: 'The key was used before for a batch with more parts.',
      details: { kind: 'ingestion', id },
    });
  }
}

const isCompact = (input: IngestionBatch | CompactInput): input is CompactInput =>
  typeof input === 'object' && input !== null && 'compact' in input;

const partKey = (key: string, part: number): string => `${key}.${part}`;

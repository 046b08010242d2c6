/**
 * Owns what the dashboard says about a release: every part with the run that made it, its output read back through the
 * kind's own contract. A part that cannot be read is reported as such and never hides the others.
 */
import type { z } from 'zod';
import { biasAudit } from '../../jobs/bias-audit/contract.ts';
import { candidateGeneration } from '../../jobs/candidate-generation/contract.ts';
import { embeddingTraining } from '../../jobs/embedding-training/contract.ts';
import { ingestion } from '../../jobs/ingestion/contract.ts';
import { segmentation } from '../../jobs/segmentation/contract.ts';
import type { Contract, ContractOutput } from '../../shared/contract-kit/define-job.ts';
import { outputIfReadable } from '../../shared/contract-kit/versions.ts';
import { toAppError } from '../../shared/errors.ts';
import type { DatasetVersion, Pointer, Release, RunDocument, Store } from '../../shared/store/ports.ts';
import type { Failure } from '../words.ts';

/** One part of a release: its version, the run that made it, and that run's output by contract. */
export interface Part<O> {
  readonly version: DatasetVersion;
  readonly run: RunDocument | undefined;
  readonly output: O | undefined;
}
export type PartOr<O> = Part<O> | { readonly failure: Failure } | undefined;

export interface Published {
  readonly release: Release;
  /** The pointer's state, when this release is the live one. */
  readonly pointer: Pointer | undefined;
  readonly dataset: PartOr<z.output<typeof ingestion.output>>;
  readonly embeddings: PartOr<z.output<typeof embeddingTraining.output>>;
  readonly segments: PartOr<z.output<typeof segmentation.output>>;
  readonly candidates: PartOr<z.output<typeof candidateGeneration.output>>;
  readonly audit: PartOr<z.output<typeof biasAudit.output>>;
  /** People, items and events were made up by the simulated platform. */
  readonly simulated: boolean;
}

async function readPart<C extends Contract>(
  store: Store,
  tenant: string,
  id: string | undefined,
  contract: C,
): Promise<PartOr<ContractOutput<C>>> {
  if (id === undefined) return undefined;
  try {
    const version = await store.versions.read(tenant, id);
    const run = await store.ledger.read(version.runKey);
    return { version, run, output: outputIfReadable(contract, run) };
  } catch (thrown) {
    const { code, message } = toAppError(thrown);
    return { failure: { code, message } };
  }
}

export const isPart = <O>(part: PartOr<O>): part is Part<O> => part !== undefined && 'version' in part;

/** Items looked at to tell whether the catalogue is made up; the simulated platform marks each of its items. */
const ITEMS_LOOKED_AT = 20;

async function isSimulated(store: Store, tenant: string): Promise<boolean> {
  let seen = 0;
  for await (const { attributes } of store.items.all(tenant)) {
    if (attributes?.simulated === true) return true;
    if (++seen === ITEMS_LOOKED_AT) break;
  }
  return false;
}

export async function readPublished(store: Store, release: Release, pointer: Pointer | undefined): Promise<Published> {
  const { tenant } = release;
  const [dataset, embeddings, segments, candidates, audit, simulated] = await Promise.all([
    readPart(store, tenant, release.dataset, ingestion),
    readPart(store, tenant, release.embeddings, embeddingTraining),
    readPart(store, tenant, release.segments, segmentation),
    readPart(store, tenant, release.candidates, candidateGeneration),
    readPart(store, tenant, release.audit, biasAudit),
    isSimulated(store, tenant),
  ]);
  return { release, pointer, dataset, embeddings, segments, candidates, audit, simulated };
}

/** The live release, or undefined when nothing is published. */
export async function readLive(store: Store, tenant: string): Promise<Published | undefined> {
  const [release, pointer] = await Promise.all([store.releases.live(tenant), store.releases.pointer(tenant)]);
  return release === undefined ? undefined : readPublished(store, release, pointer);
}

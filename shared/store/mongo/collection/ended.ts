/**
 * Owns the end of what has ended: runs of the ledger, pipeline runs, records of what was shown, quarantined batches, windows of people
 * that were near a limit, what is noted of batches.
 * In chunks, oldest ids first.
 */
import type { Collected, LiveJobs } from '../../ports.ts';
import { batchIdOf } from '../lineage.ts';
import { COLLECTIONS } from '../names.ts';
import type { Pass } from './pass.ts';

interface EndedRun {
  readonly _id: string;
  readonly kind: string;
  readonly tenant: string;
  readonly state: string;
  readonly jobId?: string;
  readonly step?: { readonly run: string };
}

const CHUNK_DOCS = 500;
const SEEN = [
  ['runs', COLLECTIONS.runs],
  ['pipelineRuns', COLLECTIONS.pipelineRuns],
  ['exposures', COLLECTIONS.exposures],
  ['quarantine', COLLECTIONS.quarantine],
  ['personWindows', COLLECTIONS.personWindows],
  ['lineage', COLLECTIONS.lineage],
  ['lineageEvents', COLLECTIONS.lineageEvents],
] as const;

export async function collectEnded(pass: Pass, jobs: LiveJobs): Promise<void> {
  for (const [what, name] of SEEN) pass.count(what, 'seen', await pass.db.collection(name).countDocuments({}));
  const cutoff = pass.now - pass.rules.keepRunsMs;
  const oldest = await oldestUnfollowed(pass);
  const ended = { $lt: Math.min(cutoff, oldest.endedAt) };
  // Steps of a running pipeline are read, and enqueued again where the ledger knows nothing of them.
  const pipelines = pass.db.collection(COLLECTIONS.pipelineRuns);
  const running = new Set(
    (await pipelines.find({ state: 'running' }, { projection: { _id: 1 } }).toArray()).map(({ _id }) => String(_id)),
  );
  const over = { state: { $ne: 'running' }, followed: true, endedAt: ended };
  await remove(pass, COLLECTIONS.runs, 'runs', over, async (documents) => {
    const runs = (documents as readonly EndedRun[]).filter(({ step }) => step === undefined || !running.has(step.run));
    // A job that has not ended would run again, were its run forgotten.
    const needed = await jobs.unfinished(runs.map(({ _id: runKey, ...rest }) => ({ runKey, ...rest })));
    const free = runs.filter(({ _id }) => !needed.has(_id));
    await forgetBatches(pass, free);
    return free.map(({ _id }) => _id);
  });
  await remove(pass, COLLECTIONS.pipelineRuns, 'pipelineRuns', { state: { $ne: 'running' }, endedAt: ended });
  // Prepared by an attempt that never committed, or sent through ingestion again long ago.
  const never = { state: 'prepared', heldAt: { $lt: Math.min(pass.before, oldest.claimedAt) } };
  const released = { state: 'released', releasedAt: { $lt: cutoff } };
  for (const filter of [never, released]) await remove(pass, COLLECTIONS.quarantine, 'quarantine', filter);
  // A window of old events is counted anew when more of them come much later.
  await remove(pass, COLLECTIONS.personWindows, 'personWindows', { at: { $lt: cutoff } });
  await remove(pass, COLLECTIONS.exposures, 'exposures', { at: { $lt: pass.now - pass.rules.keepExposuresMs } });
  const told = pass.now - pass.rules.keepLineageMs;
  await remove(pass, COLLECTIONS.lineage, 'lineage', { until: { $lt: told } });
  await remove(pass, COLLECTIONS.lineageEvents, 'lineageEvents', { recordedAt: { $lt: told } });
}

/** What runs that are about to be forgotten, and never committed, had noted of their batches: no event that is stored came with them. */
async function forgetBatches(pass: Pass, runs: readonly EndedRun[]): Promise<void> {
  const lost = runs.filter(({ state }) => state !== 'committed').map(({ _id, tenant }) => batchIdOf(tenant, _id));
  if (lost.length === 0) return;
  const batches = pass.db.collection<{ _id: string }>(COLLECTIONS.lineage);
  const filter = { _id: { $in: lost } };
  const gone = pass.dryRun ? await batches.countDocuments(filter) : (await batches.deleteMany(filter)).deletedCount;
  pass.count('lineage', 'gone', gone);
}

/**
 * Of ended runs that are not followed yet. Following a start creates its pipeline run, and following a batch holds what it prepared: what ended, or was
 * prepared, later stays.
 */
async function oldestUnfollowed({ db }: Pass): Promise<{ readonly endedAt: number; readonly claimedAt: number }> {
  const runs = db.collection<{ _id: string; endedAt: number; claimedAt: number }>(COLLECTIONS.runs);
  const filter = { state: { $ne: 'running' }, followed: false } as object;
  const oldestBy = async (field: 'endedAt' | 'claimedAt'): Promise<number> => {
    const [oldest] = await runs
      .find(filter, { projection: { [field]: 1 } })
      .sort({ [field]: 1 })
      .limit(1)
      .toArray();
    return oldest?.[field] ?? Number.POSITIVE_INFINITY;
  };
  return { endedAt: await oldestBy('endedAt'), claimedAt: await oldestBy('claimedAt') };
}

/** What matches goes, as far as `free` says so; the filter is asked again as it goes. */
async function remove(
  pass: Pass,
  name: string,
  what: Collected,
  filter: object,
  free = async (documents: readonly { _id: string }[]): Promise<string[]> => documents.map(({ _id }) => _id),
): Promise<void> {
  const collection = pass.db.collection<{ _id: string }>(name);
  const projection = { _id: 1, tenant: 1, kind: 1, state: 1, jobId: 1, step: 1 };
  const cursor = collection.find(filter, { projection, batchSize: CHUNK_DOCS }).sort({ _id: 1 });
  let chunk: { _id: string }[] = [];
  const flush = async (): Promise<boolean> => {
    if (!(await pass.mayGoOn())) return false;
    const ids = chunk.length === 0 ? [] : await free(chunk);
    pass.count(what, 'waiting', chunk.length - ids.length);
    pass.count(what, 'gone', ids.length);
    if (!pass.dryRun && ids.length > 0) await collection.deleteMany({ ...filter, _id: { $in: ids } });
    chunk = [];
    return true;
  };
  for await (const document of cursor) {
    chunk.push(document);
    if (chunk.length >= CHUNK_DOCS && !(await flush())) return;
  }
  await flush();
}

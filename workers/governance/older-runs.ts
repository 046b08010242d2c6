/**
 * Owns whom an act waits for: runs that may still hold what they read of a person before the person left, and the acts that were asked for before it.
 *
 * Acts take turns, in the order in which they were first claimed: each rewrites blocks that hold others, so two at once would write anew what the other has
 * just removed. One order for all of them: however many wait, the first waits for no act.
 */
import type { RunContext } from '../runtime/processor.ts';
import type { RunDocument } from '../../shared/store/ports.ts';

type Asking = Pick<RunContext, 'store' | 'tenant' | 'runKey'>;

const RUNS_MAX = 1_000;
const ACT = 'governance';
/** Clocks of machines differ, by this at most: a run that says it was claimed so long after a moment may have been claimed before it. */
const CLOCKS_DIFFER_MS = 5_000;

/** Of the tenant: at work, or ended without being followed. A run goes from the one to the other: asked in this order, it is in one of both. */
async function unfinished({ store, tenant, runKey }: Asking, claimedBefore: number): Promise<RunDocument[]> {
  const running = await store.ledger.running(claimedBefore, RUNS_MAX);
  // Whatever its own clock says of when it ended.
  const unfollowed = await store.ledger.unfollowed(-CLOCKS_DIFFER_MS, RUNS_MAX);
  return [...running, ...unfollowed].filter((run) => run.tenant === tenant && run.runKey !== runKey);
}

/** Runs that an error names. */
const NAMED_MAX = 10;

export const keysOf = (runs: readonly RunDocument[]): string[] => runs.slice(0, NAMED_MAX).map(({ runKey }) => runKey);

/** The tenant's runs that were claimed before `at` and have not ended, or not been followed. Acts are none of them. */
export async function olderRuns(asking: Asking, at: number): Promise<RunDocument[]> {
  const until = at + CLOCKS_DIFFER_MS;
  const runs = await unfinished(asking, until + 1);
  return runs.filter(({ kind, claimedAt }) => kind !== ACT && claimedAt <= until);
}

/** The tenant's other acts that are not carried out. */
export async function unfinishedActs(asking: Asking): Promise<RunDocument[]> {
  const runs = await unfinished(asking, Number.MAX_SAFE_INTEGER);
  return runs.filter(({ kind, state }) => kind === ACT && (state === 'running' || state === 'committed'));
}

/** Acts whose turn is before that of the one which asks. */
export async function actsBefore(asking: Asking, createdAt: number): Promise<RunDocument[]> {
  const acts = await unfinishedActs(asking);
  return acts.filter((act) => (act.createdAt === createdAt ? act.runKey < asking.runKey : act.createdAt < createdAt));
}

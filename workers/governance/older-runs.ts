/** Owns which runs may still hold what they read of a person before the person left: those that began before, and are at work or wait to be followed. */
import type { RunContext } from '../runtime/processor.ts';

type Asking = Pick<RunContext, 'store' | 'tenant' | 'runKey'>;

const RUNS_MAX = 1_000;

/** Run keys, of the tenant's runs that were claimed, or have ended without being followed, since before `at`. */
export async function olderRuns({ store, tenant, runKey }: Asking, at: number): Promise<string[]> {
  const [running, unfollowed] = await Promise.all([
    store.ledger.running(at + 1, RUNS_MAX),
    store.ledger.unfollowed(0, RUNS_MAX),
  ]);
  return [...running, ...unfollowed]
    .filter((run) => run.tenant === tenant && run.runKey !== runKey && run.claimedAt <= at)
    .map((run) => run.runKey);
}

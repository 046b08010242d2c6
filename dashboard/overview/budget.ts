/** Owns what the overview tells of the privacy budget: what of the period is spent, and on which releases. */
import { type BudgetFacts, budgetFacts } from '../../shared/governance/differential-privacy/budget-facts.ts';
import { PICO } from '../../shared/governance/differential-privacy/accountant.ts';
import type { Store } from '../../shared/store/ports.ts';

const RELEASES_SHOWN = 5;

export interface BudgetSection {
  readonly facts: BudgetFacts;
  /** Newest first. */
  readonly releases: readonly { readonly release: string; readonly at: number; readonly rho: number }[];
}

/** Undefined: no budget was ever set, so nothing is told with noise. */
export async function readBudget(store: Store, tenant: string, now: number): Promise<BudgetSection | undefined> {
  const state = await store.budgets.state(tenant, now);
  if (state === undefined) return undefined;
  const entries = await store.budgets.history(tenant, RELEASES_SHOWN);
  const releases = entries.flatMap(({ release, at, pico = 0 }) =>
    release === undefined ? [] : [{ release, at, rho: pico / PICO }],
  );
  return { facts: budgetFacts(state), releases };
}

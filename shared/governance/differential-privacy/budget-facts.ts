/** Owns a privacy budget as people know it: what all releases of the period together come to. */
import type { BudgetState } from '../../store/ports.ts';
import { DELTA_TOLD, epsilonOf, PICO } from './accountant.ts';

export interface BudgetFacts {
  readonly rho: { readonly total: number; readonly spent: number; readonly left: number };
  /** At this delta. */
  readonly epsilon: { readonly total: number; readonly spent: number };
  readonly delta: number;
  readonly periodDays: number;
  readonly periodEndsAt: number;
}

const DAY_MS = 24 * 3600_000;

export function budgetFacts(state: BudgetState): BudgetFacts {
  const { totalPico, spentPico, periodMs, periodEndsAt, delta = DELTA_TOLD } = state;
  const [total, spent] = [totalPico / PICO, spentPico / PICO];
  return {
    rho: { total, spent, left: Math.max(0, totalPico - spentPico) / PICO },
    epsilon: { total: epsilonOf(total, delta), spent: epsilonOf(spent, delta) },
    delta,
    periodDays: periodMs / DAY_MS,
    periodEndsAt,
  };
}

/** Owns what is audited: each statistic under each noise, at each epsilon. */
import { epsilonOf } from '../../../shared/governance/differential-privacy/accountant.ts';
import type { Protection } from '../../../shared/governance/differential-privacy/mechanism.ts';
import type { Audited } from './worlds.ts';

export interface AuditCase {
  readonly name: string;
  readonly epsilon: number;
  readonly delta: number;
  readonly audited: Omit<Audited, 'drawn'>;
}

/** Noise of half the width. */
export const HALF = (protection: Protection): Protection =>
  protection.mechanism === 'laplace'
    ? { mechanism: 'laplace', epsilon: 2 * protection.epsilon }
    : { mechanism: 'gaussian', rho: 4 * protection.rho };

const EPSILONS = [0.5, 1, 2];

export const CASES: readonly AuditCase[] = EPSILONS.flatMap((epsilon) => {
  const promised: Protection = { mechanism: 'laplace', epsilon };
  const pure = { epsilon, delta: 0 };
  return [
    { name: 'a count of events', ...pure, audited: { statistic: 'events' as const, cohortMin: 0, promised } },
    { name: 'a sum of values', ...pure, audited: { statistic: 'sum' as const, cohortMin: 0, promised } },
    // About as many people as are there: whether it is told at all tells as well.
    { name: 'events of a cohort', ...pure, audited: { statistic: 'events' as const, cohortMin: 41, promised } },
  ];
});

/** Of Gaussian noise what is promised is approximate and not tight, so only that it is kept can be seen. */
export const GAUSSIAN: readonly AuditCase[] = [0.02, 0.1].map((rho) => {
  const delta = 1e-3;
  const promised: Protection = { mechanism: 'gaussian', rho };
  return {
    name: 'Gaussian noise',
    epsilon: epsilonOf(rho, delta),
    delta,
    audited: { statistic: 'events', cohortMin: 0, promised },
  };
});

/**
 * Owns `npm run bench -- privacy [--full]`: how fast exact noise is drawn, how near 10^6 draws are to their distribution, and the audit of private statistics
 * (100 repeats of 10^6 draws a world with --full, 3 without).
 */
import { availableParallelism } from 'node:os';
import { computePool } from '../../shared/compute/pool.ts';
import type { AuditResult } from '../../shared/governance/differential-privacy/audit.ts';
import { fitOf, gaussianChance, laplaceChance } from '../../shared/governance/differential-privacy/fit.ts';
import { RandomBits } from '../../shared/governance/differential-privacy/random-bits.ts';
import { rational } from '../../shared/governance/differential-privacy/rational.ts';
import { discreteGaussian, discreteLaplace } from '../../shared/governance/differential-privacy/samplers.ts';
import type { AuditRequest } from './privacy/audit.task.ts';
import { type AuditCase, CASES, GAUSSIAN, HALF } from './privacy/cases.ts';

const TASKS = new URL('./privacy/audit.task.ts', import.meta.url).href;
const MILLION = 1_000_000;
const REPEATS = 3;
const REPEATS_FULL = 100;

function fits(): void {
  console.log('\nNoise of scale (variance) 10, 10^6 draws from the system’s source');
  for (const [name, sampler, chance] of [
    ['discrete Laplace', discreteLaplace(rational(10n)), laplaceChance(10)],
    ['discrete Gaussian', discreteGaussian(rational(10n)), gaussianChance(10)],
  ] as const) {
    const [bits, seen, started] = [new RandomBits(), new Map<bigint, number>(), performance.now()];
    for (let n = 0; n < MILLION; n++) {
      const value = sampler(bits);
      seen.set(value, (seen.get(value) ?? 0) + 1);
    }
    const seconds = (performance.now() - started) / 1000;
    const { deviate, cells, totalVariation, totalVariationExpected } = fitOf(seen, chance, 1_000);
    console.log(
      `  ${name}: ${seconds.toFixed(2)} s; chi-square over ${cells} cells, normal deviate ${deviate.toFixed(2)}; total variation ${totalVariation.toFixed(5)} (a right sampler: ${totalVariationExpected.toFixed(5)})`,
    );
  }
}

type Pool = ReturnType<typeof computePool>;

async function repeated(pool: Pool, one: AuditCase, isHalf: boolean, repeats: number): Promise<AuditResult[]> {
  const drawn = isHalf ? HALF(one.audited.promised) : one.audited.promised;
  const { epsilon, delta } = one;
  const payload: AuditRequest = { audited: { ...one.audited, drawn }, epsilon, delta, draws: MILLION };
  const tasks = Array.from({ length: repeats }, () => ({ module: TASKS, name: 'auditOnce', payload }));
  return pool.runPhase<AuditResult>(tasks);
}

const flaggedOf = (results: readonly AuditResult[]): number => results.filter(({ isFlagged }) => isFlagged).length;

export async function main(args: readonly string[]): Promise<void> {
  fits();
  const repeats = args.includes('--full') ? REPEATS_FULL : REPEATS;
  const pool = computePool({ threads: Math.min(availableParallelism(), repeats) });
  const started = performance.now();
  console.log(`\nAudit with a maximal contributor: ${repeats} repeats, 10^6 draws a world, 99.9 % Clopper-Pearson`);
  try {
    for (const one of [...CASES, ...GAUSSIAN]) {
      const kept = await repeated(pool, one, false, repeats);
      // Of approximate privacy the promise is not tight: half the noise may keep it too.
      const halved = one.delta === 0 ? await repeated(pool, one, true, repeats) : undefined;
      const largest = Math.max(...kept.map(({ epsilonLeast }) => epsilonLeast));
      console.log(
        `  ${one.name}, epsilon ${one.epsilon.toFixed(2)}${one.delta === 0 ? '' : `, delta ${one.delta}`}: flagged ${flaggedOf(kept)} of ${repeats} (largest epsilon shown ${largest.toFixed(3)})${halved === undefined ? '' : `; half the noise ${flaggedOf(halved)} of ${repeats}`}`,
      );
      if (flaggedOf(kept) > 0 || (halved !== undefined && flaggedOf(halved) < 0.99 * repeats)) process.exitCode = 1;
    }
  } finally {
    await pool.close();
  }
  console.log(`  ${((performance.now() - started) / 1000).toFixed(0)} s`);
}

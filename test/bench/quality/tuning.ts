/** Owns what limits are set by: the most that any person of the tuning worlds reaches. */
import type { ComputePool } from '../../../shared/compute/task.ts';
import { detectTraces } from '../../../shared/numerics/quality/detect.ts';
import { TRACES } from '../../../shared/numerics/quality/traces.ts';
import type { World } from './world.ts';

export interface Maximum {
  readonly trace: string;
  readonly most: number;
  /** Upper quartile. */
  readonly usual: number;
  /** The least that any bot of each family reached. */
  readonly least: string;
}

/** By trace; `ring` is the third-strongest link, since a ring has three accounts. */
export async function peopleMaxima(worlds: readonly World[], ratingMax: number, pool: ComputePool): Promise<Maximum[]> {
  const figures: { readonly family: string; readonly values: readonly number[] }[] = [];
  for (const { acts, items, bot } of worlds) {
    const { traces, links } = await detectTraces({ acts, items, ratingMax }, { pool });
    for (const [account, family] of bot.entries()) {
      const own = traces.subarray(account * TRACES.length, (account + 1) * TRACES.length);
      figures.push({ family: family ?? 'people', values: [...own, links[account]![2]?.share ?? 0] });
    }
  }
  const byFamily = Map.groupBy(figures, ({ family }) => family);
  return [...TRACES, 'ring'].map((trace, n) => {
    const of = (family: string): number[] =>
      byFamily
        .get(family)!
        .map(({ values }) => values[n]!)
        .filter((v) => !Number.isNaN(v));
    const families = [...byFamily.keys()].filter((family) => family !== 'people');
    const least = families.map((family) => `${family} ${Math.min(...of(family)).toFixed(2)}`).join(', ');
    const people = of('people').sort((a, b) => a - b);
    const usual = people[Math.floor(0.75 * people.length)]!;
    return { trace, usual, most: of('people').reduce((a, b) => Math.max(a, b), 0), least };
  });
}

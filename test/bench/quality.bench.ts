/**
 * Owns the benchmark of quality: how well accounts that are not people are found on simulated platforms with families of bots that no limit
 * was set on, how many lively people are taken for bots, and how far fake signals lift what they are paid for, with the defence and without.
 *
 *   npm run bench -- quality            the figures beside their bars
 *   npm run bench -- quality --tune     the most that people of the tuning worlds reach, which the limits were set by
 */
import { computePool } from '../../shared/compute/pool.ts';
import { detect } from '../../shared/numerics/quality/detect.ts';
import { TRACE_LIMITS } from '../../shared/numerics/quality/verdict.ts';
import type { FitContext } from '../../shared/numerics/types.ts';
import type { BotFamily, SimulationOptions } from '../../shared/sources/simulated/index.ts';
import { machine } from './interleave.ts';
import { exposures, targetsOf } from './quality/exposure.ts';
import { LEFT_OUT_FAMILIES, found, type Found, TUNING_FAMILIES } from './quality/found.ts';
import { peopleMaxima } from './quality/tuning.ts';
import { type World, worldOf } from './quality/world.ts';

const RATING_MAX = 5;
const PLATFORM = { people: 2_000, videos: 5_000, days: 30, events: 400_000 } as const;
/** Limits were set on these. */
const TUNING_SEEDS = [101, 102, 103];
const SEEDS = [201, 202, 203, 204];
const PREVALENCE = 0.01;
const BARS = { precision: 0.8, recall: 0.9, heavy: 0.01, defended: 1.2, undefended: 3 };

/** A tenth of all acts are fake: by few busy accounts, by as many as people are busy, by one farm. */
const ATTACKS: readonly (SimulationOptions & { readonly title: string })[] = [
  { title: 'ring of few, busy', botFamilies: ['ring'], botShare: 0.008, botActivity: 4 },
  { title: 'ring of many, as busy as people', botFamilies: ['ring'], botShare: 0.03, botActivity: 1 },
  { title: 'rating farm (left out)', botFamilies: ['rating-farm'], botShare: 0.03, botActivity: 1 },
];
const MODELS = ['ials', 'item-knn'];
/** What an attack is for: the items that its accounts act on most. */
const TARGETS = 5;

const verdict = (good: boolean): string => (good ? 'reached' : 'NOT REACHED');
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

async function verdictsOf(world: World, context: FitContext): Promise<ReadonlySet<number>> {
  const { verdicts } = await detect({ acts: world.acts, items: world.items, ratingMax: RATING_MAX }, context);
  return new Set(verdicts.map(({ account }) => account));
}

async function detection(title: string, botFamilies: BotFamily[], context: FitContext): Promise<void> {
  const all: Found[] = [];
  for (const seed of SEEDS) {
    const world = worldOf({ ...PLATFORM, seed, botShare: PREVALENCE, botFamilies });
    all.push(found(world, await verdictsOf(world, context)));
  }
  const sum = (of: (one: Found) => number): number => all.reduce((total, one) => total + of(one), 0);
  const [bots, hit, people, wrong] = [sum((f) => f.bots), sum((f) => f.hit), sum((f) => f.people), sum((f) => f.wrong)];
  const [heavy, heavyWrong] = [sum((f) => f.heavy), sum((f) => f.heavyWrong)];
  console.log(`\n  ${title}: ${bots} bots among ${bots + people} accounts in ${SEEDS.length} worlds`);
  const precision = hit / (hit + wrong);
  console.log(
    `    found            ${percent(hit / bots)} (bar ${percent(BARS.recall)}) ${verdict(hit / bots >= BARS.recall)}`,
  );
  console.log(
    `    precision        ${percent(precision)} at ${percent(PREVALENCE)} bots (bar ${percent(BARS.precision)}) ${verdict(precision >= BARS.precision)}`,
  );
  console.log(
    `    lively people    ${percent(heavyWrong / heavy)} of ${heavy} taken for bots (bar ${percent(BARS.heavy)}) ${verdict(heavyWrong / heavy <= BARS.heavy)}`,
  );
  console.log(`    all people       ${percent(wrong / people)} of ${people} taken for bots`);
  for (const family of botFamilies) {
    const [many, caught] = [sum((f) => f.families[family]?.bots ?? 0), sum((f) => f.families[family]?.hit ?? 0)];
    console.log(`      ${family.padEnd(14)} ${caught} of ${many}`);
  }
}

async function attack({ title, ...options }: (typeof ATTACKS)[number], context: FitContext): Promise<void> {
  const world = worldOf({ ...PLATFORM, seed: SEEDS[0]!, ringSize: PLATFORM.people, ...options });
  const fake = await verdictsOf(world, context);
  const acts = (counts: (account: number) => boolean): number =>
    world.bot.reduce((n, _, a) => n + (counts(a) ? world.acts.starts[a + 1]! - world.acts.starts[a]! : 0), 0);
  const isBot = (account: number): boolean => world.bot[account] !== null;
  const [bots, caught] = [world.bot.filter((bot) => bot !== null).length, [...fake].filter(isBot).length];
  const share = acts(isBot) / acts(() => true);
  console.log(`\n  attack, ${title}: ${percent(share)} of all acts by ${bots} accounts, ${caught} of them found`);
  const targets = targetsOf(world, TARGETS);
  for (const model of MODELS) {
    const exposed = async (counts: (account: number) => boolean): Promise<number> => {
      const exposure = await exposures(world, model, counts, context);
      return targets.reduce((sum, item) => sum + exposure[item]!, 0);
    };
    const clean = await exposed((account) => !isBot(account));
    const undefended = (await exposed(() => true)) / clean;
    const defended = (await exposed((account) => !fake.has(account))) / clean;
    console.log(
      `    ${model.padEnd(12)} clean ${clean.toFixed(1)}, undefended x ${undefended.toFixed(2)} (an attack: >= ${BARS.undefended}), defended x ${defended.toFixed(2)} (bar ${BARS.defended}) ${verdict(defended <= BARS.defended)}`,
    );
  }
}

export async function main(args: readonly string[]): Promise<void> {
  await using pool = computePool({ threads: 2 });
  const context: FitContext = { pool, seed: 1 };
  console.log(`quality benchmark on ${machine()}`);
  if (args.includes('--tune')) {
    const worlds = TUNING_SEEDS.map((seed) =>
      worldOf({ ...PLATFORM, seed, botShare: 0.03, botFamilies: [...TUNING_FAMILIES] }),
    );
    for (const { trace, most, least, usual } of await peopleMaxima(worlds, RATING_MAX, pool))
      console.log(
        `  ${trace.padEnd(12)} people at most ${most.toFixed(3)}, upper quartile ${usual.toFixed(3)}; limit ${(TRACE_LIMITS as Record<string, number>)[trace]?.toFixed(3) ?? ''}, ${least}`,
      );
    return;
  }
  if (!args.includes('--attacks')) {
    await detection('families that limits were set on, other seeds', [...TUNING_FAMILIES], context);
    await detection('families left out', [...LEFT_OUT_FAMILIES], context);
  }
  for (const one of ATTACKS) await attack(one, context);
}

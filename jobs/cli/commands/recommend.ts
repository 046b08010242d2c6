/** Owns `millrace recommend`: what a person would be shown, with titles. Reads the release as the gateway does, without an exposure: nobody is shown anything. */
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';

export interface Recommended {
  readonly item: string;
  readonly title: string;
  readonly score: number;
}
export interface Recommendation {
  readonly user: string;
  readonly release: string;
  readonly origin: 'model' | 'popularity';
  readonly items: readonly Recommended[];
}

/** The served list of a person; newcomers, and people without consent, get the popular items. Throws NOT_PUBLISHED. */
export async function recommend(store: Store, tenant: string, user: string, k: number): Promise<Recommendation> {
  const live = await store.releases.live(tenant);
  if (live?.candidates === undefined) throw new AppError('NOT_PUBLISHED');
  const [subject] = store.people.keys(tenant, [user]);
  const own = subject === undefined ? undefined : await store.served.candidates(tenant, live.candidates, subject);
  const served = own ?? (await store.served.fallback(tenant, live.candidates));
  if (served === undefined) throw new AppError('NOT_PUBLISHED', { message: 'The live candidates hold no lists.' });
  const keys = served.items.slice(0, k);
  const found = await store.items.read(tenant, keys);
  const items = keys.map((key, i) => {
    const item = found.get(Buffer.from(key).toString('hex'));
    return { item: item?.id ?? '(removed)', title: item?.title ?? '(removed)', score: served.scores[i] ?? 0 };
  });
  return { user, release: live.version, origin: served.origin, items };
}

export function recommendationLines({ origin, items }: Recommendation): string[] {
  const head = origin === 'popularity' ? ['  (a newcomer: what is popular)'] : [];
  return [...head, ...items.map(({ title, item }, i) => `  ${String(i + 1).padStart(2)}  ${title}  (${item})`)];
}

export function registerRecommend({ program, run }: Cli): void {
  program
    .command('recommend <user>')
    .description('what this person would be shown, with titles')
    .option('-k, --k <n>', 'how many', wholeNumber(1, 500), 10)
    .action((user: string, options: { k: number }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const found = await recommend(await store(), config.tenant, user, options.k);
        output.result(found, () => [`For ${user}, from release ${found.release}:`, ...recommendationLines(found)]);
      }),
    );
}

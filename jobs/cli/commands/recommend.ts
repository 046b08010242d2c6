/** Owns `millrace recommend`: what a person would be shown, with titles. Reads the release as the gateway does, without an exposure: nobody is shown anything. */
import type { Command } from 'commander';
import { listReader, reasonOf } from '../../gateway/recommend.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';

export interface Recommended {
  readonly item: string;
  readonly title: string;
  readonly score: number;
  /** Of what the person liked, what the item resembles most. */
  readonly because?: { readonly item: string; readonly title: string };
}
export interface Recommendation {
  readonly user: string;
  readonly release: string;
  readonly origin: 'model' | 'popularity';
  readonly items: readonly Recommended[];
}

/** The served list of a person; newcomers, and people without consent, get the popular items. Throws NOT_PUBLISHED. */
export async function recommend(store: Store, tenant: string, user: string, k: number): Promise<Recommendation> {
  const { release, origin, items } = await listReader(store)(tenant, user, k);
  return {
    user,
    release: release.version,
    origin,
    items: items.map((one) =>
      Object.assign({ item: one.item.id, title: one.item.title, score: one.score }, reasonOf(one)),
    ),
  };
}

export function recommendationLines({ origin, items }: Recommendation): string[] {
  const head = origin === 'popularity' ? ['  (a newcomer: what is popular)'] : [];
  const reason = ({ because }: Recommended) => (because === undefined ? '' : `  because of ${because.title}`);
  return [
    ...head,
    ...items.map((shown, i) => `  ${String(i + 1).padStart(2)}  ${shown.title}  (${shown.item})${reason(shown)}`),
  ];
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

/** Owns `millrace features skew`: whether features are served as the live segments learned them. Aggregates only. */
import type { Command } from 'commander';
import { FIRST_VIEW } from '../../../shared/contract-kit/feature-views.ts';
import { AppError } from '../../../shared/errors.ts';
import { type FeatureSkew, findSkew } from '../../../shared/numerics/evaluation/feature-skew.ts';
import { readSkewTables, SKEW_DISTANCE_MIN } from '../../../shared/store/feature-skew.ts';
import type { Store } from '../../../shared/store/ports.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';

/** The view that segments learn from. */
const VIEW = FIRST_VIEW;

interface Found {
  readonly segments: string;
  readonly trained: string;
  readonly meaning: { readonly trained: number; readonly served: number };
  readonly features: readonly FeatureSkew[];
  readonly isSkewed: boolean;
}

/** Distributions as of now, and the values of the people of training as they are read today as of its moment. */
async function find(store: Store, tenant: string): Promise<Found> {
  const { meaning, tables, trained } = await readSkewTables(store, tenant, VIEW);
  const common = { segments: trained.segments, trained: trained.features.version, meaning };
  if (tables === undefined) return { ...common, features: [], isSkewed: true };
  const drift = findSkew(tables.trained, tables.now, { distanceMin: SKEW_DISTANCE_MIN });
  const parity = tables.replayed.rows.rows === 0 ? undefined : findSkew(tables.trained, tables.replayed);
  const features = drift.map((row, n) => {
    const { compared = 0, different = 0 } = parity?.[n] ?? {};
    return { ...row, compared, different, isSkewed: row.isSkewed || different > 0 };
  });
  return { ...common, features, isSkewed: features.some(({ isSkewed }) => isSkewed) };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function linesOf({ features, isSkewed, meaning, segments, trained }: Found): string[] {
  const head = ['', 'distance', 'p', 'missing then', 'now', 'values differ', ''];
  const rows = features.map((row) => [
    row.name,
    row.distance?.toFixed(3) ?? '-',
    row.pValue.toPrecision(2),
    percent(row.missing.trained),
    percent(row.missing.served),
    `${row.different} of ${row.compared}`,
    row.isSkewed ? 'SKEWED' : '',
  ]);
  const versions =
    meaning.trained === meaning.served
      ? []
      : [
          `They are version ${meaning.trained} of the view; version ${meaning.served} is served, which means something else.`,
        ];
  return [
    `Segments ${segments} learned from the ${VIEW} features ${trained}.`,
    ...versions,
    ...(rows.length === 0 ? [] : table([head, ...rows])),
    isSkewed ? 'Features are not served as they were learned.' : 'Features are served as they were learned.',
  ];
}

export function registerFeaturesSkew(features: Command, run: Cli['run']): void {
  features
    .command('skew')
    .description(
      'whether features are served as the live segments learned them: distributions, and values of the same people and moment',
    )
    .option('--check', 'end with an error when they are not')
    .action((options: { check?: true }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const found = await find(await store(), config.tenant);
        output.result(found, () => linesOf(found));
        if (options.check !== true || !found.isSkewed) return;
        const names = found.features.filter(({ isSkewed }) => isSkewed).map(({ name }) => name);
        throw new AppError('FEATURE_SKEW', {
          details: { segments: found.segments, features: names, meaning: found.meaning },
        });
      }),
    );
}

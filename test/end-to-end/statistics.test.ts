/** Private statistics as an operator uses them: a budget, questions to it, a worker that is killed while noise is drawn, and what is refused. */
import { expect, test } from 'vitest';
import { asUser, type User, TIMEOUT_MS } from './as-a-user.ts';

const PEOPLE = 12;
const DAY_MS = 24 * 3600_000;
const COST_RHO = 0.005;

interface Budget {
  readonly rho: { readonly total: number; readonly spent: number };
  readonly entries: readonly { readonly release?: string; readonly pico?: number }[];
}
interface Told {
  readonly groups: readonly { readonly group: string; readonly value: number; readonly people: number | null }[];
}

interface Compacted {
  readonly dataset: { readonly version: string };
}

/** Twelve people who view and like; returns the version of events. */
async function fill(user: User): Promise<string> {
  const names = Array.from({ length: PEOPLE }, (_, n) => `person-${n}`);
  const at = Date.now() - 3 * DAY_MS;
  const consents = names.map((name) => ({ user: name, purposes: ['measurement'], at: at - DAY_MS }));
  await user.json('enqueue', 'ingestion', '--input', JSON.stringify({ source: 'films', consents }), '--wait');
  const events = names.flatMap((name, n) => [
    { id: `v${n}`, type: 'view', user: name, item: 'film', value: 90, occurredAt: at + n },
    { id: `l${n}`, type: 'like', user: name, item: 'film', occurredAt: at + n },
  ]);
  const input = { source: 'films', events, allowUnknownItems: true };
  await user.json('enqueue', 'ingestion', '--input', JSON.stringify(input), '--wait');
  const { dataset } = await user.json<Compacted>('enqueue', 'ingestion', '--input', '{"compact":{}}', '--wait');
  return dataset.version;
}

test('a budget is set and spent once a release, though the worker is killed meanwhile; what it does not hold is refused', {
  timeout: TIMEOUT_MS,
}, async () => {
  await using user = await asUser();
  const worker = await user.worker();
  const dataset = await fill(user);
  const statistics = (release: string, ...more: string[]) =>
    user.millrace(
      'statistics',
      'of',
      'events',
      '--release',
      release,
      '--dataset',
      dataset,
      '--by',
      'type',
      '--json',
      ...more,
    );
  const noisy = (release: string) => statistics(release, '--epsilon', '0.1', '--cohort', '0');

  expect(await noisy('early')).toMatchObject({ code: 3, stdout: expect.stringContaining('BUDGET_NOT_SET') as string });
  await user.json('budget', 'set', '--rho', '0.02', '--days', '30');
  const input = { statistic: 'events', release: 'killed', dataset, by: 'type', cohortMin: 0 };
  const asked = JSON.stringify({ ...input, protection: { mechanism: 'laplace', epsilon: 0.1 } });
  await user.json('enqueue', 'private-statistics', '--input', asked);
  worker.child.kill('SIGKILL');
  await worker.ended;
  await user.worker();
  const first = await noisy('killed');
  expect(first.code).toBe(0);
  expect((await noisy('killed')).stdout).toBe(first.stdout);

  for (const release of ['second', 'third', 'fourth']) expect((await noisy(release)).code).toBe(0);
  expect(await noisy('fifth')).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('BUDGET_EXHAUSTED') as string,
  });
  const { rho, entries } = await user.json<Budget>('budget', 'show');
  expect(rho.spent).toBeCloseTo(4 * COST_RHO, 12);
  expect(entries.map(({ release }) => release)).toEqual(['fourth', 'third', 'second', 'killed', undefined]);

  const { groups } = JSON.parse((await statistics('exact', '--cohort', '5')).stdout) as Told;
  expect(groups.map(({ group, value, people }) => [group, value, people])).toEqual([
    ['view', PEOPLE, PEOPLE],
    ['like', PEOPLE, PEOPLE],
  ]);
  expect(await statistics('few', '--cohort', '50')).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('COHORT_TOO_SMALL') as string,
  });
  const unknown = await user.millrace('statistics', 'of', 'median', '--release', 'x', '--dataset', dataset);
  expect(unknown).toMatchObject({ code: 3, stderr: expect.stringContaining('known: events, sum, people') as string });
  await user.json('question', 'declare', 'commutes', '--choice', 'bike', 'bus', '--epsilon', '1.5');
  expect(await user.json('question', 'list')).toMatchObject({ questions: [{ question: 'commutes', epsilon: 1.5 }] });
});

/** What the overview says of the privacy budget. */
import { expect, it } from 'vitest';
import { dashboardFixture } from './dashboard-fixture.ts';

it('says what of the privacy budget is spent, and on what', async () => {
  const now = Date.UTC(2026, 10, 22, 10, 34);
  await using dashboard = await dashboardFixture({ now: () => now });
  const { budgets } = dashboard.services.store;
  const visitor = await dashboard.visitor('viewer');
  expect((await visitor.get('/')).body).not.toContain('Privacy budget');
  await budgets.setTerms('main', { totalPico: 4 * 10 ** 11, periodMs: 30 * 24 * 3600_000 }, now - 1000);
  expect((await visitor.get('/')).body).toContain('Nothing was told with noise yet.');
  await budgets.spend('main', { release: 'stars-in-may', query: 'q', pico: 10 ** 11, at: now, answer: '{}' });
  const { body } = await visitor.get('/');
  for (const part of ['Privacy budget', '25 %: rho 0.1 of 0.4', 'stars-in-may', '30 days'])
    expect(body).toContain(part);
});

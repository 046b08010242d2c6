/** The ledger of privacy budgets against a real store: one release is one draw, whoever asks at once or again, and nothing goes beyond the total. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestServices, testServices } from '../../../test/services.ts';
import type { NoisyRelease } from '../ports.ts';

const DAY_MS = 24 * 3600_000;
const AT = Date.UTC(2026, 0, 1);
let services: TestServices;
beforeAll(async () => {
  services = await testServices();
});
afterAll(() => services[Symbol.asyncDispose]());

let tenants = 0;
/** A tenant of its own with a budget of 100. */
async function tenantWith(totalPico = 100): Promise<string> {
  const tenant = `t${tenants++}`;
  await services.store.budgets.setTerms(tenant, { totalPico, periodMs: 10 * DAY_MS }, AT);
  return tenant;
}
const draw = (release: string, answer: string, more: Partial<NoisyRelease> = {}): NoisyRelease => ({
  release,
  query: `asks ${release}`,
  pico: 10,
  at: AT + 1,
  answer,
  ...more,
});

test('a release is drawn once: later draws give the recorded bytes and cost nothing', async () => {
  const { budgets } = services.store;
  const tenant = await tenantWith();
  expect(await budgets.spend(tenant, draw('a', 'first'))).toMatchObject({ answer: 'first', pico: 10 });
  expect(await budgets.spend(tenant, draw('a', 'second', { at: AT + 5 }))).toMatchObject({
    answer: 'first',
    at: AT + 1,
  });
  expect(await budgets.released(tenant, 'a')).toMatchObject({ answer: 'first' });
  expect(await budgets.state(tenant, AT + 9)).toMatchObject({ spentPico: 10, totalPico: 100 });
  await expect(budgets.spend(tenant, draw('a', 'x', { query: 'another' }))).rejects.toMatchObject({
    code: 'STATISTIC_REUSED',
  });
});

test('of many that ask for one release at once all get the same answer, and it is paid once', async () => {
  const { budgets } = services.store;
  const tenant = await tenantWith();
  const told = await Promise.all(
    Array.from({ length: 12 }, (_, n) => budgets.spend(tenant, draw('same', `draw ${n}`))),
  );
  expect(new Set(told.map(({ answer }) => answer)).size).toBe(1);
  expect((await budgets.state(tenant, AT + 2))?.spentPico).toBe(10);
});

test('of many releases at once as many are told as the budget holds, and the others are refused with what is left', async () => {
  const { budgets } = services.store;
  const tenant = await tenantWith(45);
  const asked = Array.from({ length: 8 }, (_, n) => budgets.spend(tenant, draw(`r${n}`, `answer ${n}`)));
  const ends = await Promise.allSettled(asked);
  const refused = ends.filter((end) => end.status === 'rejected').map(({ reason }) => reason as unknown);
  expect(refused).toHaveLength(4);
  for (const reason of refused)
    expect(reason).toMatchObject({ code: 'BUDGET_EXHAUSTED', details: { costPico: 10, leftPico: 5 } });
  expect((await budgets.state(tenant, AT + 2))?.spentPico).toBe(40);
  const history = await budgets.history(tenant, 100);
  expect(history.map(({ seq }) => seq)).toEqual([5, 4, 3, 2, 1]);
  expect(history.map(({ spentPico }) => spentPico)).toEqual([40, 30, 20, 10, 0]);
  expect(JSON.stringify(history)).not.toContain('answer');
});

test('nothing is told without a budget', async () => {
  const { budgets } = services.store;
  expect(await budgets.state('nobody', AT)).toBeUndefined();
  await expect(budgets.spend('nobody', draw('a', 'x'))).rejects.toMatchObject({ code: 'BUDGET_NOT_SET' });
  expect(await budgets.released('nobody', 'a')).toBeUndefined();
});

test('a new period has the whole budget; what was told before is still told as it was', async () => {
  const { budgets } = services.store;
  const tenant = await tenantWith(10);
  await budgets.spend(tenant, draw('a', 'first'));
  await expect(budgets.spend(tenant, draw('b', 'x'))).rejects.toMatchObject({ code: 'BUDGET_EXHAUSTED' });
  const later = AT + 35 * DAY_MS;
  expect(await budgets.state(tenant, later)).toMatchObject({ spentPico: 0, periodEndsAt: AT + 40 * DAY_MS });
  expect((await budgets.spend(tenant, draw('b', 'second', { at: later }))).answer).toBe('second');
  expect((await budgets.spend(tenant, draw('a', 'new', { at: later }))).answer).toBe('first');
  expect((await budgets.state(tenant, later))?.spentPico).toBe(10);
});

test('other terms give nothing back: what was spent stays so, and the period ends when it would have', async () => {
  const { budgets } = services.store;
  const tenant = await tenantWith();
  await budgets.spend(tenant, draw('a', 'first', { pico: 60 }));
  const set = { totalPico: 70, periodMs: DAY_MS, epsilon: 1, delta: 1e-6 };
  expect(await budgets.setTerms(tenant, set, AT + 2)).toMatchObject({
    ...set,
    spentPico: 60,
    periodEndsAt: AT + 10 * DAY_MS,
  });
  await expect(budgets.spend(tenant, draw('b', 'x', { pico: 20 }))).rejects.toMatchObject({ code: 'BUDGET_EXHAUSTED' });
  expect(await budgets.state(tenant, AT + 10 * DAY_MS)).toMatchObject({ spentPico: 0, periodEndsAt: AT + 11 * DAY_MS });
});

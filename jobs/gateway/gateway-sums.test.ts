/** Secure sums and the privacy budget by their routes: two gateways as two parties, a client that splits, whoever coordinates. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { combineSums, splitForSum } from '../client/index.ts';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

const SCHEME = { parties: 2, threshold: 2 };
let parties: GatewayFixture[];
let [givers, runners]: [string[], string[]] = [[], []];
beforeAll(async () => {
  parties = await Promise.all([gatewayFixture(), gatewayFixture()]);
  givers = await Promise.all(parties.map((party) => party.key(['sums:give'])));
  runners = await Promise.all(parties.map((party) => party.key(['sums:run'])));
});
afterAll(async () => {
  for (const party of parties) await party[Symbol.asyncDispose]();
});

const ask = async (n: number, method: 'PUT' | 'POST' | 'GET', path: string, key: string, payload?: object) => {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await parties[n]!.app.inject({
    method,
    url: `/v1/sums/${path}`,
    headers,
    ...(payload && { payload }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json<Record<string, unknown>>() };
};

it('adds values up between two gateways, neither of which could tell one', async () => {
  const terms = { series: 'minutes', ...SCHEME, most: 100, cohortMin: 3 };
  for (const n of [0, 1])
    expect(await ask(n, 'PUT', 'may', runners[n]!, { ...terms, party: n + 1 })).toMatchObject({ status: 200 });
  for (const [contributor, value] of Object.entries({ ann: 40, bob: 2, cleo: 100 })) {
    const shares = splitForSum(value, 100, SCHEME);
    for (const n of [0, 1]) {
      const given = { contributor, share: String(shares[n]) };
      expect((await ask(n, 'POST', 'may/shares', givers[n]!, given)).status).toBe(204);
    }
  }
  const lists = await Promise.all([0, 1].map((n) => ask(n, 'GET', 'may/contributors', runners[n]!)));
  expect(lists[0]!.body).toEqual(lists[1]!.body);
  const sums = await Promise.all([0, 1].map((n) => ask(n, 'POST', 'may/sum', runners[n]!, lists[0]!.body)));
  const told = sums.map(({ body }) => ({ party: Number(body.party), sum: BigInt(String(body.sum)) }));
  expect(combineSums(told, SCHEME)).toBe(142n);
});

it('lets who gives do nothing else, and refuses by code', async () => {
  expect((await ask(0, 'GET', 'may/contributors', givers[0]!)).body.code).toBe('AUTH_SCOPE_MISSING');
  expect((await ask(0, 'POST', 'june/shares', givers[0]!, { contributor: 'a', share: '1' })).body.code).toBe(
    'SUM_ROUND_UNKNOWN',
  );
  expect((await ask(0, 'POST', 'june/shares', givers[0]!, { contributor: 'a', share: '-1' })).body.code).toBe(
    'INPUT_INVALID',
  );
});

it('tells what of the privacy budget is spent', async () => {
  const [party] = parties;
  const key = await party!.key(['jobs:read']);
  const get = async () => {
    const headers = { authorization: `Bearer ${key}` };
    return (await party!.app.inject({ url: '/v1/privacy-budget', headers })).json<Record<string, unknown>>();
  };
  expect((await get()).code).toBe('BUDGET_NOT_SET');
  const { budgets } = party!.services.store;
  await budgets.setTerms('main', { totalPico: 5 * 10 ** 11, periodMs: 24 * 3600_000 }, Date.now());
  await budgets.spend('main', { release: 'r', query: 'q', pico: 10 ** 11, at: Date.now(), answer: '{}' });
  expect(await get()).toMatchObject({ rho: { total: 0.5, spent: 0.1, left: 0.4 }, periodDays: 1, delta: 1e-6 });
});

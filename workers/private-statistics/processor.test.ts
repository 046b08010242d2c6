/** Private statistics against a real store: what is told and what it costs, that a draw survives every crash, and what is refused. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InputOf } from '../../jobs/registry.ts';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { AppError } from '../../shared/errors.ts';
import type { Budgets } from '../../shared/store/ports.ts';
import { withdraw } from '../conformance/consents.ts';
import { SOURCE } from '../conformance/platform.ts';
import { NOW, openWorld, type RunOptions, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from '../ingestion/processor.ts';
import type { Ports } from '../runtime/processor.ts';
import privateStatistics from './processor.ts';

const DAY = 24 * 3600_000;
const BUDGET_PICO = 10 ** 13;
let world: World;
let [crowds, releases] = [0, 0];
beforeAll(async () => {
  world = await openWorld();
  const items = ['sport', 'music'].map((topic) => ({ id: topic, title: topic, topics: [topic] }));
  await runOnce(world.ports, ingestion, { source: SOURCE, items });
  await world.store.budgets.setTerms(TENANT, { totalPico: BUDGET_PICO, periodMs: 30 * DAY }, NOW - DAY);
});
afterAll(() => world[Symbol.asyncDispose]());

interface Crowd {
  readonly users: readonly string[];
  /** What is asked about them alone. */
  readonly about: { readonly dataset: string; readonly from: number; readonly until: number };
}

/**
 * People of their own, on a day of their own: everybody views a film of sport and rates it, every third views one about music too. The last allows
 * everything but to be measured.
 */
async function crowd(people = 30): Promise<Crowd> {
  const { ports } = world;
  const source = SOURCE;
  const from = NOW - (++crowds + 5) * DAY;
  const users = Array.from({ length: people }, (_, n) => `crowd-${crowds}-${n}`);
  const consents = users.map((user, n) => ({
    user,
    source,
    at: NOW - 100 * DAY,
    purposes: n === people - 1 ? PURPOSES.filter((purpose) => purpose !== 'measurement') : [...PURPOSES],
  }));
  await runOnce(ports, ingestion, { source, consents });
  const places = users.map((id, n) => ({ id, attributes: { place: n % 2 === 0 ? '51.4,-0.2' : '40.1,2' } }));
  await runOnce(ports, ingestion, { source, people: places });
  const at = (n: number, second: number) => ({ user: users[n]!, occurredAt: from + second, recordedAt: from + second });
  const events = users.flatMap((_, n) => [
    { type: 'view' as const, item: 'sport', value: 50, ...at(n, 1) },
    { type: 'rating' as const, item: 'sport', value: n % 5, ...at(n, 2) },
    ...(n % 3 === 0 ? [{ type: 'view' as const, item: 'music', value: 80, ...at(n, 3) }] : []),
  ]);
  await runOnce(ports, ingestion, { source, events });
  const { output } = await runOnce(ports, ingestion, { compact: { asOf: NOW } });
  return { users, about: { dataset: output.dataset!.version, from, until: from + DAY } };
}

type Input = Exclude<InputOf<'private-statistics'>, { statistic: 'answers' }>;
const ask = ({ about }: Crowd, more: Partial<Input>, options: RunOptions = {}, ports: Ports = world.ports) => {
  const input = {
    statistic: 'events',
    release: `r${releases++}`,
    protection: { mechanism: 'cohort' },
    cohortMin: 3,
    ...about,
    ...more,
  };
  return runOnce(ports, privateStatistics, input as Input, options);
};
const laplace = (epsilon: number) => ({ mechanism: 'laplace' as const, epsilon });
const valuesOf = ({ groups }: { groups: { group: string; value: number }[] }): Record<string, number> =>
  Object.fromEntries(groups.map(({ group, value }) => [group, value]));
const spent = async (): Promise<number> => (await world.store.budgets.state(TENANT, NOW))!.spentPico;

test('tells exact figures of cohorts, of people who allow to be measured alone', async () => {
  const all = await crowd();
  const { output } = await ask(all, { by: 'category', groups: ['sport', 'music'] });
  expect(valuesOf(output)).toEqual({ sport: 58, music: 10 });
  expect(output.groups.map(({ people }) => people)).toEqual([29, 10]);
  expect(output).toMatchObject({ protection: 'cohort', spent: null, noise: null, suppressed: [] });
  const sums = await ask(all, { statistic: 'sum', by: 'category', types: ['view'], cohortMin: 2 });
  expect(valuesOf(sums.output)).toEqual({ music: 800, sport: 1450 });
  expect(sums.output.suppressed).toEqual(['none']);
  const people = await ask(all, { statistic: 'people', by: 'place', cohortMin: 2 });
  expect(valuesOf(people.output)).toEqual({ '51,0': 15, '40,2': 14 });
});

test('a histogram of ratings leaves out stars of too few', async () => {
  const { output } = await ask(await crowd(), { statistic: 'events', by: 'rating', cohortMin: 6 });
  // Of four stars there are five people: one more group is left out, else whoever knows all ratings would have theirs.
  expect(valuesOf(output)).toEqual({ 1: 6, 2: 6, 3: 6 });
  expect(output.suppressed).toEqual(['0', '4', '5', '6', '7', '8', '9', '10']);
});

test('noise is drawn once: a run that is asked again, or asks under the same release, gets the same bytes for one cost', async () => {
  const all = await crowd(6);
  const before = await spent();
  const input = { release: 'once', by: 'type' as const, protection: laplace(0.5) };
  const first = (await ask(all, input)).output;
  const again = (await ask(all, input)).output;
  expect(JSON.stringify(again)).toBe(JSON.stringify(first));
  // Two draws of half the epsilon each: of the values, and of the people who decide what is told.
  expect(first.spent).toEqual({ rho: 0.0625, epsilon: 0.5 });
  expect((await spent()) - before).toBe(62_500_000_000);
  expect(first.noise).toMatchObject({ mechanism: 'laplace', sensitivity: 20 });
  await expect(ask(all, { ...input, protection: laplace(0.4) })).rejects.toMatchObject({ code: 'STATISTIC_REUSED' });
});

test('noisy figures are near the true ones, and of each one it is said how near', async () => {
  const { output } = await ask(await crowd(), {
    by: 'category',
    statistic: 'people',
    cohortMin: 5,
    contribution: { groups: 2 },
    protection: laplace(4),
  });
  const told = valuesOf(output);
  // Scale 1/2: further off than 25 once in 10^21.
  expect(Math.abs(told.sport! - 29)).toBeLessThan(25);
  for (const { value, low, high } of output.groups) expect(low! <= value && value <= high!).toBe(true);
  expect(output.suppressed.length + output.groups.length).toBe(3);
});

/** Budgets whose every `spend` fails before, or after, it took effect. */
const failing = (when: 'before' | 'after'): Ports => {
  const { budgets } = world.store;
  const spend: Budgets['spend'] = async (tenant, draw) => {
    if (when === 'after') await budgets.spend(tenant, draw);
    throw new AppError('SERVICE_UNAVAILABLE');
  };
  const port = new Proxy(budgets, {
    get: (on, name) => (name === 'spend' ? spend : (Reflect.get(on, name) as (...args: unknown[]) => unknown).bind(on)),
  });
  const store = new Proxy(world.store, { get: (on, name) => (name === 'budgets' ? port : Reflect.get(on, name)) });
  return { ...world.ports, store };
};

test('a crash before the draw is recorded spends nothing, one after it is answered with that draw', async () => {
  const all = await crowd(6);
  const before = await spent();
  const input = {
    release: 'crashed',
    by: 'hour' as const,
    cohortMin: 0,
    protection: { mechanism: 'gaussian' as const, rho: 0.01 },
  };
  const key = 'crashed';
  await expect(ask(all, input, { key }, failing('before'))).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  expect(await spent()).toBe(before);
  await expect(ask(all, input, { key }, failing('after'))).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  const recorded = await world.store.budgets.released(TENANT, 'crashed');
  for (const verb of ['load', 'compute', 'write', 'commit', 'follow'] as const)
    await expect(
      ask(all, input, {
        key,
        before: (at, control) => (at === verb ? control.abort(new AppError('WORKER_STOPPING')) : undefined),
      }),
    ).rejects.toMatchObject({ code: 'WORKER_STOPPING' });
  expect(JSON.stringify((await ask(all, input, { key })).output)).toBe(recorded!.answer);
  expect((await spent()) - before).toBe(10_000_000_000);
});

test('who withdraws while it is made is in no draw: nothing is spent, and the next attempt is without them', async () => {
  const all = await crowd(6);
  const before = await spent();
  const input = { release: 'withdrawn', statistic: 'people' as const, protection: laplace(1) };
  const midway = async (verb: string): Promise<void> => {
    if (verb === 'write') await withdraw(world.ports, all.users[2]!, 'measurement');
  };
  await expect(ask(all, input, { key: 'withdrawn', before: midway })).rejects.toMatchObject({
    code: 'CONSENT_CHANGED',
  });
  expect(await spent()).toBe(before);
  const { output } = await ask(all, input, { key: 'withdrawn' });
  expect(output.consentEpoch).toBe(await world.store.consents.epoch(TENANT));
});

test('a figure about all but a few of the people of an earlier one is refused; with noise it is told', async () => {
  const sports = { statistic: 'people' as const, by: 'none' as const, types: ['view' as const], cohortMin: 4 };
  const all = await crowd();
  await ask(all, { ...sports, release: 'all' });
  await withdraw(world.ports, all.users[1]!, 'measurement');
  await expect(ask(all, { ...sports, release: 'but-one' })).rejects.toMatchObject({
    code: 'COHORT_OVERLAPS',
    details: { release: 'all' },
  });
  await expect(ask(all, { ...sports, release: 'noisy-but-one', protection: laplace(1) })).resolves.toBeDefined();
  // Four people more or less are as many as it takes.
  for (const user of all.users.slice(2, 6)) await withdraw(world.ports, user, 'measurement');
  await expect(ask(all, { ...sports, release: 'but-five' })).resolves.toBeDefined();
});

test('refuses by code what is too small, unknown, without a budget or beyond it, and tells nothing', async () => {
  const all = await crowd(6);
  await expect(ask(all, { cohortMin: 100 })).rejects.toMatchObject({ code: 'COHORT_TOO_SMALL' });
  await expect(ask(all, { protection: { mechanism: 'gaussian', rho: 40 } })).rejects.toMatchObject({
    code: 'BUDGET_EXHAUSTED',
  });
  await expect(ask(all, { dataset: 'none' })).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
  const unknown = { statistic: 'answers' as const, release: 'x', question: 'nobody-asked' };
  await expect(runOnce(world.ports, privateStatistics, unknown)).rejects.toMatchObject({ code: 'QUESTION_UNKNOWN' });
  expect(await world.store.budgets.released(TENANT, 'x')).toBeUndefined();
});

test('answers of devices are counted of who allows it, and chance is taken out again', async () => {
  const { answers, people } = world.store;
  const { users } = await crowd(23);
  const question = { question: 'commutes', choices: ['yes', 'no'], epsilon: 3, declaredAt: NOW };
  await answers.declare(TENANT, question);
  await answers.declare(TENANT, question);
  await expect(answers.declare(TENANT, { ...question, epsilon: 2 })).rejects.toMatchObject({
    code: 'QUESTION_CONFLICT',
  });
  const given = people.keys(TENANT, users).map((subject, n) => ({
    question: 'commutes',
    subject,
    choice: n % 2,
    source: SOURCE,
    at: NOW,
  }));
  expect(await answers.keep(TENANT, given)).toBe(23);
  // The first answer of a person stays, whatever they say later.
  expect(
    await answers.keep(
      TENANT,
      given.map((one) => ({ ...one, choice: 1 })),
    ),
  ).toBe(0);
  const input = { statistic: 'answers' as const, release: 'commutes', question: 'commutes' };
  const { output } = await runOnce(world.ports, privateStatistics, input);
  expect(output.groups.map(({ group, value }) => [group, Math.round(value * 1e6) / 1e6])).toEqual([
    ['yes', 11],
    ['no', 11],
  ]);
  for (const { value, low, high } of output.groups) expect(low! < value && value < high!).toBe(true);
  const few = { ...input, release: 'few', cohortMin: 23 };
  await expect(runOnce(world.ports, privateStatistics, few)).rejects.toMatchObject({ code: 'COHORT_TOO_SMALL' });
});

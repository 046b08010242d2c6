/** Short chaos runs of real processes: nothing is lost, doubled or stuck, and each planted bug is found. Every strike is tied to a place in a run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mongodbUrl } from '../services.ts';
import { NO_FAULTS, planFaults } from './faults.ts';
import type { Plant } from './plants.ts';
import { type ChaosOptions, runChaos } from './run.ts';
import { planJobs, type Strike } from './schedule.ts';
import { type ChaosServers, openServers } from './servers.ts';
import { verdictOf } from './verdict.ts';

let folder: string;
let servers: ChaosServers;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'));
  servers = await openServers(folder, mongodbUrl);
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const run = (name: string, over: Partial<ChaosOptions>) =>
  runChaos({
    seed: 7,
    seconds: 2,
    counts: NO_FAULTS,
    workers: 2,
    jobsPerSecond: 10,
    settleMsMax: 200_000,
    subject: 'millrace',
    servers,
    folder: join(folder, name),
    name: `chaos_${process.pid}_${name}`,
    ...over,
  });

/** These come by whatever else happens: before its commit a job that was struck down elsewhere comes to each place again. */
const CERTAIN: readonly Strike[] = [
  { kind: 'chaos-dataset', at: 'before-claim', blow: 'kill' },
  { kind: 'chaos-dataset', at: 'claimed', blow: 'kill' },
  { kind: 'chaos-dataset', at: 'loaded', blow: 'kill' },
  { kind: 'chaos-dataset', at: 'written', blow: 'kill' },
  { kind: 'chaos-dataset', at: 'before-commit', blow: 'kill' },
  { kind: 'chaos-record', at: 'before-commit', blow: 'kill' },
  { kind: 'chaos-none', at: 'loaded', blow: 'kill' },
  { kind: 'publish', at: 'before-commit', blow: 'kill' },
  { kind: 'chaos-dataset', at: 'before-commit', blow: 'freeze' },
];
const OTHERS: readonly Strike[] = [
  { kind: 'chaos-dataset', at: 'after-commit', blow: 'kill' },
  { kind: 'chaos-dataset', at: 'followed', blow: 'kill' },
  { kind: 'chaos-dataset', at: 'completed', blow: 'kill' },
  { kind: 'chaos-record', at: 'after-commit', blow: 'kill' },
  { kind: 'chaos-record', at: 'completed', blow: 'kill' },
  { kind: 'publish', at: 'after-commit', blow: 'kill' },
  { kind: 'chaos-start', at: 'after-commit', blow: 'kill' },
];

/** Where each planted bug shows, and how. */
const SHOWN: readonly { readonly plant: Plant; readonly strike: Strike; readonly shows: RegExp }[] = [
  // The process wakes when another has ended its job, and commits all the same.
  {
    plant: 'fencing-off',
    strike: { kind: 'chaos-dataset', at: 'before-commit', blow: 'freeze' },
    shows: /^doubled chaos-dataset KEY: 2 effects$/,
  },
  // It is delivered again, and nobody remembers that it was done.
  {
    plant: 'ledger-off',
    strike: { kind: 'chaos-record', at: 'after-commit', blow: 'kill' },
    shows: /^doubled chaos-record KEY#\S+: a second record$/,
  },
  // It is never delivered again, and was not committed yet.
  {
    plant: 'ack-before-commit',
    strike: { kind: 'chaos-dataset', at: 'completed', blow: 'kill' },
    shows: /^lost chaos-dataset KEY: acknowledged, but running$/,
  },
];

describe('processes are killed and frozen at named places of their jobs', { concurrent: true }, () => {
  test('while Redis restarts: nothing is lost, doubled or stuck', async () => {
    const counts = { ...NO_FAULTS, kill: 1, 'gateway-kill': 1, 'redis-restart': 1 };
    const strikes = [...CERTAIN, ...OTHERS];
    const report = await run('sound', {
      seed: 11,
      counts,
      seconds: 4,
      jobsPerSecond: 20,
      strikes,
      strikeTimes: { gatherMs: 500 },
    });
    expect({ verdict: verdictOf(11, report), ...report }).toMatchObject({
      verdict: expect.stringMatching(/^PASS seed 11: .*, 0 lost, 0 doubled, 0 stuck$/),
      violations: [],
    });
    for (const strike of CERTAIN) expect(report.strikes).toContainEqual(expect.objectContaining(strike));
    expect(report.fleet.kills).toBeGreaterThanOrEqual(3);
    expect(report.states.committed).toBeGreaterThan(30);
  }, 300_000);

  test.each(SHOWN)(
    'the checker finds the planted bug $plant',
    async ({ plant, strike, shows }) => {
      const report = await run(plant, {
        plant,
        strikes: [strike],
        hopelessMs: 1_000,
        strikeTimes: { freezeMsMax: 150_000 },
      });
      expect(verdictOf(7, report)).toMatch(/^FAIL /);
      expect(report.strikes).toEqual([expect.objectContaining(strike)]);
      const struck = report.strikes[0]!.key;
      const told = report.violations.map(({ sort, what }) => `${sort} ${what.replace(struck, 'KEY')}`);
      expect(told).toContainEqual(expect.stringMatching(shows));
    },
    300_000,
  );
});

test('the same seed gives the same jobs and the same faults', () => {
  const counts = { ...NO_FAULTS, kill: 20, freeze: 3 };
  expect(planFaults(3, 60, counts)).toEqual(planFaults(3, 60, counts));
  expect(planFaults(3, 60, counts)).not.toEqual(planFaults(4, 60, counts));
  const scale = { seconds: 10, perSecond: 20 };
  expect(planJobs(3, scale)).toEqual(planJobs(3, scale));
  expect(planJobs(3, scale)).not.toEqual(planJobs(4, scale));
  expect(planFaults(3, 60, counts).map(({ atMs }) => Math.floor(atMs / 60_000))).toEqual(
    Array.from({ length: 23 }, () => 0),
  );
});

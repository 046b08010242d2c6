/** A short chaos run of real processes: nothing is lost, doubled or stuck, and each planted bug is found. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mongodbUrl } from '../services.ts';
import { PLANTS } from './plants.ts';
import { type ChaosOptions, runChaos } from './run.ts';
import { NO_FAULTS, planFaults, planJobs } from './schedule.ts';
import { type ChaosServers, openServers } from './servers.ts';
import { countOf, verdictOf } from './verdict.ts';

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
    seconds: 6,
    counts: { ...NO_FAULTS, kill: 1 },
    workers: 2,
    jobsPerSecond: 8,
    blowEvery: 4,
    settleMsMax: 150_000,
    subject: 'millrace',
    servers,
    folder: join(folder, name),
    name: `chaos_${process.pid}_${name}`,
    ...over,
  });

// Where the blows fall depends on how busy the machine is: a short run on an idle one may meet no planted bug at all. Until
// the blows are tied to places in a run instead of to moments, these runs are asked for: MILLRACE_CHAOS=1 npm test.
const asked = process.env.MILLRACE_CHAOS === '1';

describe.skipIf(!asked)('processes are killed and frozen', { concurrent: true }, () => {
  test('while Redis restarts: nothing is lost, doubled or stuck', async () => {
    const counts = { ...NO_FAULTS, kill: 2, 'redis-restart': 1 };
    const report = await run('sound', { counts, jobsPerSecond: 15 });
    expect({ verdict: verdictOf(7, report), ...report }).toMatchObject({
      verdict: expect.stringMatching(/^PASS seed 7: .*, 0 lost, 0 doubled, 0 stuck$/),
      violations: [],
    });
    expect(report.fleet.kills).toBeGreaterThanOrEqual(3);
    expect(report.fleet.freezes).toBeGreaterThanOrEqual(1);
    expect(report.states.committed).toBeGreaterThan(30);
  }, 300_000);

  test.each(PLANTS)(
    'the checker finds the planted bug %s',
    async (plant) => {
      const report = await run(plant, { plant });
      expect(verdictOf(7, report)).toMatch(/^FAIL /);
      expect(countOf(report, plant === 'ack-before-commit' ? 'lost' : 'doubled')).toBeGreaterThan(0);
    },
    300_000,
  );
});

test('the same seed gives the same jobs and the same faults', () => {
  const counts = { ...NO_FAULTS, kill: 20, freeze: 3 };
  expect(planFaults(3, 60, counts)).toEqual(planFaults(3, 60, counts));
  expect(planFaults(3, 60, counts)).not.toEqual(planFaults(4, 60, counts));
  expect(planJobs(3, 10, 20)).toEqual(planJobs(3, 10, 20));
  expect(planFaults(3, 60, counts).map(({ atMs }) => Math.floor(atMs / 60_000))).toEqual(
    Array.from({ length: 23 }, () => 0),
  );
});

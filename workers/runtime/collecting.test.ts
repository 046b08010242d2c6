import { expect, test } from 'vitest';
import type { CollectionReport, CollectionRules, Store } from '../../shared/store/ports.ts';
import { COLLECTED } from '../../shared/store/ports.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, testServices } from '../../test/services.ts';
import { collecting } from './collecting.ts';

test('one worker collects, once an hour however many turns there are, and tells what went', async () => {
  await using services = await testServices();
  const { redis, prefix, config } = services;
  const asked: CollectionRules[] = [];
  const tallies = Object.fromEntries(COLLECTED.map((what, n) => [what, { seen: 9, waiting: 0, gone: n }]));
  const collector = {
    async collect(rules: CollectionRules) {
      asked.push(rules);
      return { tallies, whole: true } as unknown as CollectionReport;
    },
  };
  const pruned: unknown[] = [];
  const trail = {
    tenants: async () => ['main', 'other'],
    prune: async (tenant: string, beforeMs: number) => pruned.push([tenant, beforeMs < Date.now() - 1_000]),
  } as unknown as Store['trail'];
  let forgotten = 0;
  const personTokens = { forget: async () => forgotten++ } as unknown as Store['personTokens'];
  const telemetry = new Telemetry();
  const told: unknown[] = [];
  telemetry.subscribe((name, fields) => void told.push({ name, ...fields }));
  const dutyOf = () =>
    collecting({ config, redis, store: { collector, trail, personTokens }, telemetry, log: silentLog });
  const first = dutyOf();
  expect(await first.attend()).toBe(true);
  await using second = dutyOf();
  expect(await second.attend()).toBe(false);
  await first[Symbol.asyncDispose]();
  expect(await second.attend()).toBe(true);
  expect(asked).toEqual([
    {
      windowMs: (7 * 24 + 6) * 3600_000,
      keepRunsMs: config.keepRunsMs,
      keepReleases: 10,
      keepExposuresMs: config.keepExposuresMs,
      keepLineageMs: config.keepLineageMs,
    },
  ]);
  expect(forgotten).toBe(1);
  expect(pruned).toEqual([
    ['main', true],
    ['other', true],
  ]);
  expect(told).toMatchObject([
    { name: 'collection.ended', whole: true, releases: 0, versions: 1, blocks: 2, exposures: 7, quarantine: 8 },
  ]);
  await redis.del(`${prefix}:duty:collected`);
  await second.attend();
  expect(asked).toHaveLength(2);
});

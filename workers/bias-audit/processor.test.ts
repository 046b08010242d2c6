/** The audit of a simulated platform's candidates, against a real store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditReportSchema } from '../../shared/contract-kit/audit-report.ts';
import { peopleByConsent } from '../conformance/consents.ts';
import { freeze, loadPlatform, type Platform, SOURCE } from '../conformance/platform.ts';
import { openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import candidateGeneration from '../candidate-generation/processor.ts';
import embeddingTraining from '../embedding-training/processor.ts';
import ingestion from '../ingestion/processor.ts';
import type { AuditEntry } from './findings.ts';
import biasAudit from './processor.ts';

let world: World;
let platform: Platform;
let candidates: string;
beforeAll(async () => {
  world = await openWorld();
  platform = await loadPlatform(world.ports, { people: 150, events: 9_000 });
  const { dataset } = platform;
  const trained = await runOnce(world.ports, embeddingTraining, {
    dataset,
    params: { factors: 16, epochs: 5 },
    holdout: 0.2,
  });
  const made = await runOnce(world.ports, candidateGeneration, { dataset, embeddings: trained.output.version, k: 20 });
  candidates = made.output.version;
});
afterAll(() => world[Symbol.asyncDispose]());

async function entriesOf(version: string): Promise<readonly AuditEntry[]> {
  const { meta } = await world.store.versions.read(TENANT, version);
  const report = meta['report'] as { metrics: AuditEntry[]; published: unknown; holdout?: unknown };
  auditReportSchema.parse(report.published);
  if (report.holdout !== undefined) auditReportSchema.parse(report.holdout);
  return report.metrics;
}
const find = (entries: readonly AuditEntry[], metric: string, attribute: string | null): AuditEntry =>
  entries.find((entry) => entry.metric === metric && entry.attribute === attribute)!;

describe('bias-audit', () => {
  test('measures groups and popularity over the people who allow audits, and says what each figure rests on', async () => {
    const { output } = await runOnce(world.ports, biasAudit, { dataset: platform.dataset, candidates, bootstrap: 100 });
    const allowed = (await peopleByConsent(world.store, 'audit')).allowed;
    const recommended = (await peopleByConsent(world.store, 'recommendation')).allowed;
    const both = [...allowed.keys()].filter((key) => recommended.has(key));
    expect(output.users).toBeGreaterThan(50);
    expect(output.users).toBeLessThanOrEqual(both.length);
    const entries = await entriesOf(output.version);
    // Right after training nobody has taken anything up: quality rests on the holdout.
    expect(find(entries, 'recall', null)).toMatchObject({ basis: 'holdout' });
    expect(find(entries, 'recall', null).value).toBeGreaterThan(0);
    for (const metric of ['averagePopularity', 'longTailShare', 'deltaGap', 'coverage', 'gini']) {
      expect(find(entries, metric, null)).toMatchObject({ basis: 'published' });
      expect(find(entries, metric, null).value).toBeTypeOf('number');
    }
    const gender = find(entries, 'recallDifference', 'gender');
    expect(gender.groups.map(({ group }) => group)).toEqual(expect.arrayContaining(['F', 'M']));
    expect(gender.value).toBeGreaterThanOrEqual(0);
    expect(gender.interval![0]).toBeLessThan(gender.interval![1]);
    const topics = find(entries, 'exposureRatio', 'topic');
    expect(topics.groups.length).toBeGreaterThan(2);
    expect(topics.value).toBeGreaterThanOrEqual(0);
    expect(topics.value).toBeLessThan(1);
    // What lists show has a popularity by group where nobody can be judged yet.
    expect(find(entries, 'deltaGapDifference', 'gender')).toMatchObject({
      basis: 'published',
      value: expect.any(Number),
    });
    for (const { says } of output.findings) expect(says).toMatch(/\.$/);
    expect(output.findings).toHaveLength(entries.length);
  });

  test('judges published lists by what people took up after them, once somebody did', async () => {
    const lists = await world.store.versions.arrays(TENANT, await world.store.versions.read(TENANT, candidates));
    const { allowed } = await peopleByConsent(world.store, 'audit');
    const recommended = (await peopleByConsent(world.store, 'recommendation')).allowed;
    const titles = new Map<string, string>();
    for await (const { id, key } of world.store.items.all(TENANT)) titles.set(Buffer.from(key).toString('hex'), id);
    const [subjects, keys, items] = ['subjects', 'itemKeys', 'items'].map((name) => lists.get(name)!);
    const hexAt = (from: ArrayLike<number>, n: number): string =>
      Buffer.from((from as Uint8Array).slice(n * 16, n * 16 + 16)).toString('hex');
    world.clock.advance(3_600_000);
    const occurredAt = world.clock.now() - 1000;
    // Everybody who may be audited likes the first of their list: the best that lists can do.
    const events = Array.from({ length: subjects!.length / 16 }, (_, n) => n).flatMap((n) => {
      const user = allowed.get(hexAt(subjects!, n));
      if (user === undefined || !recommended.has(hexAt(subjects!, n))) return [];
      return [{ type: 'like' as const, user, item: titles.get(hexAt(keys!, items![n * 20]!))!, occurredAt }];
    });
    await runOnce(world.ports, ingestion, { source: SOURCE, events });
    const dataset = await freeze(world.ports);
    const { output } = await runOnce(world.ports, biasAudit, { dataset, candidates, bootstrap: 100 });
    const entries = await entriesOf(output.version);
    expect(find(entries, 'recall', null)).toMatchObject({ basis: 'published', value: 1 });
    expect(find(entries, 'demographicParityRatio', 'gender')).toMatchObject({
      basis: 'published',
      value: 1,
      flagged: false,
    });
  });

  test('puts people without the attribute into a group of their own, and names no rare label', async () => {
    const input = { dataset: platform.dataset, candidates, bootstrap: 100, attributes: ['likes', 'shoe size'] };
    const { output } = await runOnce(world.ports, biasAudit, input);
    const entries = await entriesOf(output.version);
    expect(find(entries, 'recallDifference', 'shoe size').groups.map(({ group, n }) => [group, n])).toEqual([
      ['unknown', expect.any(Number)],
    ]);
    const labels = find(entries, 'recallDifference', 'likes').groups;
    expect(labels.some(({ group }) => group === 'rare labels together')).toBe(true);
    expect(find(entries, 'recallDifference', 'shoe size').value).toBeNull();
  });

  test('gives the same report twice and for any number of threads', async () => {
    const input = { dataset: platform.dataset, candidates, bootstrap: 100 };
    const first = await runOnce(world.ports, biasAudit, input);
    await using ports = await world.withThreads(1);
    const second = await runOnce(ports, biasAudit, input);
    expect(await entriesOf(second.output.version)).toEqual(await entriesOf(first.output.version));
  });

  test('refuses versions of another kind', async () => {
    const wrong = runOnce(world.ports, biasAudit, { dataset: platform.dataset, candidates: platform.dataset });
    await expect(wrong).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  });
});

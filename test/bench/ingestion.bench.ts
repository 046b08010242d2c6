/**
 * Owns the benchmark of ingestion: batches of 1,000 events from the client's enqueue to the committed run (checked, consented,
 * de-duplicated, encrypted, in their manifests), beside plain unencrypted insertMany of the same events over one connection.
 *
 *   npm run bench -- ingestion                         the rate beside insertMany
 *   npm run bench -- ingestion --memory 10000000       memory while as many events come in: bounded, or growing with them
 */
import { randomBytes } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { connect } from '../../jobs/client/index.ts';
import type { CanonicalEventInput } from '../../shared/contract-kit/event.ts';
import { startHost } from '../../workers/runtime/host.ts';
import { mongodbUrl, silentLog, testServices } from '../services.ts';
import { interleave, machine, report } from './interleave.ts';

const BATCH = 1_000;
const BATCHES = 5;
const PEOPLE = 2_000;
const ITEMS = 3_000;
const DAYS = 60;
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);
const TYPES = ['impression', 'view', 'click', 'rating', 'like'] as const;

/** Random bytes of one event: 12 of its id, 8 of what it says. */
const DRAW_BYTES = 20;

/** Every call makes events that were never seen, of known people and items, over two months. */
function freshEvents(): (CanonicalEventInput & { id: string })[] {
  const draws = randomBytes(BATCH * DRAW_BYTES);
  return Array.from({ length: BATCH }, (_, i) => {
    const type = TYPES[i % TYPES.length] ?? 'click';
    const draw = draws.subarray(i * DRAW_BYTES + 12, (i + 1) * DRAW_BYTES);
    return {
      id: draws.toString('base64url', i * DRAW_BYTES, i * DRAW_BYTES + 12),
      type,
      user: `person-${draw.readUInt16LE(0) % PEOPLE}`,
      item: `item-${draw.readUInt16LE(2) % ITEMS}`,
      ...(type === 'view' ? { value: draw[4]! % 101 } : {}),
      ...(type === 'rating' ? { value: 1 + (draw[4]! % 5) } : {}),
      ...(type === 'impression' ? { position: 1 + (draw[5]! % 20) } : {}),
      occurredAt: START_MS + (draw.readUInt16LE(6) % DAYS) * DAY_MS + i * 1000,
      session: `session-${draw[4]}`,
      device: 'phone' as const,
    };
  });
}

const MB = 2 ** 20;
/** Readings over a whole run. */
const READINGS = 20;

/** Memory while `events` events come in. Typed arrays hold the ids that duplicates are told by, which have a bound of their own, and blocks at work. */
async function memoryOver(events: number, client: ReturnType<typeof connect>): Promise<void> {
  const batches = Math.ceil(events / BATCH);
  const readings: number[] = [];
  for (let n = 1; n <= batches; n++) {
    const { accepted } = await (await client.ingestion.enqueue({ source: 'bench', events: freshEvents() })).done();
    if (accepted !== BATCH) throw new Error(`${accepted} of ${BATCH} accepted`);
    if (n % Math.ceil(batches / READINGS) !== 0) continue;
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    readings.push(rss);
    console.log(
      `  ${String(n * BATCH).padStart(9)} events: ${(rss / MB).toFixed(0)} MB resident, of it heap ${(heapUsed / MB).toFixed(0)} MB, dictionaries and other typed arrays ${(arrayBuffers / MB).toFixed(0)} MB`,
    );
  }
  const half = readings.length >> 1;
  const most = (of: readonly number[]): number => of.reduce((a, b) => Math.max(a, b), 0);
  console.log(
    `  most of the second half over most of the first: x ${(most(readings.slice(half)) / most(readings.slice(0, half))).toFixed(2)}`,
  );
}

export async function main(args: readonly string[] = []): Promise<void> {
  console.log(`ingestion benchmark on ${machine()}`);
  await using services = await testServices();
  await using host = await startHost({ config: services.config, log: silentLog, kinds: ['ingestion'] });
  const { redisUrl, prefix, sealKeys } = services.config;
  await using client = connect({ redis: redisUrl, prefix, seal: sealKeys });
  const users = Array.from({ length: PEOPLE }, (_, i) => `person-${i}`);
  const items = Array.from({ length: ITEMS }, (_, i) => ({ id: `item-${i}`, title: `Item ${i}` }));
  await (await client.ingestion.enqueue({ source: 'bench', items })).done();
  const consents = users.map((user) => ({
    user,
    purposes: ['recommendation' as const],
    source: 'bench',
    at: START_MS,
  }));
  await (await client.ingestion.enqueue({ source: 'bench', consents })).done();

  const memory = args.indexOf('--memory');
  if (memory >= 0) {
    await memoryOver(Number(args[memory + 1] ?? 1_000_000), client);
    return;
  }

  await using raw = await MongoClient.connect(mongodbUrl, { maxPoolSize: 1 });
  const plain = raw.db(services.database).collection('raw_events');
  const ours = async () => {
    const batches = Array.from({ length: BATCHES }, freshEvents);
    const started = performance.now();
    for (const events of batches) {
      const { accepted, rejected } = await (await client.ingestion.enqueue({ source: 'bench', events })).done();
      if (accepted !== BATCH)
        throw new Error(`${accepted} of ${BATCH} accepted; first refusal: ${JSON.stringify(rejected[0])}`);
    }
    return { units: BATCH * BATCHES, seconds: (performance.now() - started) / 1000 };
  };
  const peer = async () => {
    const batches = Array.from({ length: BATCHES }, freshEvents);
    const started = performance.now();
    for (const events of batches)
      await plain.insertMany(events.map(({ id, ...rest }) => Object.assign(rest, { _id: id as never })));
    return { units: BATCH * BATCHES, seconds: (performance.now() - started) / 1000 };
  };
  const comparison = await interleave({
    name: 'ingestion of 1,000-event batches, one after the other',
    unit: 'events',
    pairs: 15,
    target: 0.5,
    ours: { name: 'millrace, enqueue to commit', work: ours },
    peer: { name: 'insertMany, unencrypted', work: peer },
  });
  report(comparison);
  console.log(
    `  ${await services.store.events.count('main')} events stored; pools at work: ${host.pools.map(({ kind }) => kind).join(', ')}`,
  );
  console.log(JSON.stringify([comparison]));
}

/**
 * Owns the benchmark of the trace: from an item of a person's list back to signals, batches, terms and receipts. People have films that they rated, a refresh
 * has published; beside theirs, batches of a million other events of the source are noted. `--batches N` (1,000 events each, default 1,000).
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { listReader } from '../../jobs/gateway/recommend.ts';
import { traceCandidate } from '../../jobs/cli/tracing.ts';
import { asUser } from '../end-to-end/as-a-user.ts';
import { writeFilms } from '../end-to-end/films.ts';
import { machine } from './interleave.ts';

const TENANT = 'main';
const SOURCE = 'movielens';
const P95_MS_MAX = 200;
const BATCH_EVENTS = 1_000;
const TRACES = 400;
const PEOPLE = 400;

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { batches: { type: 'string', default: '1000' } } });
  const batches = Number(values.batches);
  if (!Number.isSafeInteger(batches) || batches < 0) throw new Error('USAGE: --batches takes a whole number');
  console.log(machine());
  await using user = await asUser();
  const { store } = user.services;
  const { dir } = await writeFilms(user.folder, { people: PEOPLE, films: 300, perPerson: 40 });
  await user.worker();
  await user.json('import', 'movielens', dir);
  await user.json('run', 'refresh', '--wait');
  const now = Date.now();
  for (let n = 0; n < batches; n++) {
    // Before and after those of the films, a minute each.
    const at = now + (n - batches / 2) * 60_000;
    const about = { run: `${TENANT}.ingestion.${randomBytes(32).toString('hex')}`, source: SOURCE, licence: 'l' };
    const rest = { receivedAt: at, consentEpoch: 1, events: BATCH_EVENTS, recordedAt: [at, at + 59_000] as const };
    await store.lineage.record(TENANT, { ...about, ...rest }, randomBytes(BATCH_EVENTS * 16));
  }
  const read = listReader(store);
  const took: number[] = [];
  let [signals, unknown] = [0, 0];
  for (let n = 0; n < TRACES; n++) {
    const person = String(1 + (n % PEOPLE));
    const { items } = await read(TENANT, person, 10);
    const started = performance.now();
    const traced = await traceCandidate(store, TENANT, person, items[n % items.length]!.item.id, 5);
    took.push(performance.now() - started);
    signals += traced.signals.length;
    unknown += traced.signals.filter((one) => one.batches.length === 0 || one.consents.length === 0).length;
  }
  took.sort((a, b) => a - b);
  const [p50, p95, max] = [quantile(took, 0.5), quantile(took, 0.95), took.at(-1)!];
  console.log(
    `${TRACES} traces, ${signals} signals, ${unknown} without batch or consent: p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, max ${max.toFixed(1)} ms`,
  );
  const isHeld = p95 < P95_MS_MAX && unknown === 0 && signals > 0;
  console.log(`${isHeld ? 'HELD' : 'BROKEN'}: p95 ${p95.toFixed(1)} ms of at most ${P95_MS_MAX}`);
  if (!isHeld) process.exitCode = 1;
}

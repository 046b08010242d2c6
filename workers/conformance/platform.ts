/** Owns the small simulated platform that tests of processors run on, brought in through ingestion itself. */
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import type { Store } from '../../shared/store/ports.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog } from '../../test/services.ts';
import { type SimulationOptions, simulate } from '../../shared/sources/simulated/index.ts';
import type { CanonicalEvent } from '../../shared/contract-kit/event.ts';
import ingestion from '../ingestion/processor.ts';
import type { Ports } from '../runtime/processor.ts';
import { runOnce } from './world.ts';

export const SOURCE = 'simulated';
const BATCH = 2_000;
const SMALL: SimulationOptions = { people: 80, videos: 120, days: 10, events: 6_000, seed: 11 };

function* inBatches<T>(records: Iterable<T>): Generator<T[]> {
  let batch: T[] = [];
  for (const record of records) {
    batch.push(record);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

export interface Platform {
  /** Data set version that holds all of it. */
  readonly dataset: string;
  readonly events: readonly CanonicalEvent[];
}

/** Brings a simulated platform into the store and freezes it. `without`: a person whose events are left out. */
export async function loadPlatform(ports: Ports, options: SimulationOptions = {}, without?: string): Promise<Platform> {
  const simulation = simulate({ ...SMALL, ...options });
  const events = [...simulation.events()].filter(({ user }) => user !== without);
  const source = SOURCE;
  for (const items of inBatches(simulation.items())) await runOnce(ports, ingestion, { source, items });
  for (const people of inBatches(simulation.people())) await runOnce(ports, ingestion, { source, people });
  for (const consents of inBatches(simulation.consents())) await runOnce(ports, ingestion, { source, consents });
  for (const batch of inBatches(events)) await runOnce(ports, ingestion, { source, events: batch });
  return { dataset: await freeze(ports), events };
}

/** As `loadPlatform`, into the store of workers that are processes of their own. */
export async function loadPlatformInto(store: Store, options: SimulationOptions = {}): Promise<Platform> {
  await using pool = inlinePool();
  const ports = { store, pool, clock: systemClock, log: silentLog, telemetry: new Telemetry(), codeVersion: 'test' };
  return await loadPlatform(ports, options);
}

/** Freezes what is in the store into a data set version. */
export async function freeze(ports: Ports): Promise<string> {
  const { output } = await runOnce(ports, ingestion, { compact: {} });
  return output.dataset!.version;
}

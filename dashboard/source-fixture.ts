/** Owns what tests of the pages of sources stand on: two weeks of a good source, a day of a poor one, and batches that wait. */
import { EVENT_TYPES } from '../shared/contract-kit/event.ts';
import type { BatchQuality, Store } from '../shared/store/ports.ts';

const DAY_MS = 86_400_000;
export const TENANT = 'main';

const qualityOf = (received: number, refused: Readonly<Record<string, number>>, late = 0): BatchQuality => {
  const passed = received - Object.values(refused).reduce((a, b) => a + b, 0);
  return {
    received,
    passed,
    duplicates: 0,
    late,
    filled: { item: passed, value: 0, session: Math.floor(passed / 2), device: 0 },
    refused,
    types: Array.from(EVENT_TYPES, (_, n) => (n === 1 ? passed : 0)),
    values: Array.from({ length: 10 }, () => 0),
  };
};

export async function noteSources(store: Store, now: number): Promise<void> {
  const note = (source: string, receivedAt: number, quality: BatchQuality): Promise<void> => {
    const batch = { run: `${source}-${receivedAt}`, source, licence: 'first-party', receivedAt, consentEpoch: 1 };
    const ids = new Uint8Array(16);
    return store.lineage.record(TENANT, { ...batch, events: 1, recordedAt: [receivedAt, receivedAt], quality }, ids);
  };
  for (let day = 0; day < 14; day++) await note('web', now - day * DAY_MS, qualityOf(1_000 + day, {}));
  await note('clips-app', now, qualityOf(400, { 'EVENT_INVALID value': 180, 'EVENT_IN_FUTURE occurredAt': 20 }, 50));
  const hold = async (id: string, more: { source: string; reason: string; schema?: string }): Promise<void> => {
    await store.quarantine.prepare(TENANT, { id, records: 7, ...more }, Buffer.from('{"events":[]}'));
    await store.quarantine.hold(TENANT, id);
  };
  await hold('b1', { source: 'clips-app', reason: 'SCHEMA_UNKNOWN', schema: '9' });
  await hold('b2', { source: 'clips-app', reason: 'EVENT_OVER_LIMIT' });
}

/** From an item of a person's list back to the receipts that it rests on. */
import { expect, test } from 'vitest';
import { eventKeyOf } from '../../shared/governance/keys.ts';
import { publishSomething, TENANT } from '../../test/published.ts';
import { testServices } from '../../test/services.ts';
import { traceCandidate, traceSignals } from './tracing.ts';

test('leads from a place in the list to versions, signals, their batch, terms and receipt', async () => {
  await using services = await testServices();
  const { store } = services;
  const { release, versions } = await publishSomething(store);
  const { asOf } = await store.versions.read(TENANT, versions.dataset);
  const [subject] = store.people.keys(TENANT, ['asha']);
  const [item] = store.items.keys(TENANT, ['video-2']);
  const eventId = eventKeyOf(TENANT, 'feedback', 'said');
  const recordedAt = asOf - 1_000;
  const event = { id: 'said', type: 'like' as const, user: 'asha', item: 'video-2', occurredAt: recordedAt };
  const rows = [{ eventId, subject: subject!, item: item!, event, source: 'feedback', recordedAt }];
  await store.events.follow(TENANT, await store.events.prepare(TENANT, 'run', 1, rows));
  const batch = { run: `${TENANT}.ingestion.abc`, source: 'feedback', licence: 'first-party', events: 1 };
  const noted = { ...batch, receivedAt: recordedAt, consentEpoch: 1 };
  await store.lineage.record(TENANT, { ...noted, recordedAt: [recordedAt, recordedAt] }, eventId);
  await store.consents.record(TENANT, 'consent', [
    {
      user: 'asha',
      purposes: ['recommendation'],
      source: '*',
      state: 'given',
      basis: 'consent',
      at: 5,
      receipt: 'r-7',
    },
  ]);
  const traced = await traceCandidate(store, TENANT, 'asha', 'video-1', 5);
  expect(traced).toMatchObject({ position: 1, origin: 'model', because: 'video-2', release });
  expect(traced.versions[0]).toMatchObject({ kind: 'candidates', version: versions.candidates });
  expect(traced.versions.map(({ version }) => version)).toContain(versions.dataset);
  const signal = traced.signals.find((one) => one.type === 'like' && one.item === 'video-2');
  expect(signal).toMatchObject({ source: { name: 'feedback', licence: 'first-party' }, batches: [noted] });
  expect(signal!.consents.some((line) => line.endsWith('receipt r-7'))).toBe(true);
  await expect(traceCandidate(store, TENANT, 'asha', 'no-such', 5)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const forwards = await traceSignals(store, TENANT, 'asha', 1_000);
  expect(forwards.find(({ event: id }) => id === signal!.event)?.releases).toContainEqual({
    version: release,
    live: true,
  });
});

/** Ingestion against a real store: every record by itself, exactly once or not at all. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CanonicalEventInput } from '../../shared/contract-kit/event.ts';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { AppError } from '../../shared/errors.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from './processor.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

let names = 0;
/** A source of its own, so that tests share a store without meeting. */
const newSource = (): string => `source-${names++}`;
const ingest = (input: Parameters<typeof runOnce<typeof ingestion.contract, unknown, unknown>>[2], options = {}) =>
  runOnce(world.ports, ingestion, input, options);

async function consenting(source: string, ...users: string[]): Promise<void> {
  await ingest({ source, consents: users.map((user) => ({ user, purposes: [...PURPOSES], source, at: NOW - 1000 })) });
}
const event = (user: string, more: Partial<CanonicalEventInput> = {}): CanonicalEventInput => ({
  type: 'click',
  user,
  item: 'film',
  occurredAt: NOW - 5000,
  ...more,
});

describe('events', () => {
  test('are checked one by one: a bad one is reported by its place and code, the good ones go in', async () => {
    const source = newSource();
    await consenting(source, 'ann');
    await ingest({ source, items: [{ id: 'film', title: 'A film' }] });
    const events = [
      event('ann'),
      { ...event('ann'), type: 'clack' },
      event('bob', { occurredAt: NOW - 4000 }),
      event('ann', { item: 'lost reel' }),
      event('ann', { occurredAt: NOW + 3_600_000 }),
      event('ann', { occurredAt: NOW - 3000 }),
    ];
    const { output } = await ingest({ source, events, indices: [10, 11, 12, 13, 14, 15] });
    expect(output).toMatchObject({ accepted: 2, duplicates: 0 });
    expect(output.rejected.map(({ index, code, field }) => [index, code, field])).toEqual([
      [11, 'EVENT_INVALID', 'type'],
      [12, 'EVENT_NO_CONSENT', 'user'],
      [13, 'EVENT_UNKNOWN_ITEM', 'item'],
      [14, 'EVENT_IN_FUTURE', 'occurredAt'],
    ]);
  });

  test('about unknown items go in where the batch says so', async () => {
    const source = newSource();
    await consenting(source, 'ann');
    const batch = { source, events: [event('ann', { item: 'unheard of' })] };
    expect((await ingest(batch)).output.accepted).toBe(0);
    expect((await ingest({ ...batch, allowUnknownItems: true })).output.accepted).toBe(1);
  });

  test('count once: twice in a batch, in two batches, and under an id that another source uses too', async () => {
    const [source, other] = [newSource(), newSource()];
    await consenting(source, 'ann');
    await consenting(other, 'ann');
    const events = [
      event('ann'),
      event('ann'),
      event('ann', { id: 'e1' }),
      event('ann', { id: 'e1', occurredAt: NOW - 1 }),
    ];
    const first = await ingest({ source, events, allowUnknownItems: true });
    expect(first.output).toMatchObject({ accepted: 2, duplicates: 2 });
    const again = await ingest({ source, events: [...events, event('ann', { id: 'e2' })], allowUnknownItems: true });
    expect(again.output).toMatchObject({ accepted: 1, duplicates: 4 });
    const elsewhere = await ingest({ source: other, events: [event('ann', { id: 'e1' })], allowUnknownItems: true });
    expect(elsewhere.output).toMatchObject({ accepted: 1, duplicates: 0 });
  });

  test('bring an envelope for each new person, and their texts under it', async () => {
    const source = newSource();
    await consenting(source, 'dora', 'emil');
    const text = 'cats in space';
    await ingest({
      source,
      events: [event('dora', { type: 'search', item: undefined, text }), event('emil')],
      allowUnknownItems: true,
    });
    const [dora, emil] = world.store.people.keys(TENANT, ['dora', 'emil']);
    const opened = await world.store.people.open(TENANT, [dora!, emil!]);
    expect([...opened.values()].map(({ id }) => id).sort()).toEqual(['dora', 'emil']);
    expect((await world.store.people.texts(TENANT, dora!)).map((kept) => kept.text)).toEqual([text]);
  });

  test('of a run that is followed twice are there once, as after a crash between follow and settling', async () => {
    const source = newSource();
    await consenting(source, 'fay');
    const batch = {
      source,
      events: [event('fay', { type: 'comment', text: 'again?' }), event('fay')],
      allowUnknownItems: true,
    };
    const first = await ingest(batch, { key: `${source} batch` });
    const before = await world.store.events.count(TENANT);
    const second = await ingest(batch, { key: `${source} batch` });
    expect(second.output).toEqual(first.output);
    expect(await world.store.events.count(TENANT)).toBe(before);
    expect(await world.store.people.texts(TENANT, world.store.people.keys(TENANT, ['fay'])[0]!)).toHaveLength(1);
  });

  test('of a run that ends before its commit leave nothing: no event, no envelope, no text', async () => {
    const source = newSource();
    await consenting(source, 'gus');
    const before = { events: await world.store.events.count(TENANT), people: await world.store.people.count(TENANT) };
    const batch = { source, events: [event('gus', { type: 'comment', text: 'never mind' })], allowUnknownItems: true };
    const abort = (verb: string, control: AbortController): void => {
      if (verb === 'commit') control.abort(new AppError('CANCELLED'));
    };
    await expect(ingest(batch, { before: abort })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect({ events: await world.store.events.count(TENANT), people: await world.store.people.count(TENANT) }).toEqual(
      before,
    );
  });

  test('with indices of another number are refused whole', async () => {
    await expect(ingest({ source: newSource(), events: [event('ann')], indices: [1, 2] })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    });
  });

  test('stay out from the moment a person withdraws the last purpose', async () => {
    const source = newSource();
    await consenting(source, 'hal');
    const events = (at: number) => ({ source, events: [event('hal', { occurredAt: at })], allowUnknownItems: true });
    expect((await ingest(events(NOW - 100))).output.accepted).toBe(1);
    await ingest({
      source,
      consents: [{ user: 'hal', purposes: [...PURPOSES], source, state: 'withdrawn', at: NOW - 50 }],
    });
    expect((await ingest(events(NOW - 10))).output.rejected).toMatchObject([{ index: 0, code: 'EVENT_NO_CONSENT' }]);
  });
});

describe('items, people and consents', () => {
  test('are checked one by one; the last record of an id counts', async () => {
    const source = newSource();
    const { output } = await ingest({
      source,
      items: [{ id: 'x', title: 'old' }, { id: '' }, { id: 'x', title: 'new' }],
    });
    expect(output).toMatchObject({
      accepted: 1,
      duplicates: 1,
      rejected: [{ index: 1, code: 'INPUT_INVALID', field: 'id' }],
    });
    const [key] = world.store.items.keys(TENANT, ['x']);
    expect([...(await world.store.items.read(TENANT, [key!])).values()]).toMatchObject([{ id: 'x', title: 'new' }]);
  });

  test('change nothing when their run ends before its commit, and are there once it is followed', async () => {
    const source = newSource();
    const person = { id: `${source}-ida`, gender: 'F' };
    const [key] = world.store.people.keys(TENANT, [person.id]);
    const opened = async () => [...(await world.store.people.open(TENANT, [key!])).values()];
    const abort = (verb: string, control: AbortController): void => {
      if (verb === 'commit') control.abort(new AppError('CANCELLED'));
    };
    await expect(ingest({ source, people: [person] }, { before: abort })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await opened()).toEqual([]);
    await ingest({ source, people: [person] });
    expect(await opened()).toEqual([person]);
  });

  test('are in nothing that waits once they are applied: the blocks are shredded', async () => {
    const source = newSource();
    const { run } = await ingest({ source, people: [{ id: `${source}-jo`, name: 'Jo' }] });
    const { pending } = run.plan as { pending: Parameters<typeof world.store.versions.discard>[1] };
    await expect(world.store.versions.arrays(TENANT, pending as never)).rejects.toMatchObject({
      code: 'BLOCK_KEY_MISSING',
    });
    expect(JSON.stringify(run)).not.toContain('-jo');
  });

  test('of a run that is followed late do not undo what a later run said meanwhile', async () => {
    const source = newSource();
    const [item, id] = [`${source}-film`, `${source}-lea`];
    const stop = (verb: string, control: AbortController): void => {
      if (verb === 'follow') control.abort(new AppError('WORKER_STOPPING'));
    };
    const early = { asOf: NOW - 2000, key: `${source} early` };
    const batches = [
      { source, items: [{ id: item, title: 'early' }] },
      { source, people: [{ id, gender: 'early' }] },
    ];
    for (const [n, batch] of batches.entries()) {
      const options = { ...early, key: `${early.key} ${n}` };
      await expect(ingest(batch, { ...options, before: stop })).rejects.toMatchObject({ code: 'WORKER_STOPPING' });
    }
    await ingest({ source, items: [{ id: item, title: 'later' }] }, { asOf: NOW - 1000 });
    await ingest({ source, people: [{ id, gender: 'later' }] }, { asOf: NOW - 1000 });
    for (const [n, batch] of batches.entries()) await ingest(batch, { ...early, key: `${early.key} ${n}` });
    const items = await world.store.items.read(TENANT, world.store.items.keys(TENANT, [item]));
    const people = await world.store.people.open(TENANT, world.store.people.keys(TENANT, [id]));
    expect([...items.values(), ...people.values()]).toMatchObject([{ title: 'later' }, { gender: 'later' }]);
  });

  test('given once raise the consent epoch once, however often they are followed', async () => {
    const source = newSource();
    const batch = { source, consents: [{ user: 'kai', purposes: ['audit' as const], source, at: NOW }] };
    await ingest(batch, { key: source });
    const epoch = await world.store.consents.epoch(TENANT);
    await ingest(batch, { key: source });
    expect(await world.store.consents.epoch(TENANT)).toBe(epoch);
  });
});

test('compaction freezes what was recorded so far, and refuses to freeze nothing', async () => {
  await using own = await openWorld(1);
  await expect(runOnce(own.ports, ingestion, { compact: {} })).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
  const source = newSource();
  await runOnce(own.ports, ingestion, { source, consents: [{ user: 'ann', purposes: ['audit'], at: NOW - 9 }] });
  const events = [event('ann', { recordedAt: NOW - 4000 }), event('ann', { id: 'later', recordedAt: NOW - 10 })];
  await runOnce(own.ports, ingestion, { source, events, allowUnknownItems: true });
  const early = await runOnce(own.ports, ingestion, { compact: { asOf: NOW - 1000 } });
  expect(early.output.dataset).toMatchObject({ rows: 1 });
  const all = await runOnce(own.ports, ingestion, { compact: {} });
  const columns = await own.store.events.read(TENANT, all.output.dataset!.version);
  expect([columns.rows, columns.sources]).toEqual([2, [source]]);
});

describe('consents', () => {
  test('are checked one by one: bad ones are refused with code and field and nothing of them is recorded, the good ones go in', async () => {
    const source = newSource();
    const purposes = [...PURPOSES];
    const consents = [
      { user: 'ivy', purposes: ['audit', 'profit'], at: NOW },
      { user: 'ivy', purposes, at: NOW + 3_600_000 },
      { user: 'ivy', purposes, at: NOW - 9, until: NOW - 1 },
      { user: 'stranger', purposes, at: NOW, state: 'withdrawn' },
      { user: 'jo', purposes, source, at: NOW - 5 },
      { user: 'jo', purposes: ['audit'], source, at: NOW - 4, state: 'withdrawn' },
    ];
    const { output } = await ingest({ source, consents });
    expect(output.accepted).toBe(2);
    expect(output.rejected.map(({ index, code, field }) => [index, code, field])).toEqual([
      [0, 'CONSENT_PURPOSE_UNKNOWN', 'purposes.1'],
      [1, 'CONSENT_IN_FUTURE', 'at'],
      [2, 'CONSENT_EXPIRED', 'until'],
      [3, 'PERSON_UNKNOWN', 'user'],
    ]);
    const snapshot = await world.store.consents.snapshot(TENANT);
    const [ivy, stranger, jo] = world.store.people.keys(TENANT, ['ivy', 'stranger', 'jo']);
    expect([ivy, stranger].map((key) => snapshot.sourcesOf(key!))).toEqual([[], []]);
    const allowed = PURPOSES.filter((purpose) => snapshot.allows(jo!, purpose, source));
    expect(allowed).toEqual(PURPOSES.filter((purpose) => purpose !== 'audit'));
  });

  test('that are withdrawn by somebody who is held by name alone are taken', async () => {
    const source = newSource();
    await ingest({ source, people: [{ id: 'kim', name: 'Kim' }] });
    const { output } = await ingest({
      source,
      consents: [{ user: 'kim', purposes: [...PURPOSES], at: NOW, state: 'withdrawn' }],
    });
    expect(output).toMatchObject({ accepted: 1, rejected: [] });
  });
});

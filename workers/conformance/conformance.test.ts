/** Every kind of the registry keeps the same promises: twice is once, a stop half-way leaves nothing, bad payloads and a lost store are said by code, consent counts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONTRACTS, JOB_KINDS } from '../../jobs/registry.ts';
import { parseInput } from '../../jobs/client/make-job.ts';
import { AppError } from '../../shared/errors.ts';
import { type RunDocument, type Store, VERSION_KINDS } from '../../shared/store/ports.ts';
import type { RunEvent } from '../../shared/governance/open-lineage/facets.ts';
import { runIdOf } from '../../shared/governance/open-lineage/run-events.ts';
import { lineageChecker } from '../../test/open-lineage.ts';
import { LineageRecorder } from '../runtime/lineage-recorder.ts';
import type { AnyProcessor, Ports } from '../runtime/processor.ts';
import { bytesOf, hexKeys, peopleByConsent, withdraw } from './consents.ts';
import { ENTRIES, type Made, madeIn } from './entries.ts';
import { openWorld, runOnce, TENANT, type World } from './world.ts';

/** Kinds whose entry here reads and makes no data set that has a name. */
const NO_DATA: ReadonlySet<string> = new Set(['governance', 'migration']);
const problemsOf = lineageChecker(process.env.OPENLINEAGE_SPEC);

let world: World;
let made: Made;
const processors = new Map<string, AnyProcessor>();
beforeAll(async () => {
  world = await openWorld();
  made = await madeIn(world);
  for (const kind of JOB_KINDS) {
    const module = (await import(`../${kind}/processor.ts`)) as { default: AnyProcessor };
    processors.set(kind, module.default);
  }
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());

/** What readers of the store can see. */
async function visible({ events, people, items, consents, versions, releases }: Store): Promise<unknown> {
  const kinds = await Promise.all(VERSION_KINDS.map((kind) => versions.latest(TENANT, kind, 100)));
  return {
    counts: [await events.count(TENANT), await people.count(TENANT), await items.count(TENANT)],
    epoch: await consents.epoch(TENANT),
    versions: kinds.flat().map(({ version, state }) => [version, state]),
    pointer: await releases.pointer(TENANT),
  };
}

/** A store that answers nothing but what ledger and consents are asked before a run begins; keys are made without it. */
function storeDown(store: Store): Store {
  const gone = async (): Promise<never> => {
    throw new AppError('SERVICE_UNAVAILABLE');
  };
  const portDown = (port: object): object =>
    new Proxy(port, { get: (target, name) => (name === 'keys' ? Reflect.get(target, name) : gone) });
  return new Proxy(store, {
    get: (target, name) => {
      const port: unknown = Reflect.get(target, name);
      return name === 'ledger' || name === 'consents' || typeof port !== 'object' ? port : portDown(port as object);
    },
  });
}

const stopping =
  (at: string) =>
  (verb: string, control: AbortController): void => {
    if (verb === at) control.abort(new AppError('WORKER_STOPPING'));
  };

test('every kind of the registry has an entry', () => {
  expect(JOB_KINDS.filter((kind) => ENTRIES[kind] === undefined)).toEqual([]);
});

/** What every kind does, and what else some do. */
const CASES = JOB_KINDS.flatMap((kind) => {
  const { input, more = {} } = ENTRIES[kind] ?? {};
  const others = Object.entries(more).map(([what, other]) => ({ name: `${kind}, ${what}`, kind, input: other }));
  return input === undefined ? [] : [{ name: kind, kind, input }, ...others];
});

describe.for(CASES)('$name', ({ input, kind, name }) => {
  const entry = ENTRIES[kind]!;
  const run = (options: Parameters<typeof runOnce>[3], ports: Ports = world.ports) =>
    runOnce(ports, processors.get(kind)!, input(made) as never, options);

  test('asked twice has one effect and one answer', async () => {
    const key = `${name} twice`;
    const first = await run({ key });
    const before = await visible(world.store);
    const second = await run({ key });
    expect(second.output).toEqual(first.output);
    expect(await visible(world.store)).toEqual(before);
  });

  test('stopped before its commit changes nothing, and then does what it would have done', async () => {
    const key = `${name} stopped`;
    const { pointer, counts, epoch } = (await visible(world.store)) as Record<string, unknown>;
    for (const verb of ['load', 'compute', 'write', 'commit'])
      await expect(run({ key, before: stopping(verb) })).rejects.toMatchObject({ code: 'WORKER_STOPPING' });
    // What was written before the commit is there, and nothing names it.
    expect(await visible(world.store)).toMatchObject({ pointer, counts, epoch });
    const { output, run: done } = await run({ key });
    expect(done.state).toBe('committed');
    expect(await run({ key })).toMatchObject({ output });
  });

  test('stopped after its commit is finished by whoever follows it', async () => {
    const key = `${name} followed late`;
    await expect(run({ key, before: stopping('follow') })).rejects.toMatchObject({ code: 'WORKER_STOPPING' });
    const { output } = await run({ key });
    expect(await run({ key })).toMatchObject({ output });
  });

  test('is told of as OpenLineage, with what it read and made', async () => {
    const { run: done } = await run({ key: `${name} told` });
    const enqueuer = { make: () => expect.fail('nothing is sent'), add: () => expect.fail('nothing is sent') };
    const { store, clock } = world.ports;
    const recorder = new LineageRecorder({ store, clock, enqueuer, namespace: 'millrace', sends: false });
    await recorder.ended({ ...done, followed: false });
    const told = await store.lineageEvents.of(TENANT, runIdOf(done.runKey, 0));
    const events = told.map((one) => JSON.parse(one.text) as RunEvent);
    expect(events.flatMap(problemsOf)).toEqual([]);
    // Deliveries alone are not told of.
    expect(events.map(({ eventType }) => eventType)).toEqual(kind === 'webhook-delivery' ? [] : ['START', 'COMPLETE']);
    const versionsOf = (sets: RunEvent['inputs'] = []) => sets.map(({ facets }) => facets.version?.datasetVersion);
    const end = events[1];
    expect(versionsOf(end?.inputs)).toEqual(expect.arrayContaining([...(done.lineage?.inputs ?? [])]));
    expect(versionsOf(end?.outputs)).toEqual(expect.arrayContaining(done.version == null ? [] : [done.version]));
    const sets = [...(end?.inputs ?? []), ...(end?.outputs ?? [])];
    expect(sets.length > 0).toBe(kind !== 'webhook-delivery' && !NO_DATA.has(kind));
  });

  test('refuses bad payloads by code', () => {
    const { contract } = processors.get(kind)!;
    for (const payload of entry.bad)
      expect(() => parseInput(contract, payload)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
    expect(parseInput(contract, input(made))).toBeDefined();
  });

  test('says by code that the store is away, and does its work once it is back', async () => {
    const key = `${name} store`;
    const down = { ...world.ports, store: storeDown(world.store) };
    await expect(run({ key }, down)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retry: 'backoff' });
    expect((await run({ key })).run.state).toBe('committed');
  });
});

/** What a run's version holds: its arrays, or the facts of one that has none; the figures of a run that makes no version. */
async function contentOf({ version, output }: RunDocument): Promise<unknown> {
  if (version === undefined) return (output as { trial: { ndcg: number } }).trial.ndcg;
  const arrays = await bytesOf(world.store, version);
  return Object.keys(arrays).length > 0 ? arrays : (output as { users: number }).users;
}

/** External ids of people with likings of whom no test has withdrawn anything yet: the others may be missing from the content already. */
async function peopleWithEveryConsent(): Promise<string[]> {
  const purposes = [...new Set(JOB_KINDS.flatMap((kind) => CONTRACTS[kind].purposes))];
  const perPurpose = await Promise.all(purposes.map((purpose) => peopleByConsent(world.store, purpose)));
  const arrays = await world.store.versions.arrays(TENANT, await world.store.versions.read(TENANT, made.embeddings));
  const trained = hexKeys(arrays.get('subjects') as Uint8Array);
  return trained.flatMap((key) => {
    const ids = perPurpose.map(({ allowed }) => allowed.get(key));
    return ids.every((id) => id !== undefined) ? [ids[0]!] : [];
  });
}

const ASKING = JOB_KINDS.filter((kind) => CONTRACTS[kind].purposes.length > 0);

describe.for(ASKING.filter((kind) => !CONTRACTS[kind].strict))('%s and consent', (kind) => {
  test('leaves out who withdrew a purpose of its kind, before the load or before the commit', async () => {
    const processor = processors.get(kind)!;
    const purpose = processor.contract.purposes[0]!;
    const input = ENTRIES[kind]!.input(made) as never;
    const { allowed } = await peopleByConsent(world.store, purpose);
    const [early, late] = await peopleWithEveryConsent();
    const before = await runOnce(world.ports, processor, input);
    await withdraw(world.ports, early!, purpose);
    const midway = async (verb: string): Promise<void> => {
      if (verb === 'commit') await withdraw(world.ports, late!, purpose);
    };
    const after = await runOnce(world.ports, processor, input, { before: midway });
    expect((await peopleByConsent(world.store, purpose)).allowed.size).toBe(allowed.size - 2);
    expect(await contentOf(after.run)).not.toEqual(await contentOf(before.run));
  });
});

describe.for(ASKING.filter((kind) => CONTRACTS[kind].strict))('%s and consent', (kind) => {
  test('refuses its whole result when somebody withdrew since the load, and gives one that was made without them when it is tried again', async () => {
    const processor = processors.get(kind)!;
    const purpose = processor.contract.purposes[0]!;
    const input = ENTRIES[kind]!.input(made) as never;
    const key = `${kind} withdrawn`;
    const people = (await peopleWithEveryConsent()).slice(0, 2);
    expect(people.length).toBe(2);
    const midway = async (verb: string): Promise<void> => {
      if (verb === 'commit') for (const person of people) await withdraw(world.ports, person, purpose);
    };
    await expect(runOnce(world.ports, processor, input, { key, before: midway })).rejects.toMatchObject({
      code: 'CONSENT_CHANGED',
    });
    const { run } = await runOnce(world.ports, processor, input, { key });
    expect(run).toMatchObject({
      state: 'committed',
      lineage: { consentEpoch: await world.store.consents.epoch(TENANT) },
    });
  });
});

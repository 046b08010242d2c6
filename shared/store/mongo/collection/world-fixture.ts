/**
 * Owns a small world for the tests of collection: writers, publishers, rollbacks, a queue and collectors over one real store, each of which does one step
 * at a time, so that any of them may come between any two steps of another. What must be there is read from the raw documents.
 */
import { expect } from 'vitest';
import type { CollectionReport, CollectionRules, LiveJobs, PreparedEvents, Store, VersionDraft } from '../../ports.ts';
import { eventRow, type TestStore } from '../../testing.ts';
import { COLLECTIONS, idOf } from '../names.ts';

export const TENANT = 'main';
export const RULES: CollectionRules = {
  windowMs: 60_000,
  keepRunsMs: 120_000,
  keepReleases: 2,
  keepExposuresMs: 1e12,
  keepLineageMs: 1e12,
};

/** A run between two of its steps. */
interface OpenRun {
  readonly runKey: string;
  readonly fence: number;
  readonly what: 'ingest' | 'compact' | 'train' | 'publish';
  readonly inputs: readonly string[];
  readonly store: Store;
  draft?: VersionDraft;
  prepared?: PreparedEvents;
  version?: string;
  state: 'claimed' | 'drafted' | 'written' | 'committed';
}

export class World {
  readonly test: TestStore;
  readonly stores: readonly Store[];
  readonly open: OpenRun[] = [];
  readonly jobs = new Map<string, string>();
  /** Ids of events that were followed. */
  events = 0;
  #n = 0;
  readonly #tick: (ms: number) => void;

  constructor(test: TestStore, stores: readonly Store[], tick: (ms: number) => void) {
    this.test = test;
    this.stores = stores;
    this.#tick = tick;
  }

  tick(ms: number): void {
    this.#tick(ms);
  }

  /** A queue in which every job is there as long as it has not completed. */
  get live(): LiveJobs {
    const { jobs } = this;
    return {
      async *texts() {
        for (const text of jobs.values()) yield text;
      },
      unfinished: async (runs) => new Set(runs.map(({ runKey }) => runKey).filter((runKey) => jobs.has(runKey))),
    };
  }

  store(seed: number): Store {
    return this.stores[seed % this.stores.length]!;
  }

  collect(seed = 0): Promise<CollectionReport> {
    return this.store(seed).collector.collect(RULES, this.live);
  }

  /** A version at random among those that can be read; reading is what everybody does first. */
  async readable(seed: number, kind?: string): Promise<string | undefined> {
    const filter = kind === undefined ? {} : { kind };
    const found = await this.raw(COLLECTIONS.versions)
      .find(filter, { projection: { _id: 1 } })
      .sort({ _id: 1 })
      .toArray();
    if (found.length === 0) return undefined;
    const version = found[seed % found.length]!._id.slice(TENANT.length + 1);
    return this.store(seed)
      .versions.read(TENANT, version)
      .then(
        () => version,
        () => undefined,
      );
  }

  raw(name: string) {
    return this.test.db.collection<{ _id: string; [field: string]: unknown }>(name);
  }

  async begin(what: OpenRun['what'], seed: number, job?: string): Promise<void> {
    const store = this.store(seed);
    const runKey = `${TENANT}.${what}.${String(this.#n++).padStart(64, '0')}`;
    const about = {
      runKey,
      tenant: TENANT,
      kind: what,
      contractVersion: 1,
      inputHash: '',
      asOf: 1,
      codeVersion: 'test',
    };
    const { run } = await store.ledger.claim(about);
    await this.#date(runKey, 'claimedAt');
    const inputs: string[] = [];
    if (job !== undefined) {
      // What a job names was kept for it.
      await store.versions.read(TENANT, job);
      inputs.push(job);
    } else if (what === 'publish' || what === 'train') {
      const input = await this.readable(seed, what === 'train' ? 'events' : undefined);
      if (input !== undefined) inputs.push(input);
    }
    this.open.push({ runKey, fence: run.fence, what, inputs, store, state: 'claimed' });
  }

  /** One step of a run. */
  async step(seed: number): Promise<void> {
    const run = this.open[seed % Math.max(1, this.open.length)];
    if (run === undefined) return;
    if (run.state === 'claimed') await this.#draft(run);
    else if (run.state === 'drafted') await this.#write(run);
    else if (run.state === 'written') await this.#commit(run);
    else await this.#follow(run);
  }

  async #draft(run: OpenRun): Promise<void> {
    const { store, what, runKey, fence } = run;
    run.state = 'drafted';
    if (what === 'ingest') {
      const users = Array.from({ length: 3 }, (_, n) => `user-${n}`);
      const rows = users.map((user) => eventRow(store, TENANT, { id: `${runKey}.${user}`, user }));
      run.prepared = await store.events.prepare(TENANT, runKey, fence, rows);
    } else if (what === 'compact') run.draft = await store.events.freeze(TENANT, runKey, fence, Date.now());
    else if (what === 'train')
      run.draft = await store.versions.draft(TENANT, runKey, fence, 1, [{ name: 'x', data: new Uint8Array(20) }]);
  }

  async #write(run: OpenRun): Promise<void> {
    const { store, what, runKey, fence, draft, inputs } = run;
    run.state = 'written';
    if (draft === undefined) return;
    const kind = what === 'compact' ? ('events' as const) : ('segments' as const);
    const about = { tenant: TENANT, kind, runKey, fence, asOf: 1, inputs, codeVersion: 'test', meta: {} };
    run.version = (await store.versions.write({ ...draft, ...about })).version;
    if (what === 'train') {
      const assignment = { subjects: new Uint8Array(32).fill(1, 16), segment: new Int32Array(2) };
      await store.served.writeSegments(TENANT, run.version, assignment);
    }
  }

  async #commit(run: OpenRun): Promise<void> {
    const { store, runKey, fence, prepared, version, inputs, what } = run;
    run.state = 'committed';
    const plan = what === 'publish' ? { parts: inputs } : prepared && { prepared };
    const outcome = { output: {}, plan, next: [], lineage: { inputs }, ...(version !== undefined && { version }) };
    expect(await store.ledger.commit({ runKey, fence, ...outcome })).toBe(true);
    await this.#date(runKey, 'endedAt');
  }

  async #follow(run: OpenRun): Promise<void> {
    const { store, what, prepared, runKey, inputs } = run;
    if (prepared !== undefined) {
      const { accepted } = await store.events.follow(TENANT, prepared);
      this.events += accepted;
    }
    if (what === 'publish' && inputs.length > 0) await this.#publish(store, runKey, inputs[0]!);
    await store.ledger.markFollowed(runKey);
    this.#close(run);
  }

  async #publish(store: Store, runKey: string, part: string): Promise<void> {
    const pointer = await store.releases.pointer(TENANT);
    const seq = pointer?.seq ?? 0;
    const version = `v${seq + 1}-${runKey.slice(-6)}`;
    const createdAt = this.now();
    const about = { version, tenant: TENANT, segments: part, asOf: seq, createdAt, runKey };
    await store.releases.write({ ...about, ...(pointer !== undefined && { previous: pointer.version }) });
    expect(await store.releases.move(TENANT, seq, { asOf: seq, runKey, version })).toBe('moved');
  }

  now: () => number = Date.now;

  /** The ledger has the time of its own; here it is the world's. */
  async #date(runKey: string, field: 'claimedAt' | 'endedAt'): Promise<void> {
    await this.raw(COLLECTIONS.runs).updateOne({ _id: runKey }, { $set: { [field]: this.now() } });
  }

  #close(run: OpenRun): void {
    this.open.splice(this.open.indexOf(run), 1);
  }

  /** Its attempt ends without an effect; what it wrote is nobody's. */
  async die(seed: number): Promise<void> {
    const run = this.open[seed % Math.max(1, this.open.length)];
    if (run === undefined || run.state === 'committed') return;
    const error = { code: 'INTERNAL', message: 'died', details: {} };
    expect(await run.store.ledger.end(run.runKey, run.fence, 'dead-lettered', error)).toBe(true);
    await this.#date(run.runKey, 'endedAt');
    await run.store.ledger.markFollowed(run.runKey);
    this.#close(run);
  }

  async enqueue(seed: number): Promise<void> {
    const version = await this.readable(seed);
    if (version !== undefined) this.jobs.set(`job-${this.#n++}`, JSON.stringify({ input: { dataset: version } }));
  }

  /** A job is taken, and needs what it names. */
  async take(seed: number): Promise<void> {
    const [job, text] = [...this.jobs][seed % Math.max(1, this.jobs.size)] ?? [];
    if (job === undefined || text === undefined) return;
    await this.begin('train', seed, (JSON.parse(text) as { input: { dataset: string } }).input.dataset);
    this.jobs.delete(job);
  }

  /** The pointer goes back to some earlier release that is whole. */
  async rollBack(seed: number): Promise<void> {
    const store = this.store(seed);
    const history = await store.releases.history(TENANT, 100);
    const pointer = await store.releases.pointer(TENANT);
    const chosen = history[seed % Math.max(1, history.length)];
    if (chosen === undefined || pointer === undefined) return;
    const release = await store.releases.read(TENANT, chosen.version);
    if (release === undefined) return;
    try {
      await store.versions.read(TENANT, release.segments!);
    } catch {
      return; // what it is made of has gone: refused
    }
    const moved = { version: release.version, seq: pointer.seq + 1 };
    await this.raw(COLLECTIONS.pointers).updateOne({ _id: idOf(TENANT, 'release'), seq: pointer.seq }, { $set: moved });
  }

  /** Ids of blocks that manifests and versions name. */
  async namedBlocks(): Promise<Set<string>> {
    const text = JSON.stringify([
      await this.raw(COLLECTIONS.manifests).find().toArray(),
      await this.raw(COLLECTIONS.versions).find().toArray(),
    ]);
    return new Set(text.match(/main\.[0-9a-f]{32}(?![0-9a-f])/g));
  }

  async ids(name: string): Promise<string[]> {
    return (
      await this.raw(name)
        .find({}, { projection: { _id: 1 } })
        .sort({ _id: 1 })
        .toArray()
    ).map(({ _id }) => _id);
  }

  /** All documents, as text. */
  async everything(): Promise<string> {
    const names = (await this.test.db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).sort();
    const texts: string[] = [];
    for (const name of names) texts.push(JSON.stringify(await this.raw(name).find().sort({ _id: 1 }).toArray()));
    return texts.join('\n');
  }

  /** Whatever the ledger, the pointer, the queue, the manifests and the runs at work name is there, with all its blocks. */
  async checkNothingMissing(): Promise<void> {
    const runs = await this.raw(COLLECTIONS.runs).find().toArray();
    const pointer = await this.store(0).releases.pointer(TENANT);
    const live = pointer && (await this.raw(COLLECTIONS.releases).findOne({ _id: idOf(TENANT, pointer.version) }));
    expect(live).not.toBeNull();
    const manifests = await this.raw(COLLECTIONS.manifests).find().toArray();
    const atWork = this.open.map(({ version, inputs, draft }) => [version, inputs, draft]);
    const holders = { runs, live, jobs: [...this.jobs.values()], atWork, manifests };
    const versions = new Map((await this.raw(COLLECTIONS.versions).find().toArray()).map((v) => [v._id, v]));
    const blocks = new Set(await this.ids(COLLECTIONS.blocks));
    for (const [holder, held] of Object.entries(holders)) {
      const text = JSON.stringify(held ?? null);
      const named = [...new Set(text.match(/(events|segments)-[0-9a-f]{24}/g))];
      for (const version of named) {
        const state = versions.get(idOf(TENANT, version))?.['state'];
        expect({ holder, version, state }).toEqual({ holder, version, state: 'ready' });
      }
      const whole = [text, named.map((version) => versions.get(idOf(TENANT, version))!['blocks'])];
      const namedBlocks = JSON.stringify(whole).match(/main\.[0-9a-f]{32}(?![0-9a-f])/g) ?? [];
      expect({ holder, missing: namedBlocks.filter((block) => !blocks.has(block)) }).toEqual({ holder, missing: [] });
    }
  }
}

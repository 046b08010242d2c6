/**
 * Owns the consent log of each tenant and the state that follows from it. The log is the truth; a process keeps the state of
 * all people it read so far and brings it up to date with one cheap read (the log's counter). A snapshot never changes: the
 * state is copied before it moves on from one that was handed out.
 */
import type { Collection, Db } from 'mongodb';
import type { ConsentRecord } from '../../contract-kit/event.ts';
import type { Purpose } from '../../contract-kit/purposes.ts';
import { AppError } from '../../errors.ts';
import { ConsentState } from '../../governance/consent-state.ts';
import { decrypt, encrypt, type MasterRing, newDataKey, placeOf, unwrapKey, wrapKey } from '../../governance/crypto.ts';
import { hexOf, type PersonalKeys, receiptKeyOf } from '../../governance/keys.ts';
import { receiptIdIn } from '../../governance/consent-receipt.ts';
import { type ConsentRow, decodeConsents, encodeConsents } from '../blocks/consent-block.ts';
import type { Consents, ConsentSnapshot, ConsentWord, People, SubjectKey } from '../ports.ts';
import { chunksOf, COLLECTIONS, sequenceText } from './names.ts';
import { type LogEntry, orderedLog, type OrderedLog, type OrderedLogOptions } from './ordered-log.ts';

interface ConsentEntry {
  /** Run that recorded it; several entries where a batch is large. */
  readonly run: string;
  readonly part: number;
  readonly kid: string;
  readonly key: Uint8Array;
  readonly box: Uint8Array;
  /** The box holds the mark of somebody who was erased, or has come back; absent: words of people. */
  readonly act?: 'erased' | 'readmitted';
  /** When the mark was set. */
  readonly at?: number;
}

/** What an entry says, opened. */
type Said =
  | { readonly act: 'words'; readonly rows: readonly ConsentRow[] }
  | { readonly act: 'erased' | 'readmitted'; readonly mark: string };

/** Looks at the log until no other writer came between. */
const TURNS_MAX = 100;
/** Records of one entry; ~60 bytes each. */
const ENTRY_RECORDS_MAX = 50_000;

interface TenantView {
  state: ConsentState;
  epoch: number;
  /** The state was handed out: copy it before changing it. */
  shared: boolean;
}

class MongoConsents implements Consents {
  readonly #log: OrderedLog<ConsentEntry>;
  readonly #entries: Collection<{ _id: string; body?: ConsentEntry }>;
  readonly #ring: MasterRing;
  readonly #people: People;
  readonly #markOf: (tenant: string, subject: SubjectKey) => string;
  readonly #clock: () => number;
  readonly #views = new Map<string, TenantView>();
  readonly #updates = new Map<string, Promise<TenantView>>();

  constructor(
    db: Db,
    ring: MasterRing,
    people: People,
    personal: Pick<PersonalKeys, 'mark'>,
    clock: () => number,
    options: OrderedLogOptions,
  ) {
    this.#markOf = personal.mark;
    this.#clock = clock;
    this.#log = orderedLog<ConsentEntry>(db, COLLECTIONS.consentLog, options);
    this.#entries = db.collection(COLLECTIONS.consentLog);
    this.#ring = ring;
    this.#people = people;
  }

  async record(tenant: string, runKey: string, given: readonly ConsentRecord[]): Promise<number> {
    const { state } = await this.#current(tenant);
    const keys = this.#people.keys(
      tenant,
      given.map(({ user }) => user),
    );
    const records = given.filter((_, index) => !state.isErased(keys[index]!));
    const users = records.map(({ user }) => user);
    await this.#people.ensure(tenant, users);
    const subjects = this.#people.keys(tenant, users);
    const rows = records.map((record, index) => toRow(tenant, record, subjects[index]!));
    await this.#keepReceipts(tenant, records, rows);
    const done = await this.#partsOf(runKey);
    let epoch = Math.max(0, ...done.values());
    let part = 0;
    for (const chunk of chunksOf(rows, ENTRY_RECORDS_MAX)) {
      const found = done.get(part);
      // Two attempts that meet here may both append: applying an entry twice changes nothing.
      if (found === undefined)
        epoch = Math.max(epoch, await this.#log.append(tenant, this.#seal(tenant, runKey, part, chunk)));
      part++;
    }
    return epoch;
  }

  /** Parts of this run that are in the log, with their numbers. */
  async #partsOf(runKey: string): Promise<Map<number, number>> {
    const found = await this.#entries
      .find({ 'body.run': runKey } as object, { projection: { 'body.part': 1 } })
      .toArray();
    return new Map(found.map(({ _id, body }) => [body!.part, sequenceOf(_id)]));
  }

  async #keepReceipts(tenant: string, records: readonly ConsentRecord[], rows: readonly ConsentRow[]): Promise<void> {
    const receipts = records.flatMap(({ receipt }, index) => {
      const { subject, receipt: eventId } = rows[index]!;
      return receipt === undefined || eventId === undefined ? [] : [{ subject, eventId, text: receipt }];
    });
    if (receipts.length > 0) await this.#people.keepTexts(tenant, receipts);
  }

  #seal(tenant: string, run: string, part: number, rows: readonly ConsentRow[]): ConsentEntry {
    const dataKey = newDataKey();
    const place = entryPlace(tenant, run, part);
    return { run, part, ...wrapKey(this.#ring, dataKey, place), box: encrypt(dataKey, encodeConsents(rows), place) };
  }

  #open(tenant: string, { sequence, body }: LogEntry<ConsentEntry>): Said {
    const place = entryPlace(tenant, body.run, body.part);
    const what = `${COLLECTIONS.consentLog}.${sequence}`;
    const plain = decrypt(unwrapKey(this.#ring, body, place, what), body.box, place, what);
    const { act } = body;
    if (act !== undefined && act !== null) return { act, mark: plain.toString('latin1') };
    return { act: 'words', rows: decodeConsents(new Uint8Array(plain)) }; // a copy of its own: aligned
  }

  async erase(tenant: string, runKey: string, subject: SubjectKey): ReturnType<Consents['erase']> {
    return this.#mark(tenant, runKey, subject, 'erased');
  }

  async readmit(tenant: string, runKey: string, subject: SubjectKey): ReturnType<Consents['erase']> {
    return this.#mark(tenant, runKey, subject, 'readmitted');
  }

  /** Appends unless this run has done so. */
  async #mark(
    tenant: string,
    run: string,
    subject: SubjectKey,
    act: 'erased' | 'readmitted',
  ): ReturnType<Consents['erase']> {
    const done = await this.#entries.findOne({ 'body.run': run, 'body.act': act } as object);
    if (done?.body?.at !== undefined) return { epoch: sequenceOf(done._id), at: done.body.at };
    const place = entryPlace(tenant, run, 0);
    const dataKey = newDataKey();
    const box = encrypt(dataKey, Buffer.from(this.#markOf(tenant, subject), 'latin1'), place);
    const at = Date.now();
    const epoch = await this.#log.append(tenant, {
      run,
      part: 0,
      ...wrapKey(this.#ring, dataKey, place),
      box,
      act,
      at,
    });
    return { epoch, at };
  }

  async forget(tenant: string, subject: SubjectKey): Promise<number> {
    let rewritten = 0;
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const { entries } = await this.#log.readAfter(tenant, 0);
      let met = false;
      for (const entry of entries) {
        const changed = await this.#forgetIn(tenant, entry, subject);
        if (changed === true) rewritten++;
        if (changed === false) met = true;
      }
      if (!met) return rewritten;
    }
    throw new AppError('SERVICE_UNAVAILABLE', { message: 'The log of consents has too many writers.' });
  }

  /** Undefined: there was nothing to do; false: a rotation wrapped its key anew at that moment. */
  async #forgetIn(tenant: string, entry: LogEntry<ConsentEntry>, subject: SubjectKey): Promise<boolean | undefined> {
    const said = this.#open(tenant, entry);
    if (said.act !== 'words') return undefined;
    const left = said.rows.filter((row) => Buffer.compare(row.subject, subject) !== 0);
    if (left.length === said.rows.length) return undefined;
    const { run, part, key } = entry.body;
    const _id = `${tenant}.${sequenceText(entry.sequence)}`;
    const body = this.#seal(tenant, run, part, left);
    return (await this.#entries.updateOne({ _id, 'body.key': key }, { $set: { body } })).matchedCount === 1;
  }

  async erasedMarks(tenant: string): Promise<ReadonlySet<string>> {
    const { state } = await this.#current(tenant);
    return state.erasedMarks();
  }

  /** Of the state, not of the counter: a number that was only taken may still be filled with a withdrawal. */
  async epoch(tenant: string): Promise<number> {
    return (await this.#current(tenant)).epoch;
  }

  async snapshot(tenant: string): Promise<ConsentSnapshot> {
    const view = await this.#current(tenant);
    view.shared = true;
    const { state, epoch } = view;
    return {
      epoch,
      allows: (subject, purpose, source) => state.allows(subject, purpose, source, this.#clock()),
      hasEnded: (subject, purpose, source) => state.hasEnded(subject, purpose, source, this.#clock()),
      sourcesOf: (subject) => state.sourcesOf(subject),
      isErased: (subject) => state.isErased(subject),
    };
  }

  async saidBy(tenant: string, runKey: string): ReturnType<Consents['saidBy']> {
    const found = await this.#entries.find({ 'body.run': runKey } as object).toArray();
    return found.flatMap(({ _id, body }) => {
      if (body === undefined || !_id.startsWith(`${tenant}.`)) return [];
      const said = this.#open(tenant, { sequence: sequenceOf(_id), body });
      return said.act === 'words' ? said.rows.map((row) => ({ subject: row.subject, ...wordOf(row) })) : [];
    });
  }

  async history(tenant: string, subject: SubjectKey): ReturnType<Consents['history']> {
    const { entries } = await this.#log.readAfter(tenant, 0);
    const texts = await this.#people.texts(tenant, subject);
    const receipts = new Map(texts.map(({ eventId, text }) => [hexOf(eventId), text]));
    return entries
      .flatMap((entry) => {
        const said = this.#open(tenant, entry);
        return said.act === 'words' ? said.rows.filter((row) => Buffer.compare(row.subject, subject) === 0) : [];
      })
      .map((row) => {
        const text = row.receipt === undefined ? undefined : receipts.get(hexOf(row.receipt));
        return { ...wordOf(row), ...(text !== undefined && { receipt: receiptIdIn(text) }) };
      });
  }

  async withdrawnSince(
    tenant: string,
    epoch: number,
    purposes: readonly Purpose[],
    sinceMs?: number,
  ): ReturnType<Consents['withdrawnSince']> {
    const { entries, upTo } = await this.#log.readAfter(tenant, epoch);
    if (entries.length === 0 && sinceMs === undefined) return { epoch: upTo, subjects: [] };
    const { state } = await this.#current(tenant);
    const now = this.#clock();
    const ended = sinceMs === undefined ? [] : state.endedBetween(sinceMs, now, purposes);
    const lost = new Map<string, SubjectKey>(ended.map((subject) => [hexOf(subject), subject]));
    for (const entry of entries) {
      const said = this.#open(tenant, entry);
      if (said.act !== 'words') {
        // Somebody of whom this process has never heard is in nothing that it loaded.
        const subject = said.act === 'erased' ? state.subjectOf(said.mark) : undefined;
        if (subject !== undefined) lost.set(hexOf(subject), subject);
        continue;
      }
      for (const { subject, source, withdrawn, purposes: about } of said.rows) {
        if (!withdrawn) continue;
        const gone = purposes.some(
          (purpose) => about.includes(purpose) && !state.allows(subject, purpose, source, now),
        );
        if (gone) lost.set(hexOf(subject), subject);
      }
    }
    return { epoch: upTo, subjects: [...lost.values()] };
  }

  #unread(tenant: string): TenantView {
    return { state: new ConsentState((subject) => this.#markOf(tenant, subject)), epoch: 0, shared: false };
  }

  /** The tenant's state, at least as new as the call. Calls that come together share one update. */
  async #current(tenant: string): Promise<TenantView> {
    const before = this.#updates.get(tenant) ?? Promise.resolve(undefined);
    const update = before
      .catch(() => undefined)
      .then(() => this.#advance(tenant))
      .finally(() => {
        if (this.#updates.get(tenant) === update) this.#updates.delete(tenant);
      });
    this.#updates.set(tenant, update);
    return update;
  }

  async #advance(tenant: string): Promise<TenantView> {
    const view = this.#views.get(tenant) ?? this.#unread(tenant);
    this.#views.set(tenant, view);
    const { entries, upTo } = await this.#log.readAfter(tenant, view.epoch);
    if (upTo === view.epoch) return view;
    const state = view.shared ? view.state.copy() : view.state;
    // An entry that does not open stops here; what was applied before it is applied again next time, which changes nothing.
    for (const entry of entries) {
      const said = this.#open(tenant, entry);
      if (said.act === 'words') for (const change of said.rows) state.apply(change);
      else if (said.act === 'erased') state.erase(said.mark);
      else state.readmit(said.mark);
    }
    const next = { state, epoch: upTo, shared: false };
    this.#views.set(tenant, next);
    return next;
  }
}

const sequenceOf = (id: string): number => Number(id.slice(id.lastIndexOf('.') + 1));

export const entryPlace = (tenant: string, run: string, part: number): string =>
  placeOf(COLLECTIONS.consentLog, 'box', `${tenant}.${run}.${part}`);

function wordOf({ purposes, source, withdrawn, basis, at, until }: ConsentRow): ConsentWord {
  const state = withdrawn ? 'withdrawn' : 'given';
  return { purposes, source, state, basis, at, ...(until !== undefined && { until }) };
}

function toRow(tenant: string, record: ConsentRecord, subject: SubjectKey): ConsentRow {
  const { purposes, source, state, at, until, basis, receipt } = record;
  return {
    subject,
    purposes,
    source,
    withdrawn: state === 'withdrawn',
    at,
    basis,
    ...(until !== undefined && { until }),
    ...(receipt !== undefined && { receipt: receiptKeyOf(tenant, receipt) }),
  };
}

export function mongoConsents(
  db: Db,
  ring: MasterRing,
  people: People,
  personal: Pick<PersonalKeys, 'mark'>,
  clock: () => number,
  options: OrderedLogOptions = {},
): Consents {
  return new MongoConsents(db, ring, people, personal, clock, options);
}

/** Owns what was told of runs as OpenLineage: a document an event, whose id (run and place) is what makes a second one impossible. */
import type { Collection, Db, Filter } from 'mongodb';
import { AppError } from '../../errors.ts';
import { answered, Gather } from '../../gather.ts';
import type { LineageEvent, LineageEvents, LineagePage, LineageQuery } from '../ports.ts';
import { refusedAsDuplicates } from './driver-errors.ts';
import { COLLECTIONS, idOf, idsUnder } from './names.ts';

interface EventDocument extends LineageEvent {
  _id: string;
  tenant: string;
}

/** Events of one insert. */
const GROUP_EVENTS_MAX = 256;
const GROUPS_MAX = 2;
const CURSOR = /^(\d{1,16})\.([0-9a-f-]{36}\.[01])$/;

class MongoLineageEvents implements LineageEvents {
  readonly #events: Collection<EventDocument>;
  readonly #clock: () => number;
  /** What runs that end at the same moment tell travels together. */
  readonly #inserts: Gather<EventDocument, boolean>;

  constructor(db: Db, clock: () => number) {
    this.#events = db.collection<EventDocument>(COLLECTIONS.lineageEvents);
    this.#clock = clock;
    this.#inserts = new Gather({
      itemsMax: GROUP_EVENTS_MAX,
      flightsMax: GROUPS_MAX,
      keyOf: ({ _id }) => _id,
      send: (group) => this.#insert(group),
    });
  }

  add(tenant: string, events: readonly Omit<LineageEvent, 'recordedAt'>[]): Promise<boolean[]> {
    const recordedAt = this.#clock();
    return Promise.all(
      events.map((event) =>
        this.#inserts.add({ _id: idOf(tenant, event.runId, String(event.order)), tenant, ...event, recordedAt }),
      ),
    );
  }

  async #insert(group: readonly EventDocument[]): Promise<PromiseSettledResult<boolean>[]> {
    const known = new Set(await refusedAsDuplicates(this.#events, group));
    return group.map((_event, at) => answered(!known.has(at)));
  }

  async of(tenant: string, runId: string): Promise<LineageEvent[]> {
    const found = await this.#events.find({ _id: idsUnder(idOf(tenant, runId)) }).toArray();
    return found.map(toEvent).sort((a, b) => a.order - b.order);
  }

  async list(tenant: string, { after, sinceMs }: LineageQuery, limit: number): Promise<LineagePage> {
    const bounds: Filter<EventDocument>[] = [
      { tenant },
      ...(sinceMs === undefined ? [] : [{ recordedAt: { $gte: sinceMs } }]),
      ...(after === undefined ? [] : [behind(tenant, after)]),
    ];
    const found = await this.#events.find({ $and: bounds }).sort({ recordedAt: 1, _id: 1 }).limit(limit).toArray();
    const last = found.length < limit ? undefined : found.at(-1);
    const events = found.map(toEvent);
    return last === undefined
      ? { events }
      : { events, next: `${last.recordedAt}.${last._id.slice(tenant.length + 1)}` };
  }
}

function behind(tenant: string, after: string): Filter<EventDocument> {
  const [, at, place] = CURSOR.exec(after) ?? [];
  if (at === undefined || place === undefined)
    throw new AppError('INPUT_INVALID', {
      message: 'This is not where a list of lineage events goes on.',
      details: { issues: [{ path: ['after'], message: 'must be the `next` of an answer' }] },
    });
  const recordedAt = Number(at);
  return { $or: [{ recordedAt: { $gt: recordedAt } }, { recordedAt, _id: { $gt: idOf(tenant, place) } }] };
}

function toEvent({ _id, tenant: _tenant, sentBy, ...rest }: EventDocument): LineageEvent {
  return sentBy == null ? rest : { ...rest, sentBy };
}

export async function createLineageEventIndexes(db: Db): Promise<unknown> {
  return db.collection(COLLECTIONS.lineageEvents).createIndexes([
    { key: { tenant: 1, recordedAt: 1, _id: 1 }, name: 'kept' },
    { key: { recordedAt: 1 }, name: 'age' },
  ]);
}

export function mongoLineageEvents(db: Db, clock: () => number): LineageEvents {
  return new MongoLineageEvents(db, clock);
}

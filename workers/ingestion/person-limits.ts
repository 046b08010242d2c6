/**
 * Owns that no source brings more events of a person in a window of time than it declares: what is more goes into the quarantine with the code of the
 * reason, where an operator may let it in. Windows go by when events occurred.
 *
 * Each process counts for itself, which costs nothing, until somebody comes near the limit; from there on all count in common. So what gets in of a window
 * is the limit, and at most a share of it more from each process.
 */
import type { CanonicalEvent } from '../../shared/contract-kit/event.ts';
import { hashBytes } from '../../shared/random.ts';
import { type PersonLimit, windowOf } from '../../shared/sources/person-limit.ts';
import type { RunDocument, SubjectKey } from '../../shared/store/ports.ts';
import type { Ports, RunContext } from '../runtime/processor.ts';
import { idOfRun } from './unknown-schema.ts';

/** Share of a limit from which on a window is counted in common. */
const NEAR = 1 / 8;
/** Cells of the count of this process, 2 MB: a person, source and window have one, seldom shared. */
const CELLS = 2 ** 20;
/** Events after which the count of this process begins anew. Four a cell are far from any limit. */
const COUNTED_MAX = 4 * CELLS;

export interface LimitedEvent {
  readonly value: CanonicalEvent;
  readonly eventId: string;
}

export interface HeldBack {
  readonly events: readonly CanonicalEvent[];
  readonly allowUnknownItems?: boolean;
}

/**
 * How many events of a person and window this process has lately seen, or more: who shares a cell is counted together, which costs a question to the
 * store and holds nobody back.
 */
class RoughCount {
  readonly #cells = new Uint16Array(CELLS);
  #counted = 0;

  /** `salt`: a number of the source. Keys are pseudonyms, so their first bytes are as good as drawn. */
  add(person: SubjectKey, window: number, salt: number): number {
    if (++this.#counted > COUNTED_MAX) {
      this.#cells.fill(0);
      this.#counted = 1;
    }
    const key = person[0]! | (person[1]! << 8) | (person[2]! << 16) | (person[3]! << 24);
    const cell = Math.imul(key ^ Math.imul(window, 0x9e3779b1) ^ salt, 0x85ebca6b) >>> 12;
    const events = this.#cells[cell]! + 1;
    if (events <= 0xffff) this.#cells[cell] = events;
    return events;
  }
}

const seen = new RoughCount();

interface Window {
  readonly subject: SubjectKey;
  readonly window: number;
}

/** Windows of a batch whose person is near the limit, by name. */
function nearWindows(
  events: readonly LimitedEvent[],
  keyOf: (user: string) => SubjectKey,
  source: string,
  limit: PersonLimit,
): Map<string, Window> {
  const near = new Map<string, Window>();
  const salt = hashBytes(Buffer.from(source));
  for (const { value } of events) {
    const [subject, window] = [keyOf(value.user), windowOf(limit, value.occurredAt)];
    if (seen.add(subject, window, salt) > limit.events * NEAR) near.set(nameOf(value, limit), { subject, window });
  }
  return near;
}

const nameOf = ({ user, occurredAt }: CanonicalEvent, limit: PersonLimit): string =>
  `${windowOf(limit, occurredAt)} ${user}`;

/** Which events of a batch are beyond what their person may still bring, in order. An event that comes twice in it counts once. */
export async function beyondLimit<Event extends LimitedEvent>(
  events: readonly Event[],
  { keyOf, limit, source }: { keyOf: (user: string) => SubjectKey; limit: PersonLimit; source: string },
  { store, tenant, runKey }: RunContext,
): Promise<ReadonlySet<Event>> {
  const beyond = new Set<Event>();
  const near = nearWindows(events, keyOf, source, limit);
  if (near.size === 0) return beyond;
  const byWindow = Map.groupBy(
    events.filter(({ value }) => near.has(nameOf(value, limit))),
    ({ value }) => nameOf(value, limit),
  );
  for (const [name, own] of byWindow) {
    const ids = [...new Set(own.map(({ eventId }) => eventId))];
    const noted = { ...near.get(name)!, source, events: ids.length, enough: limit.events };
    const { others, released } = await store.personWindows.note(tenant, idOfRun(runKey), noted);
    if (released) continue;
    const within = new Set(ids.slice(0, Math.max(0, limit.events - others)));
    for (const event of own) if (!within.has(event.eventId)) beyond.add(event);
  }
  return beyond;
}

/** Keeps what is beyond, encrypted and unseen until `holdBack`. Gives its id. */
export async function keepBack(source: string, held: HeldBack, { store, tenant, runKey }: RunContext): Promise<string> {
  const id = idOfRun(runKey);
  const batch = { id, source, reason: 'EVENT_OVER_LIMIT', records: held.events.length };
  await store.quarantine.prepare(tenant, batch, Buffer.from(JSON.stringify(held)));
  return id;
}

export async function holdBack(held: string, { tenant }: Pick<RunDocument, 'tenant'>, { store }: Ports): Promise<void> {
  await store.quarantine.hold(tenant, held);
}

/**
 * Owns what an ActivityStreams document says as canonical records: activities become events, profiles people, and objects that were
 * sent along with a name catalogue items. One document may hold many (a Collection, several actors), and each is judged by itself.
 */
import {
  type CanonicalEvent,
  type CatalogueItem,
  checkEvent,
  type EventType,
  type Person,
} from '../../contract-kit/event.ts';
import { TEXT_CHARS_MAX } from '../../contract-kit/event-fields.ts';
import {
  checkContext,
  type Document,
  durationOf,
  fault,
  type Fault,
  isDocument,
  isFault,
  listOf,
  plainText,
  type Read,
  referenceOf,
  referencesOf,
  timeOf,
  typesOf,
  wordsOf,
} from './vocabulary.ts';

export type SocialRecord =
  | { readonly event: CanonicalEvent }
  | { readonly person: Person }
  | { readonly item: CatalogueItem }
  | { readonly refused: Fault & { readonly code: 'EVENT_INVALID' | 'EVENT_IN_FUTURE' } };

/** Collections in collections, activities in Create. */
const DEPTH_MAX = 4;
const MEMBERS_MAX = 1_000_000;
const NAME_CHARS_MAX = 200;
const TITLE_CHARS_MAX = 500;
const TOPICS_MAX = 50;

const ACTORS = new Set(['Person', 'Application', 'Group', 'Organization', 'Service']);
const COLLECTIONS = new Set(['Collection', 'OrderedCollection', 'CollectionPage', 'OrderedCollectionPage']);
const EVENT_OF: Readonly<Record<string, EventType>> = {
  Like: 'like',
  Announce: 'share',
  Share: 'share',
  Follow: 'follow',
  Listen: 'view',
  View: 'view',
  Read: 'view',
  Dislike: 'thumb',
  Ignore: 'not-interested',
};

const refused = ({ field, reason }: Fault): SocialRecord => ({ refused: { code: 'EVENT_INVALID', field, reason } });

/** Everything that a document says. `nowMs` bounds the future. */
export function* recordsOf(document: unknown, nowMs: number): Generator<SocialRecord> {
  if (!isDocument(document)) {
    yield refused(fault('', 'must be an object'));
    return;
  }
  const wrong = checkContext(document);
  if (wrong === undefined) yield* within(document, nowMs, 0);
  else yield refused(wrong);
}

function* within(document: Document, nowMs: number, depth: number): Generator<SocialRecord> {
  const types = typesOf(document);
  if (depth > DEPTH_MAX) yield refused(fault('', `lies more than ${DEPTH_MAX} levels deep`));
  else if (types.length === 0) yield refused(fault('type', 'is needed'));
  else if (types.some((type) => COLLECTIONS.has(type))) yield* membersOf(document, nowMs, depth);
  else if (types.some((type) => ACTORS.has(type))) yield profile(document);
  else if (types.includes('Create') || types.includes('Update')) yield* creation(document, nowMs);
  else {
    const type = types.find((name) => Object.hasOwn(EVENT_OF, name));
    if (type === undefined) yield refused(fault('type', `${shown(types)} is no signal that is taken in`));
    else yield* activity(document, EVENT_OF[type]!, document.object, nowMs, type === 'Dislike' ? { value: -1 } : {});
  }
}

/** Types are written by whoever sent them: only what looks like one is repeated. */
const shown = (types: readonly string[]): string => types.find((type) => /^[A-Z][A-Za-z]{0,39}$/.test(type)) ?? 'this';

function* membersOf(document: Document, nowMs: number, depth: number): Generator<SocialRecord> {
  const members = [...listOf(document.orderedItems ?? document.items)];
  if (isDocument(document.first)) members.push(document.first);
  if (members.length > MEMBERS_MAX) yield refused(fault('items', `are more than ${MEMBERS_MAX}`));
  else
    for (const member of members)
      if (isDocument(member)) yield* within(member, nowMs, depth + 1);
      else yield refused(fault('items', 'holds a reference: send the documents themselves'));
}

function profile(document: Document): SocialRecord {
  const id = referenceOf(document, '');
  if (isFault(id)) return refused({ ...id, field: 'id' });
  const name = wordsOf(document, 'name', NAME_CHARS_MAX);
  const handle = wordsOf(document, 'preferredUsername', NAME_CHARS_MAX);
  const summary = wordsOf(document, 'summary', TITLE_CHARS_MAX);
  const attributes = {
    ...(handle === undefined ? {} : { handle }),
    ...(summary === undefined ? {} : { summary: plainText(summary) }),
  };
  return {
    person: {
      id: id.value,
      ...(name === undefined ? {} : { name }),
      ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
    },
  };
}

/** A new profile, a comment (a note that answers something), or a published object. */
function* creation(document: Document, nowMs: number): Generator<SocialRecord> {
  const { object } = document;
  if (!isDocument(object)) {
    yield refused(fault('object', 'must be the object itself'));
    return;
  }
  if (typesOf(object).some((type) => ACTORS.has(type))) yield profile(object);
  else if (object.inReplyTo === undefined || object.inReplyTo === null) {
    const item = itemOf(object);
    yield item === undefined
      ? refused(fault('object.inReplyTo', 'a note that answers nothing is no signal'))
      : { item };
  } else {
    const text = plainText(wordsOf(object, 'content', TEXT_CHARS_MAX * 4) ?? '').slice(0, TEXT_CHARS_MAX);
    if (text === '') yield refused(fault('object.content', 'is needed'));
    else yield* activity({ published: object.published, ...document }, 'comment', object.inReplyTo, nowMs, { text });
  }
}

/** How much was watched, where start, end and duration say so; else all of it. */
function percentage({ startTime, endTime }: Document, object: unknown): number {
  const [start, end] = [timeOf(startTime, ''), timeOf(endTime, '')];
  const whole = isDocument(object) ? durationOf(object.duration) : undefined;
  if (isFault(start) || isFault(end) || whole === undefined || whole <= 0) return 100;
  return Math.max(0, Math.min(100, (100 * (end.value - start.value)) / whole));
}

function whenOf({ published, updated, startTime, endTime }: Document): Read<number> {
  return timeOf(published ?? updated ?? endTime ?? startTime, 'published');
}

function* activity(
  document: Document,
  type: EventType,
  object: unknown,
  nowMs: number,
  more: { readonly text?: string; readonly value?: number },
): Generator<SocialRecord> {
  const [actors, objects, at] = [
    referencesOf(document.actor, 'actor'),
    referencesOf(object, 'object'),
    whenOf(document),
  ];
  for (const read of [actors, objects, at])
    if (isFault(read)) {
      yield refused(read);
      return;
    }
  if (isFault(actors) || isFault(objects) || isFault(at)) return;
  for (const one of listOf(object)) {
    const item = isDocument(one) && type !== 'follow' ? itemOf(one) : undefined;
    if (item !== undefined) yield { item };
  }
  const id = referenceOf(document, 'id');
  const single = actors.value.length === 1 && objects.value.length === 1;
  const value = type === 'view' ? { value: percentage(document, listOf(object)[0]) } : {};
  for (const user of actors.value)
    for (const about of objects.value) {
      const whom = type === 'follow' ? { target: about } : { item: about };
      const name = isFault(id) || !single ? {} : { id: id.value };
      const checked = checkEvent({ ...name, type, user, ...whom, ...value, occurredAt: at.value, ...more }, 0, nowMs);
      yield checked.ok ? { event: checked.value } : problemOf(checked.rejection);
    }
}

function problemOf({
  code,
  field = '',
  reason,
}: {
  code: string;
  field?: string | undefined;
  reason: string;
}): SocialRecord {
  return { refused: { code: code === 'EVENT_IN_FUTURE' ? code : 'EVENT_INVALID', field, reason } };
}

/** An object that was sent along with its name, as an item of the catalogue. */
function itemOf(object: Document): CatalogueItem | undefined {
  const id = referenceOf(object, 'object');
  const title = wordsOf(object, 'name', TITLE_CHARS_MAX);
  if (isFault(id) || title === undefined || typesOf(object).some((type) => ACTORS.has(type))) return undefined;
  const creator = listOf(object.attributedTo).map((one) => referenceOf(one, ''))[0];
  const topics = listOf(object.tag).flatMap((tag) =>
    isDocument(tag) ? (wordsOf(tag, 'name', NAME_CHARS_MAX) ?? []) : [],
  );
  const durationMs = durationOf(object.duration);
  const published = timeOf(object.published, '');
  return {
    id: id.value,
    title: plainText(title),
    ...(creator === undefined || isFault(creator) ? {} : { creator: creator.value }),
    ...(topics.length === 0 ? {} : { topics: [...new Set(topics)].slice(0, TOPICS_MAX) }),
    ...(isFault(published) ? {} : { publishedAt: published.value }),
    ...(durationMs === undefined ? {} : { durationMs: Math.round(durationMs) }),
  };
}

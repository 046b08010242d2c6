/**
 * Owns whom services may ask for feedback now, and what answers changed. Asked at the moment itself: who has withdrawn, opted out or been asked since
 * the prompts were picked is left alone.
 */
import { hexOf } from '../../shared/governance/keys.ts';
import { effectOfEvent } from '../../shared/sources/feedback/schema.ts';
import { feedback } from '../../shared/sources/feedback/source.ts';
import type { ItemKey, PersonEvent, Release, Store, StoredItem, SubjectKey } from '../../shared/store/ports.ts';
import { isAskedLately } from '../asking/limits.ts';
import type { EffectsResponse, PromptNote, PromptResponse } from '../client/responses.ts';
import { WithdrawnSince } from './recommend.ts';

/** Answers that are told of, releases that are looked through, and items of a list. */
const ANSWERS_MAX = 20;
const RELEASES_MAX = 50;
const LIST_MAX = 20;

type Because = NonNullable<PromptResponse['because']>;

export class PromptDesk {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #withdrawn: WithdrawnSince;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
    this.#withdrawn = new WithdrawnSince(store);
  }

  async next(tenant: string, user: string): Promise<PromptResponse> {
    const { prompts, items } = this.#store;
    const subject = this.#subjectOf(tenant, user);
    const none = (because: Because): PromptResponse => ({ user, prompt: null, because });
    const marks = await prompts.marksOf(tenant, subject);
    if (marks.optedOut !== undefined) return none('opted-out');
    const current = await prompts.current(tenant);
    if (current === undefined) return none('no-moment');
    if (await this.#withdrawn.has(tenant, current.version, 'recommendation', subject)) return none('no-consent');
    if (isAskedLately(current.limits, marks.shown, this.#now())) return none('asked-lately');
    const found = await prompts.read(tenant, current.version, subject);
    if (found === undefined || found.until <= this.#now()) return none('no-moment');
    const item = (await items.read(tenant, [found.item])).get(hexOf(found.item));
    if (item === undefined) return none('no-moment'); // the catalogue no longer holds it
    const { ask, after, at, until } = found;
    return { user, prompt: { item: item.id, title: item.title, ask, after, at, until } };
  }

  async note(tenant: string, user: string, did: PromptNote): Promise<PromptResponse> {
    const { prompts } = this.#store;
    const subject = this.#subjectOf(tenant, user);
    if (did === 'shown') await prompts.noteShown(tenant, subject, this.#now());
    else await prompts.optOut(tenant, subject, did === 'opt-out' ? this.#now() : undefined);
    return this.next(tenant, user);
  }

  async effects(tenant: string, user: string): Promise<EffectsResponse> {
    const subject = this.#subjectOf(tenant, user);
    const answers = await this.#answersOf(tenant, subject);
    if (answers.length === 0) return { user, answers: [], before: [], after: [] };
    const lists = await this.#listsOf(tenant, subject);
    const known = await this.#store.items.read(tenant, [
      ...answers.flatMap(({ item }) => (item === undefined ? [] : [item])),
      ...lists.flatMap(({ items }) => items),
    ]);
    const told = answers.map((answer) => tell(answer, lists, known));
    const [before, after] = aroundOf(answers[0]!, lists);
    return { user, answers: told, before: listed(before, known), after: listed(after ?? before, known) };
  }

  #subjectOf(tenant: string, user: string): SubjectKey {
    return this.#store.people.keys(tenant, [user])[0]!;
  }

  /** What the person said when asked, or unasked, through the feedback source; newest first. */
  async #answersOf(tenant: string, subject: SubjectKey): Promise<PersonEvent[]> {
    const found: PersonEvent[] = [];
    for await (const event of this.#store.events.of(tenant, subject))
      if (event.source === feedback.name) found.push(event);
    return found.sort((a, b) => b.recordedAt - a.recordedAt).slice(0, ANSWERS_MAX);
  }

  /** The person's lists that have been published, oldest first. None of who has withdrawn. */
  async #listsOf(tenant: string, subject: SubjectKey): Promise<List[]> {
    const { releases, served, versions } = this.#store;
    const live = await releases.live(tenant);
    const ofLive = live?.candidates;
    if (ofLive === undefined) return [];
    if (await this.#withdrawn.has(tenant, ofLive, 'recommendation', subject)) return [];
    const lists: List[] = [];
    const seen = new Set<string>();
    for (const release of (await releases.history(tenant, RELEASES_MAX)).toReversed()) {
      const { candidates } = release;
      if (candidates === undefined || seen.has(candidates)) continue;
      seen.add(candidates);
      const list = await served.candidates(tenant, candidates, subject);
      if (list === undefined) continue;
      const { asOf } = await versions.read(tenant, candidates);
      lists.push({ release, asOf, items: list.items.slice(0, LIST_MAX) });
    }
    return lists.sort((a, b) => a.asOf - b.asOf);
  }
}

interface List {
  readonly release: Release;
  /** Moment up to which it was learned. */
  readonly asOf: number;
  readonly items: readonly ItemKey[];
}
type Known = ReadonlyMap<string, StoredItem>;

/** The last list that did not know of the answer, and the first that did. */
function aroundOf({ recordedAt }: PersonEvent, lists: readonly List[]): [List | undefined, List | undefined] {
  return [lists.findLast(({ asOf }) => asOf < recordedAt), lists.find(({ asOf }) => asOf >= recordedAt)];
}

function placeOf(list: List | undefined, item: ItemKey): number | null {
  const at = list?.items.findIndex((one) => Buffer.compare(one, item) === 0) ?? -1;
  return at < 0 ? null : at + 1;
}

function tell(answer: PersonEvent, lists: readonly List[], known: Known): EffectsResponse['answers'][number] {
  const { type, item, value, occurredAt: at } = answer;
  const [before, after] = aroundOf(answer, lists);
  const id = item === undefined ? undefined : known.get(hexOf(item))?.id;
  return {
    type,
    ...(id !== undefined && { item: id }),
    ...(value !== undefined && { value }),
    at,
    effect: effectOfEvent(type, value),
    release: after?.release.version ?? null,
    ...(item !== undefined && { position: { before: placeOf(before, item), after: placeOf(after ?? before, item) } }),
  };
}

function listed(list: List | undefined, known: Known): EffectsResponse['before'] {
  return (list?.items ?? []).flatMap((key, n) => {
    const item = known.get(hexOf(key));
    return item === undefined ? [] : [{ item: item.id, title: item.title, position: n + 1 }];
  });
}

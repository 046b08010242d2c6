/**
 * Owns how a recommendation is answered from the live release: the person's list if there is one and the person has not
 * withdrawn since it was made, else what newcomers get; and the exposure, written before anything is answered.
 */
import { randomUUID } from 'node:crypto';
import { outputIfReadable } from '../../shared/contract-kit/versions.ts';
import { AppError } from '../../shared/errors.ts';
import { hexOf } from '../../shared/governance/keys.ts';
import type { ItemKey, Release, ServedCandidates, Store, StoredItem, SubjectKey } from '../../shared/store/ports.ts';
import type { RecommendationsResponse, SegmentsResponse } from '../client/responses.ts';
import { segmentation } from '../segmentation/contract.ts';

/** How items are chosen: the list as it was published, cut at k. Deterministic, hence no propensity. */
const POLICY = 'published-top-k';
const EXPOSURE_SOURCE = 'gateway';

interface Withdrawals {
  readonly version: string;
  /** When the version was made: consents that have ended since count. */
  readonly madeAt: number;
  epoch: number;
  readonly subjects: Set<string>;
}

/**
 * People who withdrew a purpose after a version was made. One entry a tenant and part, brought up to date with one read of the
 * consent log; someone who consents again is served again with the next version.
 */
export class WithdrawnSince {
  readonly #store: Store;
  readonly #known = new Map<string, Withdrawals>();

  constructor(store: Store) {
    this.#store = store;
  }

  async has(
    tenant: string,
    version: string,
    purpose: 'recommendation' | 'segmentation',
    subject: SubjectKey,
  ): Promise<boolean> {
    const slot = `${tenant}.${purpose}`;
    let known = this.#known.get(slot);
    if (known?.version !== version) {
      known = { version, ...(await this.#momentOf(tenant, version)), subjects: new Set() };
      this.#known.set(slot, known);
    }
    const { consents } = this.#store;
    const { epoch, subjects } = await consents.withdrawnSince(tenant, known.epoch, [purpose], known.madeAt);
    for (const one of subjects) known.subjects.add(hexOf(one));
    known.epoch = Math.max(known.epoch, epoch);
    return known.subjects.has(hexOf(subject));
  }

  /** Where somebody was erased whom the version knew, others are served from it until the next release: then every withdrawal and every end counts, whenever it was. */
  async #momentOf(tenant: string, version: string): Promise<Pick<Withdrawals, 'epoch' | 'madeAt'>> {
    try {
      const { consentEpoch = 0, createdAt } = await this.#store.versions.read(tenant, version);
      return { epoch: consentEpoch, madeAt: createdAt };
    } catch (thrown) {
      if (thrown instanceof AppError && thrown.code === 'DATASET_ERASED') return { epoch: 0, madeAt: 0 };
      throw thrown;
    }
  }
}

async function liveRelease(store: Store, tenant: string): Promise<Release> {
  const release = await store.releases.live(tenant);
  if (release === undefined) throw new AppError('NOT_PUBLISHED');
  return release;
}

function subjectOf(store: Store, tenant: string, user: string): SubjectKey {
  const [subject] = store.people.keys(tenant, [user]);
  if (subject === undefined) throw new AppError('INTERNAL');
  return subject;
}

/** Whose list a name is shown: the person's, as long as the link holds. */
async function personOf(store: Store, tenant: string, subject: SubjectKey): Promise<SubjectKey> {
  const word = await store.identities.of(tenant, subject);
  const isLinked =
    word?.state === 'given' && word.relation === 'same-person' && word.purposes.includes('recommendation');
  return isLinked ? word.main : subject;
}

export interface ShownItem {
  readonly key: ItemKey;
  readonly item: StoredItem;
  readonly score: number;
  /** Of what the person liked, what the item resembles most. */
  readonly because: StoredItem | undefined;
}
export interface ShownList {
  readonly release: Release;
  /** Version of the candidates. */
  readonly candidates: string;
  readonly subject: SubjectKey;
  readonly origin: ServedCandidates['origin'];
  /** Best first, at most k; what the catalogue no longer holds is left out. */
  readonly items: readonly ShownItem[];
}

/**
 * Reads what a person is shown: their list in the live release if they have one and have not withdrawn since it was made, else what newcomers get.
 * The function throws NOT_PUBLISHED where nothing is.
 */
export function listReader(
  store: Store,
  withdrawn = new WithdrawnSince(store),
): (tenant: string, user: string, k: number) => Promise<ShownList> {
  const hasWithdrawn = (tenant: string, version: string, subject: SubjectKey): Promise<boolean> =>
    withdrawn.has(tenant, version, 'recommendation', subject);
  const listFor = async (
    tenant: string,
    version: string,
    subject: SubjectKey,
    person: SubjectKey,
  ): Promise<ServedCandidates> => {
    const own = await store.served.candidates(tenant, version, person);
    const isTheirs = own !== undefined && own.items.length > 0 && !(await hasWithdrawn(tenant, version, person));
    if (isTheirs && (person === subject || !(await hasWithdrawn(tenant, version, subject)))) return own;
    const fallback = await store.served.fallback(tenant, version);
    if (fallback === undefined)
      throw new AppError('NOT_PUBLISHED', { message: 'The release has no list for newcomers.', details: { version } });
    return fallback;
  };
  return async (tenant, user, k) => {
    const release = await liveRelease(store, tenant);
    const { candidates } = release;
    if (candidates === undefined)
      throw new AppError('NOT_PUBLISHED', {
        message: 'The release has no candidates.',
        details: { part: 'candidates' },
      });
    const subject = subjectOf(store, tenant, user);
    const list = await listFor(tenant, candidates, subject, await personOf(store, tenant, subject));
    const keys = list.items.slice(0, k);
    const reasons = list.reasons?.slice(0, k) ?? [];
    const known = await store.items.read(tenant, [...keys, ...reasons.filter((key) => key !== undefined)]);
    const items = keys.flatMap((key, index) => {
      const item = known.get(hexOf(key));
      const reason = reasons[index];
      const because = reason === undefined ? undefined : known.get(hexOf(reason));
      return item === undefined ? [] : [{ key, item, score: list.scores[index] ?? 0, because }];
    });
    return { release, candidates, subject, origin: list.origin, items };
  };
}

/** The reason as it is answered; nothing where there is none. */
export function reasonOf({ because }: ShownItem): { because?: { item: string; title: string } } {
  return because === undefined ? {} : { because: { item: because.id, title: because.title } };
}

export interface Recommender {
  recommend(tenant: string, user: string, k: number): Promise<RecommendationsResponse>;
  segment(tenant: string, user: string): Promise<SegmentsResponse>;
}

export function recommender(store: Store, now: () => number): Recommender {
  const withdrawn = new WithdrawnSince(store);
  const readList = listReader(store, withdrawn);

  return {
    async recommend(tenant, user, k) {
      const [{ release, candidates, subject, origin, items: shown }, consents] = await Promise.all([
        readList(tenant, user, k),
        store.consents.snapshot(tenant),
      ]);
      const requestId = randomUUID();
      const model = origin === 'model' ? (release.embeddings ?? candidates) : candidates;
      const exposure = {
        requestId,
        tenant,
        subject,
        at: now(),
        release: release.version,
        model,
        policy: POLICY,
        source: EXPOSURE_SOURCE,
        items: shown.map(({ key }) => ({ item: key, propensity: null })),
      };
      // Whoever was erased gets what newcomers get, and leaves no trace by it.
      if (!consents.isErased(subject)) await store.exposures.write(exposure);
      return {
        requestId,
        user,
        release: release.version,
        model,
        policy: POLICY,
        origin,
        items: shown.map((one, index) =>
          Object.assign(
            { item: one.item.id, title: one.item.title, score: one.score, position: index + 1 },
            reasonOf(one),
          ),
        ),
      };
    },

    async segment(tenant, user) {
      const release = await liveRelease(store, tenant);
      if (release.segments === undefined)
        throw new AppError('NOT_PUBLISHED', { message: 'The release has no segments.', details: { part: 'segments' } });
      const subject = subjectOf(store, tenant, user);
      const found = await store.served.segment(tenant, release.segments, subject);
      const nobody = { user, release: release.version, segment: null };
      if (found === undefined || (await withdrawn.has(tenant, release.segments, 'segmentation', subject)))
        return nobody;
      const name = await segmentName(store, tenant, release.segments, found);
      return { user, release: release.version, segment: found, ...(name === undefined ? {} : { name }) };
    },
  };
}

/** The name that the run of a segments version gave to one of them. */
async function segmentName(
  store: Store,
  tenant: string,
  version: string,
  segment: number,
): Promise<string | undefined> {
  const { runKey } = await store.versions.read(tenant, version);
  return outputIfReadable(segmentation, await store.ledger.read(runKey))?.segments[segment]?.name;
}

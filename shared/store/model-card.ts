/**
 * Owns model cards (Mitchell et al., "Model Cards for Model Reporting", FAT* 2019): what is recorded of a version of embeddings and of the audit of what was
 * published with it, in the order in which a reader asks. Nothing is said here that is not recorded; what is missing is said to be.
 */
import type { AuditReport } from '../contract-kit/audit-report.ts';
import { AppError } from '../errors.ts';
import type { DatasetVersion, Pointer, Release, Store } from './ports.ts';

export type Channel = 'live' | 'candidate' | 'previous';

export interface CardSection {
  readonly title: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly words?: readonly string[];
}
export interface ModelCard {
  readonly version: string;
  readonly model: string;
  readonly state: DatasetVersion['state'];
  readonly channels: readonly Channel[];
  readonly sections: readonly CardSection[];
}

/** What a card is made from. */
export interface CardSources {
  readonly embeddings: DatasetVersion;
  readonly dataset: DatasetVersion | undefined;
  readonly audit: DatasetVersion | undefined;
  readonly channels: readonly Channel[];
}

/** Versions and releases that are looked at, newest first. */
export const MODELS_LISTED_MAX = 100;

/** Throws DATASET_NOT_FOUND, DATASET_ERASED. */
export async function readCardSources(store: Store, tenant: string, version: string): Promise<CardSources> {
  const embeddings = await store.versions.read(tenant, version);
  if (embeddings.kind !== 'embeddings')
    throw new AppError('DATASET_NOT_FOUND', { message: `Version ${version} is no model.`, details: { version } });
  const read = async (id: string | undefined): Promise<DatasetVersion | undefined> =>
    id === undefined ? undefined : store.versions.read(tenant, id).catch(() => undefined);
  const channels = await readChannels(store, tenant);
  const audited = channels.releases.find((release) => release.embeddings === version && release.audit !== undefined);
  return {
    embeddings,
    dataset: await read(embeddings.inputs[0]),
    audit: await read(audited?.audit),
    channels: channelsOf(version, channels),
  };
}

export interface Channels {
  readonly releases: readonly Release[];
  readonly live: Pointer | undefined;
  readonly candidate: Pointer | undefined;
}

export async function readChannels({ releases }: Pick<Store, 'releases'>, tenant: string): Promise<Channels> {
  const [history, live, candidate] = await Promise.all([
    releases.history(tenant, MODELS_LISTED_MAX),
    releases.pointer(tenant),
    releases.candidate(tenant),
  ]);
  return { releases: history, live, candidate };
}

/** The channels whose release names the version. A candidate that was promoted is none any more. */
export function channelsOf(embeddings: string, { candidate, live, releases }: Channels): readonly Channel[] {
  const released = (id: string | undefined): Release | undefined => releases.find(({ version }) => version === id);
  const isLive = candidate?.version === live?.version;
  const found: [Channel, Release | undefined][] = [
    ['live', released(live?.version)],
    ['candidate', isLive ? undefined : released(candidate?.version)],
    ['previous', released(released(live?.version)?.previous)],
  ];
  return found.filter(([, release]) => release?.embeddings === embeddings).map(([channel]) => channel);
}

/** The newest release that names the version. Throws NOT_FOUND. */
export function releaseOf(embeddings: string, { releases }: Channels): string {
  const found = releases.find((release) => release.embeddings === embeddings);
  if (found !== undefined) return found.version;
  throw new AppError('NOT_FOUND', {
    message: `No release names ${embeddings}: it was trained, not published.`,
    details: { version: embeddings },
  });
}

interface Recorded {
  readonly model?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly metrics?: {
    readonly k: number;
    readonly users: number;
    readonly recall: number;
    readonly ndcg: number;
  } | null;
  readonly intervals?: Readonly<Record<string, readonly [number, number]>>;
  readonly engine?: string;
  readonly threads?: number;
  readonly seed?: number;
  readonly holdout?: number;
  readonly users?: number;
  readonly items?: number;
  readonly factors?: number;
  readonly interactions?: number;
  readonly bestEpoch?: number;
  readonly tuning?: string;
  readonly warmStart?: { readonly version: string | null; readonly refused: string | null };
  readonly data?: {
    readonly sources: readonly string[];
    readonly events: number;
    readonly from: number;
    readonly to: number;
  };
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const moment = (ms: number): string => new Date(ms).toISOString();
const number = (value: number): string => value.toLocaleString('en');
const share = (value: number): string => value.toFixed(4);

export function modelCard({ audit, channels, dataset, embeddings }: CardSources): ModelCard {
  const recorded = embeddings.meta as Recorded;
  return {
    version: embeddings.version,
    model: recorded.model ?? 'unknown',
    state: embeddings.state,
    channels,
    sections: [
      use(),
      data(embeddings, dataset, recorded),
      training(embeddings, recorded),
      accuracy(recorded),
      fairness(audit),
      limits(embeddings, recorded),
    ],
  };
}

function use(): CardSection {
  return {
    title: 'Intended use',
    facts: [],
    words: [
      'To rank the items of the catalogue for the people whom it learned from, in candidate-generation. A score orders items for one person; it is no probability, and scores of two people are not compared.',
      'Not for decisions about people, nor for people whom it did not learn from: they get what is popular.',
    ],
  };
}

function data(embeddings: DatasetVersion, dataset: DatasetVersion | undefined, recorded: Recorded): CardSection {
  const span = recorded.data;
  return {
    title: 'Data',
    facts: [
      ['Data set', embeddings.inputs[0] ?? 'not recorded'],
      ['As of', moment(dataset?.asOf ?? embeddings.asOf)],
      ['Sources', span?.sources.join(', ') ?? 'not recorded'],
      ['Events', span === undefined ? 'not recorded' : number(span.events)],
      ['Likings', recorded.interactions === undefined ? 'not recorded' : number(recorded.interactions)],
      ['From', span === undefined ? 'not recorded' : `${day(span.from)} to ${day(span.to)}`],
      ['People', number(recorded.users ?? embeddings.rows)],
      ['Items', recorded.items === undefined ? 'not recorded' : number(recorded.items)],
      ['Consent', `for recommendation, as of entry ${embeddings.consentEpoch ?? 0} of the consent log`],
    ],
  };
}

function training(embeddings: DatasetVersion, recorded: Recorded): CardSection {
  const { bestEpoch, engine, factors, params = {}, seed, threads, tuning, warmStart } = recorded;
  const begun = warmStart?.refused == null ? warmStart?.version : undefined;
  return {
    title: 'Training',
    facts: [
      ['Trained', moment(embeddings.createdAt)],
      ['Run', embeddings.runKey],
      ['Code', embeddings.codeVersion],
      ['Engine', threads === undefined ? String(engine) : `${engine}, ${threads} threads`],
      ['Seed', String(seed)],
      ['Factors', String(factors)],
      ['Parameters', JSON.stringify(params)],
      ...(tuning === undefined ? [] : [['Parameters chosen by', tuning] as const]),
      ...(bestEpoch === undefined ? [] : [['Stopped after', `${bestEpoch} epochs, by a validation part`] as const]),
      ['Begun from', begun ?? 'the beginning'],
    ],
  };
}

function accuracy({ holdout, intervals, metrics }: Recorded): CardSection {
  const title = 'Accuracy';
  if (metrics == null) return { title, facts: [], words: ['Not measured: nothing was held out.'] };
  const between = (name: string): string => {
    const [low, high] = intervals?.[name] ?? [Number.NaN, Number.NaN];
    return Number.isFinite(low) && low !== null ? ` (95 % interval ${share(low)} to ${share(high)})` : '';
  };
  return {
    title,
    facts: [
      [`NDCG@${metrics.k}`, `${share(metrics.ndcg)}${between('ndcg')}`],
      [`Recall@${metrics.k}`, `${share(metrics.recall)}${between('recall')}`],
      ['People', number(metrics.users)],
    ],
    words: [
      `Full ranking of the catalogue, measured on ${holdout === undefined ? 'a share' : `${Math.round(holdout * 100)} %`} of the likings, held out at random, by a model with the same parameters that had not seen them and began at the beginning. Intervals are over people, not over trainings.`,
    ],
  };
}

function fairness(audit: DatasetVersion | undefined): CardSection {
  const title = 'Groups';
  const report = (audit?.meta as { report?: { holdout?: AuditReport; published?: AuditReport } } | undefined)?.report;
  const shown = report?.holdout ?? report?.published;
  if (audit === undefined || shown === undefined)
    return { title, facts: [], words: ['Not audited: no release with an audit names this version.'] };
  const facts = shown.attributes.flatMap(({ attribute, groups }) =>
    groups.map(
      ({ group, metrics, people }) =>
        [`${attribute}: ${group}`, `${number(people)} people${figuresOf(metrics)}`] as const,
    ),
  );
  return {
    title,
    facts: [['Audit', audit.version], ...facts],
    words: ['The figures of each group, with intervals and tests, are in the audit.'],
  };
}

const FIGURES_SHOWN_MAX = 4;

function figuresOf(metrics: AuditReport['overall']): string {
  const shown = Object.entries(metrics).flatMap(([name, estimate]) => {
    if (!estimate.estimable) return [];
    const { interval, value } = estimate;
    return [
      `${name} ${share(value)}${interval === null ? '' : ` (${share(interval.low)} to ${share(interval.high)})`}`,
    ];
  });
  return shown.length === 0 ? '' : `; ${shown.slice(0, FIGURES_SHOWN_MAX).join(', ')}`;
}

function limits(embeddings: DatasetVersion, recorded: Recorded): CardSection {
  return {
    title: 'Limits',
    facts: [['State', embeddings.state]],
    words: [
      'It knows what people did, not why: what was shown more is liked more, and it learns that too.',
      'A holdout at random says less about tomorrow than a later one would.',
      ...(recorded.engine === 'wasm-relaxed-simd'
        ? ['Its bytes may differ in the last bits on a CPU that rounds relaxed SIMD otherwise.']
        : []),
      ...(recorded.engine?.startsWith('tfjs-node') === true
        ? ['libtensorflow sums in an order of its own: trained again it is alike, not equal byte by byte.']
        : []),
      ...(recorded.warmStart?.version != null && recorded.warmStart.refused === null
        ? [
            'It went on from an earlier version: what that had learned stays in it. Proofs of erasure need a model that began at the beginning.',
          ]
        : []),
      ...(embeddings.state === 'stale'
        ? ['Somebody whom it learned from has withdrawn since: it is to be replaced.']
        : []),
    ],
  };
}

/** The card as Markdown. */
export function cardMarkdown(card: ModelCard): string {
  const { channels, model, sections, state, version } = card;
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const body = sections.flatMap(({ facts, title, words = [] }) => [
    `## ${title}`,
    '',
    ...(facts.length === 0
      ? []
      : ['| | |', '| --- | --- |', ...facts.map(([name, value]) => `| ${cell(name)} | ${cell(value)} |`), '']),
    ...words.flatMap((sentence) => [sentence, '']),
  ]);
  const where = channels.length === 0 ? 'in no channel' : channels.join(', ');
  return [`# Model card: ${model} ${version}`, '', `State ${state}, ${where}.`, '', ...body].join('\n');
}

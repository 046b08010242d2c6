/**
 * Owns the names of collections and how documents are called: every _id starts with its tenant, followed by a dot.
 * Tenants hold no dot, so the ids of one tenant are one range.
 */
import { hexOf } from '../../governance/keys.ts';

export const COLLECTIONS = {
  people: 'people',
  texts: 'person_texts',
  items: 'items',
  consentLog: 'consent_log',
  trail: 'trail',
  counters: 'counters',
  blocks: 'blocks',
  partitions: 'event_partitions',
  manifests: 'event_manifests',
  versions: 'versions',
  candidates: 'candidates',
  segments: 'segments',
  exposures: 'exposures',
  prompts: 'prompts',
  currentPrompts: 'prompts_current',
  promptMarks: 'prompt_marks',
  identities: 'identities',
  /** What was spent of the privacy budget, and the answers that it was spent on. */
  budgets: 'privacy_budget',
  questions: 'private_questions',
  answers: 'private_answers',
  sums: 'secure_sums',
  sumShares: 'secure_sum_shares',
  checkpoints: 'checkpoints',
  tunings: 'tunings',
  claims: 'claims',
  claimParts: 'claim_parts',
  journal: 'outbox',
  apiKeys: 'api_keys',
  webhooks: 'webhooks',
  quarantine: 'quarantine',
  personWindows: 'person_windows',
  lineage: 'lineage',
  /** What was told of runs. */
  lineageEvents: 'lineage_events',
  mappings: 'source_mappings',
  verdicts: 'verdicts',
  accounts: 'accounts',
  spentTokens: 'spent_tokens',
  formats: 'formats',
  organisations: 'organisations',
  keyring: 'keyring',
  erasures: 'erasure_reports',
  runs: 'runs',
  pipelineRuns: 'pipeline_runs',
  releases: 'releases',
  pointers: 'pointers',
  /** Since when nobody names a block; kept by collection. */
  unnamed: 'unnamed',
} as const;

/** Documents of one insertMany or ids of one $in. */
export const CHUNK_DOCS = 1000;

export const idOf = (tenant: string, ...parts: readonly string[]): string => `${tenant}.${parts.join('.')}`;
export const entityId = (tenant: string, key: Uint8Array): string => `${tenant}.${hexOf(key)}`;

/** All ids that start with `prefix` and a dot: '/' follows '.' in byte order. */
export function idsUnder(prefix: string): { $gte: string; $lt: string } {
  return { $gte: `${prefix}.`, $lt: `${prefix}/` };
}

const SEQUENCE_DIGITS = 12;
/** Padded so that the order of the text is the order of the numbers. */
export const sequenceText = (sequence: number): string => String(sequence).padStart(SEQUENCE_DIGITS, '0');

export function* chunksOf<T>(values: readonly T[], size = CHUNK_DOCS): Generator<readonly T[]> {
  for (let at = 0; at < values.length; at += size) yield values.slice(at, at + size);
}

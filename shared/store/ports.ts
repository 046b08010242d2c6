/**
 * Owns what the rest of the house may ask of the feature store. Processors, executor, gateway and dashboard speak
 * to these ports; only shared/store/mongo knows the driver. Every document starts with its tenant.
 *
 * Order of an effect: immutable data first (nobody sees it), then the commit of the run, then pointers and manifests
 * ("follow"), each of them idempotent by runKey, so that a crash anywhere is rolled forward by a retry or the sweeper.
 */
import type { Accounts, ApiKeys, Claims } from './ports/access.ts';
import type { Answers } from './ports/answers.ts';
import type { Budgets } from './ports/budgets.ts';
import type { Checkpoints } from './ports/checkpoints.ts';
import type { DeadLetters } from './ports/dead-letters.ts';
import type { Collector } from './ports/collection.ts';
import type { Erasures } from './ports/erasure.ts';
import type { Events } from './ports/events.ts';
import type { Formats } from './ports/formats.ts';
import type { Keyring } from './ports/keyring.ts';
import type { Journal } from './ports/outbox.ts';
import type { Consents, Items, People } from './ports/people.ts';
import type { Identities } from './ports/identities.ts';
import type { Organisations, Receipts } from './ports/organisation.ts';
import type { PersonWindows } from './ports/person-windows.ts';
import type { PersonTokens } from './ports/person-tokens.ts';
import type { PipelineRuns } from './ports/pipeline-runs.ts';
import type { Lineage } from './ports/lineage.ts';
import type { LineageEvents } from './ports/lineage-events.ts';
import type { Prompts } from './ports/prompts.ts';
import type { Mappings, Quarantine } from './ports/quarantine.ts';
import type { Releases } from './ports/releases.ts';
import type { Ledger } from './ports/runs.ts';
import type { Exposures, Served } from './ports/served.ts';
import type { Ticks } from './ports/ticks.ts';
import type { Sums } from './ports/sums.ts';
import type { Trail } from './ports/trail.ts';
import type { Tunings } from './ports/tunings.ts';
import type { Verdicts } from './ports/verdicts.ts';
import type { Versions } from './ports/versions.ts';
import type { Webhooks } from './ports/webhooks.ts';

export * from './ports/access.ts';
export type * from './ports/answers.ts';
export type * from './ports/budgets.ts';
export type * from './ports/checkpoints.ts';
export type * from './ports/dead-letters.ts';
export * from './ports/collection.ts';
export * from './ports/erasure.ts';
export type * from './ports/events.ts';
export type * from './ports/formats.ts';
export * from './ports/identities.ts';
export type * from './ports/keyring.ts';
export type * from './ports/keys.ts';
export type * from './ports/organisation.ts';
export type * from './ports/outbox.ts';
export * from './ports/people.ts';
export type * from './ports/person-windows.ts';
export * from './ports/person-tokens.ts';
export type * from './ports/pipeline-runs.ts';
export type * from './ports/lineage.ts';
export type * from './ports/lineage-events.ts';
export type * from './ports/prompts.ts';
export type * from './ports/quarantine.ts';
export type * from './ports/releases.ts';
export * from './ports/runs.ts';
export type * from './ports/served.ts';
export type * from './ports/sums.ts';
export type * from './ports/ticks.ts';
export * from './ports/trail.ts';
export type * from './ports/tunings.ts';
export type * from './ports/verdicts.ts';
export * from './ports/versions.ts';
export type * from './ports/webhooks.ts';

export interface Store extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly deadLetters: DeadLetters;
  readonly releases: Releases;
  readonly pipelineRuns: PipelineRuns;
  readonly ticks: Ticks;
  readonly tunings: Tunings;
  readonly people: People;
  readonly items: Items;
  readonly consents: Consents;
  readonly organisations: Organisations;
  readonly receipts: Receipts;
  readonly identities: Identities;
  readonly events: Events;
  readonly erasures: Erasures;
  readonly versions: Versions;
  readonly checkpoints: Checkpoints;
  readonly served: Served;
  readonly exposures: Exposures;
  readonly budgets: Budgets;
  readonly answers: Answers;
  readonly sums: Sums;
  readonly prompts: Prompts;
  readonly claims: Claims;
  readonly journal: Journal;
  readonly apiKeys: ApiKeys;
  readonly accounts: Accounts;
  readonly personTokens: PersonTokens;
  readonly webhooks: Webhooks;
  readonly trail: Trail;
  readonly lineage: Lineage;
  readonly lineageEvents: LineageEvents;
  readonly quarantine: Quarantine;
  readonly personWindows: PersonWindows;
  readonly mappings: Mappings;
  readonly verdicts: Verdicts;
  readonly collector: Collector;
  readonly formats: Formats;
  readonly keyring: Keyring;
  /** One round trip; throws SERVICE_UNAVAILABLE. Returns the server's name and version. */
  ping(): Promise<{ readonly server: string; readonly ms: number }>;
}

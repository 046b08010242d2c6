/**
 * Owns what a committed run read and wrote, as data sets of OpenLineage: versions by kind with their version facet (embeddings are the model), and what
 * stands: sources with their declared terms, the log of events, the catalogue, the release. What is in no document is not said.
 */
import { EVENT_FIELDS } from '../../shared/contract-kit/event-fields.ts';
import { type Facets, facet, type LineageDataset, ownFacet } from '../../shared/governance/open-lineage/facets.ts';
import { namespaceOf } from '../../shared/governance/open-lineage/run-events.ts';
import { sourceOf } from '../../shared/sources/registry.ts';
import type { RunDocument, StandingSet, VersionKind, VersionOutline, Versions } from '../../shared/store/ports.ts';

const SOURCE = 'source.';

const KINDS: Readonly<Record<VersionKind, string>> = {
  events: 'Events as they stood at a moment, for jobs to read.',
  features: 'Feature views of people.',
  segments: 'Groups of people who behave alike.',
  embeddings: 'A trained model: factors of people and items.',
  candidates: 'Lists of items for people.',
  audit: 'A bias audit of lists.',
  blocks: 'A part of a training that is shared among workers.',
  prompts: 'Moments at which people may be asked.',
  statistics: 'Who was behind figures that were told without noise.',
};

const STANDING: Readonly<Record<string, string>> = {
  'event-log': 'Every event that was taken in, encrypted, by month and shard.',
  catalogue: 'Items.',
  people: 'Profiles, each in an envelope of its own.',
  answers: 'What devices answered under randomised response.',
  consents: 'The log of who allowed what.',
  quarantine: 'Batches of a schema version that nobody has said the meaning of.',
  release: 'What is published together.',
};

export interface RunDatasets {
  readonly inputs: readonly LineageDataset[];
  readonly outputs: readonly LineageDataset[];
}

interface Place {
  readonly namespace: string;
  readonly tenant: string;
}

export async function datasetsOf(
  run: RunDocument,
  versions: Pick<Versions, 'outline'>,
  base: string,
): Promise<RunDatasets> {
  const { lineage, output, state, tenant, version } = run;
  if (state !== 'committed') return { inputs: [], outputs: [] };
  const place = { namespace: namespaceOf(base, tenant), tenant };
  const named = [...new Set([...(lineage?.inputs ?? []), ...(version == null ? [] : [version])])];
  const outlines = await versions.outline(tenant, named);
  const made = outlines.find((one) => one.version === version);
  const read = outlines.filter((one) => one !== made);
  const { accepted, release } = (output ?? {}) as { accepted?: unknown; release?: { version?: unknown } };
  return {
    inputs: [
      ...(lineage?.reads ?? []).map((set) => standing(set, place, 'input')),
      ...read.map((one) => ofVersion(one, place, 'input')),
    ],
    outputs: [
      ...(lineage?.writes ?? []).map((set) => standing(settled(set, accepted), place, 'output', release?.version)),
      ...(made === undefined ? [] : [ofVersion(made, place, 'output')]),
    ],
  };
}

/** What was accepted in the end: some of it may have been there before. */
const settled = (set: StandingSet, accepted: unknown): StandingSet =>
  set.rows !== undefined && set.name === 'event-log' && typeof accepted === 'number' ? { ...set, rows: accepted } : set;

type Side = 'input' | 'output';

function rowsFacet(side: Side, rows: number | undefined): Pick<LineageDataset, 'inputFacets' | 'outputFacets'> {
  if (rows === undefined) return {};
  const counted = { rowCount: rows };
  return side === 'input'
    ? { inputFacets: { inputStatistics: facet('inputStatistics', counted) } }
    : { outputFacets: { outputStatistics: facet('outputStatistics', counted) } };
}

function ofVersion(outline: VersionOutline, { namespace, tenant }: Place, side: Side): LineageDataset {
  const { arrays, kind, model, rows, version } = outline;
  const fields = kind === 'events' ? EVENT_FIELDS.map((name) => ({ name })) : arrays;
  return {
    namespace,
    name: kind === 'embeddings' ? `model.${model ?? 'unknown'}` : kind,
    facets: {
      version: facet('version', { datasetVersion: version }),
      documentation: facet('documentation', { description: KINDS[kind] }),
      dataSource: storeSource(tenant),
      ...(fields.length === 0 ? {} : { schema: facet('schema', { fields: fields.map(({ name }) => ({ name })) }) }),
      ...(kind === 'embeddings' ? { datasetType: facet('datasetType', { datasetType: 'MODEL' }) } : {}),
    },
    ...rowsFacet(side, rows),
  };
}

const storeSource = (tenant: string) =>
  facet('dataSource', { name: 'Millrace feature store', uri: `urn:millrace:store:${tenant}` });

function standing(set: StandingSet, place: Place, side: Side, version?: unknown): LineageDataset {
  const { name, rows, schema } = set;
  const { namespace, tenant } = place;
  const isSource = name.startsWith(SOURCE);
  return {
    namespace,
    name,
    facets: isSource
      ? sourceFacets(name.slice(SOURCE.length), schema)
      : {
          ...(STANDING[name] === undefined
            ? {}
            : { documentation: facet('documentation', { description: STANDING[name] }) }),
          dataSource: storeSource(tenant),
          ...(typeof version === 'string' ? { version: facet('version', { datasetVersion: version }) } : {}),
        },
    ...rowsFacet(side, rows),
  };
}

function sourceFacets(name: string, schema: string | undefined): Facets {
  const { basis, licence, purposes, reliability, retentionDays, title } = sourceOf(name);
  return {
    documentation: facet('documentation', { description: title }),
    dataSource: facet('dataSource', { name, uri: `urn:millrace:source:${name}` }),
    schema: facet('schema', { fields: EVENT_FIELDS.map((field) => ({ name: field })) }),
    ...(schema === undefined ? {} : { version: facet('version', { datasetVersion: schema }) }),
    millrace_terms: ownFacet('terms', { licence: licence.name, basis, purposes, reliability, retentionDays }),
  };
}

/**
 * Owns the forms of OpenLineage 2-0-2 that Millrace writes (openlineage.io/spec/2-0-2): events, and the facets in them. Each facet names the version of its
 * own schema. What is the house's own has its prefix, and a URN for a schema: docs/lineage.md describes it.
 */
import { hash } from 'node:crypto';

/** Of the events' form; raised when it changes. */
const ADAPTER_VERSION = '1';
export const PRODUCER = `urn:millrace:open-lineage:${ADAPTER_VERSION}`;
export const SCHEMA_URL = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';

export const EVENT_TYPES = ['START', 'COMPLETE', 'FAIL', 'ABORT'] as const;
export type LineageEventType = (typeof EVENT_TYPES)[number];

export type Facet = Readonly<Record<string, unknown>> & { readonly _producer: string; readonly _schemaURL: string };
export type Facets = Readonly<Record<string, Facet>>;

export interface JobRef {
  readonly namespace: string;
  readonly name: string;
}
export interface LineageDataset extends JobRef {
  readonly facets: Facets;
  readonly inputFacets?: Facets;
  readonly outputFacets?: Facets;
}
export interface RunEvent {
  readonly eventType: LineageEventType;
  readonly eventTime: string;
  readonly producer: string;
  readonly schemaURL: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: JobRef & { readonly facets: Facets };
  readonly inputs: readonly LineageDataset[];
  readonly outputs: readonly LineageDataset[];
}

/** Versions of the standard facets, as their schemas' `$id` has them. */
const STANDARD = {
  nominalTime: ['1-0-1', 'NominalTimeRunFacet'],
  parent: ['1-2-0', 'ParentRunFacet'],
  errorMessage: ['1-0-1', 'ErrorMessageRunFacet'],
  processing_engine: ['1-1-1', 'ProcessingEngineRunFacet'],
  jobType: ['2-0-4', 'JobTypeJobFacet'],
  jobDocumentation: ['1-1-0', 'DocumentationJobFacet'],
  sourceCodeLocation: ['1-1-0', 'SourceCodeLocationJobFacet'],
  documentation: ['1-1-0', 'DocumentationDatasetFacet'],
  ownership: ['1-0-1', 'OwnershipDatasetFacet'],
  dataSource: ['1-0-1', 'DatasourceDatasetFacet'],
  schema: ['1-2-0', 'SchemaDatasetFacet'],
  version: ['1-0-1', 'DatasetVersionDatasetFacet'],
  datasetType: ['1-0-1', 'DatasetTypeDatasetFacet'],
  inputStatistics: ['1-0-0', 'InputStatisticsInputDatasetFacet'],
  outputStatistics: ['1-0-2', 'OutputStatisticsOutputDatasetFacet'],
} as const;

/** A standard facet. */
export function facet(name: keyof typeof STANDARD, fields: Readonly<Record<string, unknown>>): Facet {
  const [version, type] = STANDARD[name];
  return {
    _producer: PRODUCER,
    _schemaURL: `https://openlineage.io/spec/facets/${version}/${type}.json#/$defs/${type}`,
    ...fields,
  };
}

/** One of the house's own. */
export const ownFacet = (name: string, fields: Readonly<Record<string, unknown>>): Facet => ({
  _producer: PRODUCER,
  _schemaURL: `urn:millrace:open-lineage:facet:${name}:1`,
  ...fields,
});

/** UUIDv5 (RFC 9562) of "https://openlineage.io/millrace" under the namespace of URLs; never changes. */
const NAMESPACE = Buffer.from('477d56e73e1050d49bfb50924f1e0ca4', 'hex');

/** A UUID of version 5: what was derived from a name is derived from it again, in any language. */
export function uuidOf(name: string): string {
  const bytes = hash('sha1', Buffer.concat([NAMESPACE, Buffer.from(name)]), 'buffer').subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

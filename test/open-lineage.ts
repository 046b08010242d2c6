/**
 * Owns what events of lineage are held against: the form of OpenLineage 2-0-2 and of the standard facets that Millrace writes, written down here from the
 * published specification, and closed: a field that the specification does not know is refused, where the published schemas let everything pass. With
 * `specification` the published schemas themselves (the folder `spec` of OpenLineage's repository) are asked too.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AnySchemaObject, Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const text = { type: 'string' } as const;
const uri = { type: 'string', format: 'uri' } as const;
const time = { type: 'string', format: 'date-time', pattern: 'Z$' } as const;
const uuid = { type: 'string', format: 'uuid' } as const;
const count = { type: 'integer', minimum: 0 } as const;

const closed = (properties: Readonly<Record<string, unknown>>, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const facet = (properties: Readonly<Record<string, unknown>>, required = Object.keys(properties)) =>
  closed({ _producer: uri, _schemaURL: uri, ...properties }, ['_producer', '_schemaURL', ...required]);
const facets = (known: Readonly<Record<string, unknown>>, required: readonly string[] = []) =>
  closed(known, [...required]);

const named = closed({ namespace: text, name: text });
const field = closed({ name: text, type: text }, ['name']);

const datasetFacets = facets({
  documentation: facet({ description: text }),
  ownership: facet({ owners: { type: 'array', items: closed({ name: text, type: text }, ['name']) } }),
  dataSource: facet({ name: text, uri }),
  schema: facet({ fields: { type: 'array', items: field, minItems: 1 } }),
  version: facet({ datasetVersion: text }),
  datasetType: facet({ datasetType: text }),
  millrace_terms: facet({
    licence: text,
    basis: text,
    purposes: { type: 'array', items: text },
    reliability: text,
    retentionDays: { type: ['number', 'null'] },
  }),
});
const dataset = (side: Readonly<Record<string, unknown>>) =>
  closed({ namespace: text, name: text, facets: datasetFacets, ...side }, ['namespace', 'name', 'facets']);

const runFacets = facets(
  {
    nominalTime: facet({ nominalStartTime: time }),
    parent: facet({ run: closed({ runId: uuid }), job: named }),
    errorMessage: facet({ message: { type: 'string', pattern: '^[A-Z][A-Z0-9_]+$' }, programmingLanguage: text }),
    processing_engine: facet({ name: text, version: text }),
    millrace_run: facet(
      {
        runKey: text,
        pipelineRun: text,
        step: text,
        state: text,
        claims: count,
        computeSeconds: { type: 'number', minimum: 0 },
        consentEpoch: count,
        engine: text,
        seed: { type: 'number' },
        threads: count,
      },
      [],
    ),
  },
  ['nominalTime', 'millrace_run'],
);
const jobFacets = facets(
  {
    jobType: facet({ processingType: { const: 'BATCH' }, integration: text, jobType: { enum: ['JOB', 'PIPELINE'] } }),
    documentation: facet({ description: text }),
    sourceCodeLocation: facet({ type: text, url: uri, version: text }),
  },
  ['jobType'],
);

export const RUN_EVENT: AnySchemaObject = closed({
  eventType: { enum: ['START', 'COMPLETE', 'FAIL', 'ABORT'] },
  eventTime: time,
  producer: uri,
  schemaURL: { const: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent' },
  run: closed({ runId: uuid, facets: runFacets }),
  job: closed({ namespace: text, name: text, facets: jobFacets }),
  inputs: { type: 'array', items: dataset({ inputFacets: facets({ inputStatistics: facet({ rowCount: count }) }) }) },
  outputs: {
    type: 'array',
    items: dataset({ outputFacets: facets({ outputStatistics: facet({ rowCount: count }) }) }),
  },
});

type Check = (event: unknown) => string[];

const problemsOf = (validate: ValidateFunction, value: unknown, what: string): string[] =>
  validate(value)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${what}${instancePath} ${message}`);

/** Tells what is wrong with an event. */
export function lineageChecker(specification?: string): Check {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  addFormats.default(ajv);
  const own = ajv.compile(RUN_EVENT);
  const published = specification === undefined ? undefined : publishedChecker(specification);
  return (event) => [...problemsOf(own, event, 'event'), ...(published?.(event) ?? [])];
}

function publishedChecker(folder: string): Check {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  addFormats.default(ajv);
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as AnySchemaObject;
  const main = read(join(folder, 'OpenLineage.json'));
  ajv.addSchema(main);
  for (const name of readdirSync(join(folder, 'facets')))
    if (name.endsWith('.json')) ajv.addSchema(read(join(folder, 'facets', name)));
  const event = ajv.compile({ $ref: `${String(main.$id)}#/$defs/RunEvent` });
  return (value) => [
    ...problemsOf(event, value, 'event'),
    ...facetsIn(value).flatMap((one) => facetProblems(ajv, one)),
  ];
}

const SCHEMA = '_schemaURL';

interface Found {
  readonly name: string;
  readonly url: string;
  readonly value: unknown;
}

function facetsIn(value: unknown): Found[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const url: unknown = (inner as Readonly<Record<string, unknown>> | null)?.[SCHEMA];
    return typeof url === 'string' ? [{ name, url, value: inner }] : facetsIn(inner);
  });
}

/** A facet of the house has a URN, and no published schema. */
function facetProblems(ajv: Ajv2020, { name, url, value }: Found): string[] {
  if (name.startsWith('millrace_')) return [];
  const validate = ajv.getSchema(url);
  return validate === undefined ? [`${name}: there is no ${url}`] : problemsOf(validate, value, name);
}

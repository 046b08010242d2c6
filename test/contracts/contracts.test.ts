/** Contracts in time: what was published is read for ever, and a contract that changes says so by its version. */
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { parseOfVersion } from '../../jobs/client/open-input.ts';
import { contractOf, JOB_KINDS, type JobKind } from '../../jobs/registry.ts';
import { oldestVersion, readOutput } from '../../shared/contract-kit/versions.ts';
import { RECORDS, recordedSamples, recordedSchema, type Sample, schemaOf } from './samples.ts';

const samples = recordedSamples();

/** What is wrong with the record of the version that is in force, in words that say what to do; undefined: nothing. */
function problemOf(kind: JobKind): string | undefined {
  const contract = contractOf(kind);
  const { version } = contract;
  const own = samples.filter((sample) => sample.kind === kind && sample.version === version);
  if (!['input', 'output'].every((what) => own.some((sample) => sample.what === what)))
    return `version ${version} of ${kind} is not recorded: run \`npm run contracts\` and commit test/contracts/${kind}/v${version}`;
  if (isDeepStrictEqual(JSON.parse(JSON.stringify(schemaOf(contract))), recordedSchema(contract))) return undefined;
  return (
    `the contract of ${kind} has changed, but still calls itself version ${version}: raise its version to ${version + 1}, give it ` +
    `\`upcasters\` from ${version} and run \`npm run contracts\` (docs/contracts.md says how). Only if version ${version} was ` +
    `never released: remove test/contracts/${kind}/v${version} and run it`
  );
}

test.each(JOB_KINDS)('the contract of %s is what was recorded, with samples, for its version', (kind) => {
  expect(problemOf(kind)).toBeUndefined();
});

test('every version up to the newest has its samples and is still read', () => {
  const missing = JOB_KINDS.flatMap((kind) => {
    const contract = contractOf(kind);
    const recorded = new Set(samples.filter((sample) => sample.kind === kind).map(({ version }) => version));
    const wanted = Array.from({ length: contract.version }, (_, index) => index + 1);
    return wanted
      .filter((version) => !recorded.has(version) || version < oldestVersion(contract))
      .map((version) => `${kind} v${version}`);
  });
  expect(missing).toEqual([]);
});

/** The sample as today's contract reads it; throws what that throws. */
function read({ kind, version, what, value }: Sample): unknown {
  const contract = contractOf(kind);
  if (what === 'output') return readOutput(contract, version, value);
  const parsed = parseOfVersion(contract, version, value) as Record<string, unknown>;
  for (const [name, schema] of Object.entries(RECORDS[kind] ?? {}))
    for (const one of listOf(parsed[name])) schema.parse(one);
  return parsed;
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

test.each(samples.map((sample) => [sample.file, sample] as const))('%s is still read', (_file, sample) => {
  expect(read(sample)).toBeDefined();
});

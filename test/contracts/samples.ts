/**
 * Owns the record of every contract version that was ever published: its schema, and samples of input and output, one for each
 * alternative with every field and one with the needed fields alone. They are written once, by `npm run contracts`, and never again.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Shape } from '../../docs/json-shape.ts';
import { PROJECT_DIR } from '../../shared/config.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { consentSchema, eventSchema, itemSchema, personSchema } from '../../shared/contract-kit/event.ts';

export const SAMPLES_DIR = join(PROJECT_DIR, 'test', 'contracts');
const SCHEMA_FILE = 'contract.json';

/** Records that a contract leaves loose, since they are checked one by one: they belong to it all the same. */
export const RECORDS: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
  ingestion: { events: eventSchema, items: itemSchema, people: personSchema, consents: consentSchema },
};

const shapeOf = (schema: z.ZodType, io: 'input' | 'output'): Shape => {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Shape & {
    $schema?: string;
  };
  return shape;
};

/** What must not change under a published version. */
export function schemaOf(contract: Contract): Record<string, unknown> {
  const records = Object.entries(RECORDS[contract.kind] ?? {});
  return {
    input: shapeOf(contract.input, 'input'),
    output: shapeOf(contract.output, 'output'),
    personal: contract.personal,
    ...(records.length === 0
      ? {}
      : { records: Object.fromEntries(records.map(([name, schema]) => [name, shapeOf(schema, 'input')])) }),
  };
}

const TEXTS = ['main', 'https://example.com/hook', '2026-01-02T03:04:05Z', 'a'.repeat(64), 'a'.repeat(8), '0', '*'];

function textFor({ pattern, minLength = 0 }: Shape): string {
  const fits = (text: string): boolean =>
    text.length >= minLength && (pattern === undefined || new RegExp(pattern, 'u').test(text));
  const found = TEXTS.find(fits);
  if (found === undefined) throw new Error(`no text of samples.ts fits ${pattern}: add one that does`);
  return found;
}

function numberFor({ minimum, exclusiveMinimum }: Shape): number {
  const low = exclusiveMinimum === undefined ? (minimum ?? 1) : exclusiveMinimum + 1;
  return Number.isSafeInteger(low) && low > Number.MIN_SAFE_INTEGER ? low : 1;
}

/** A value of the shape; `whole`: with every optional field. */
function valueOf(shape: Shape, whole: boolean): unknown {
  if (shape.const !== undefined) return shape.const;
  if (shape.enum !== undefined) return shape.enum[0];
  const choices = shape.anyOf ?? shape.oneOf;
  if (choices !== undefined) return valueOf(choices.at(whole ? 0 : -1) as Shape, whole);
  if (shape.default !== undefined) return shape.default;
  switch (typeof shape.type === 'object' ? shape.type.at(whole ? 0 : -1) : shape.type) {
    case 'string':
      return textFor(shape);
    case 'integer':
    case 'number':
      return numberFor(shape);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'array':
      return Array.from({ length: Math.max(shape.minItems ?? 0, whole ? 1 : 0) }, () =>
        valueOf(shape.items ?? {}, whole),
      );
    case 'object':
      return objectOf(shape, whole);
    default:
      return 'anything';
  }
}

function objectOf(shape: Shape, whole: boolean): Record<string, unknown> {
  const { properties, required = [], additionalProperties } = shape;
  if (properties === undefined)
    return whole && typeof additionalProperties === 'object' ? { name: valueOf(additionalProperties, whole) } : {};
  const names = Object.keys(properties).filter((name) => whole || required.includes(name));
  return Object.fromEntries(names.map((name) => [name, valueOf(properties[name] as Shape, whole)]));
}

/** Puts records of their own schema where the contract takes anything. */
function withRecords(kind: string, value: unknown, whole: boolean): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => {
      const schema = RECORDS[kind]?.[name];
      return schema === undefined ? [name, entry] : [name, [valueOf(shapeOf(schema, 'input'), whole)]];
    }),
  );
}

/** Samples of a schema, as they travel: parsed and serialised again. */
function samplesOf(kind: string, schema: z.ZodType, io: 'input' | 'output'): unknown[] {
  const shape = shapeOf(schema, io);
  const made = (shape.anyOf ?? shape.oneOf ?? [shape]).flatMap((choice) =>
    [true, false].map((whole) => withRecords(kind, valueOf(choice, whole), whole)),
  );
  const texts = made.map((value) => JSON.stringify(schema.parse(value)));
  return [...new Set(texts)].map((text) => JSON.parse(text) as unknown);
}

const folderOf = (kind: string, version: number): string => join(SAMPLES_DIR, kind, `v${version}`);

/** The schema that was recorded for a version; undefined: none was. */
export function recordedSchema({ kind, version }: Contract): unknown {
  const path = join(folderOf(kind, version), SCHEMA_FILE);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

export interface Sample {
  readonly kind: string;
  readonly version: number;
  readonly what: 'input' | 'output';
  readonly file: string;
  readonly value: unknown;
}

/** Every sample that was ever recorded. */
export function recordedSamples(): Sample[] {
  const folders = readdirSync(SAMPLES_DIR, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.flatMap(({ name: kind }) =>
    readdirSync(join(SAMPLES_DIR, kind)).flatMap((folder) =>
      readdirSync(join(SAMPLES_DIR, kind, folder))
        .filter((file) => file !== SCHEMA_FILE)
        .map((file) => ({
          kind,
          version: Number(folder.slice(1)),
          what: file.startsWith('input') ? ('input' as const) : ('output' as const),
          file: `${kind}/${folder}/${file}`,
          value: JSON.parse(readFileSync(join(SAMPLES_DIR, kind, folder, file), 'utf8')) as unknown,
        })),
    ),
  );
}

/** Records a contract's version unless it was recorded before; true when it was new. */
export function recordVersion(contract: Contract): boolean {
  const folder = folderOf(contract.kind, contract.version);
  if (existsSync(folder)) return false;
  const files: [string, unknown][] = [[SCHEMA_FILE, schemaOf(contract)]];
  for (const what of ['input', 'output'] as const)
    samplesOf(contract.kind, contract[what], what).forEach((value, index) => {
      files.push([`${what}-${index + 1}.json`, value]);
    });
  mkdirSync(folder, { recursive: true });
  for (const [name, value] of files) writeFileSync(join(folder, name), `${JSON.stringify(value, undefined, 2)}\n`);
  return true;
}

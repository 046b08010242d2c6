/**
 * Owns the pages of docs/ that follow from the code: errors.md from the table of codes, contracts.md from the contracts.
 * `npm run docs` writes them; a test fails while they are behind.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { JOB_CLASS } from '../jobs/gateway/job-classes.ts';
import { CONTRACTS, JOB_KINDS } from '../jobs/registry.ts';
import type { Contract } from '../shared/contract-kit/define-job.ts';
import { consentSchema, eventSchema, itemSchema, personSchema } from '../shared/contract-kit/event.ts';
import type { Shape } from './json-shape.ts';
import { ERROR_CODES } from '../shared/errors.ts';
import { JOB_CLASSES, PERMISSIONS, type Role, ROLES } from '../shared/governance/roles.ts';
import { EVENTS } from '../shared/telemetry/events.ts';
import { EVENT_METRICS, GAUGES, PROCESS_METRICS } from '../shared/telemetry/metrics.ts';
import { CLASSES_HEAD, ROLES_HEAD } from './roles-words.ts';
import { METRICS_HEAD, TELEMETRY_HEAD } from './telemetry-words.ts';

const NOTE = '<!-- Written by `npm run docs`; change the code, not this page. -->';

/** One field of a record, as a row of a table. */
interface Field {
  readonly name: string;
  readonly type: string;
  readonly needed: boolean;
  /** As JSON. */
  readonly default?: string;
}

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

/** Bounds that say something to a reader: the largest safe integers do not. */
function rangeOf({ minimum, exclusiveMinimum, maximum }: Shape): string {
  const isSafe = (bound: number): boolean => Math.abs(bound) === Number.MAX_SAFE_INTEGER;
  const low = exclusiveMinimum === undefined ? minimum : exclusiveMinimum;
  const parts: string[] = [];
  if (low !== undefined && !isSafe(low)) parts.push(`${exclusiveMinimum === undefined ? '>=' : '>'} ${low}`);
  if (maximum !== undefined && !isSafe(maximum)) parts.push(`<= ${maximum}`);
  return parts.length === 0 ? '' : ` ${parts.join(', ')}`;
}

/** A schema in a line of TypeScript-like words. */
function typeOf(shape: Shape): string {
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  if (shape.enum !== undefined) return shape.enum.map((value) => JSON.stringify(value)).join(' | ');
  const choices = shape.anyOf ?? shape.oneOf;
  if (choices !== undefined) return choices.map(typeOf).join(' | ');
  if (shape.type === 'array') return `(${typeOf(shape.items ?? {})})[]`.replace(/^\((\w+)\)\[\]$/, '$1[]');
  if (shape.type === 'object') {
    if (shape.properties === undefined || Object.keys(shape.properties).length === 0)
      return typeof shape.additionalProperties === 'object'
        ? `{ [name]: ${typeOf(shape.additionalProperties)} }`
        : '{}';
    const fields = fieldsOf(shape).map(({ name, type, needed }) => `${name}${needed ? '' : '?'}: ${type}`);
    return `{ ${fields.join(', ')} }`;
  }
  if (shape.type === undefined) return 'anything';
  if (typeof shape.type !== 'string') return shape.type.join(' | ');
  return `${shape.format === 'date-time' ? 'ISO 8601 text' : shape.type}${rangeOf(shape)}`;
}

function fieldsOf({ properties = {}, required = [] }: Shape): Field[] {
  return Object.entries(properties).map(([name, shape]) => {
    const field = { name, type: typeOf(shape), needed: required.includes(name) };
    return shape.default === undefined ? field : Object.assign(field, { default: JSON.stringify(shape.default) });
  });
}

const fieldTable = (shape: Shape): string[] =>
  table(
    ['Field', 'Type', ''],
    fieldsOf(shape).map((field) => {
      const absent = field.default === undefined ? 'optional' : `default ${code(field.default)}`;
      return [code(field.name), code(field.type), field.needed ? 'needed' : absent];
    }),
  );

/** The JSON schema of what a caller gives (`input`) or gets (`output`). */
const shapeOf = (schema: z.ZodType, io: 'input' | 'output'): Shape =>
  z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Shape;

function alternatives(shape: Shape): string[] {
  const lines: string[] = [];
  for (const choice of shape.anyOf ?? shape.oneOf ?? [shape]) {
    if (lines.length > 0) lines.push('or', '');
    lines.push(...fieldTable(choice), '');
  }
  return lines;
}

function recordLines(): string[] {
  const lines: string[] = [];
  for (const [name, schema] of Object.entries({
    Event: eventSchema,
    Item: itemSchema,
    Person: personSchema,
    Consent: consentSchema,
  }))
    lines.push(`## ${name}`, '', ...fieldTable(shapeOf(schema, 'input')), '');
  return lines;
}

function contractLines(contract: Contract): string[] {
  const { kind, version, title, personal, effect, purposes, strict, limits } = contract;
  return [
    `## ${kind}, version ${version}`,
    '',
    `${title} Effect: \`${effect}\`. Input: ${personal ? 'personal, sealed by the client' : 'not personal'}.`,
    `Purposes: ${purposes.length === 0 ? 'none' : purposes.join(', ')}${strict ? '; strict' : ''}.`,
    `Limits: ${Object.entries(limits)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}.`,
    '',
    'Input',
    '',
    ...alternatives(shapeOf(contract.input, 'input')),
    'Output',
    '',
    ...alternatives(shapeOf(contract.output, 'output')),
  ];
}

/** How a contract may change. */
const CHANGING = `# Changing a contract

A version that was published once is read for ever. Any change of what a contract takes or gives (a field, a default, a bound; for ingestion
also a field of a record) makes a new version:

1. Raise \`version\` in \`jobs/<kind>/contract.ts\`.
2. Give it \`upcasters\`, by the version that each leads away from: \`{ 1: { input: upcast(oldInput, (old) => ...), output: upcast(oldOutput, ...) } }\`.
   \`upcast\` checks the old value by the old schema and types it. An input is upcast as it was serialised, before any default of today;
   \`output\` may be left out while old outputs are outputs of the new version as they are. Leave the older upcasters alone: they run one after the other.
3. Run \`npm run contracts\`: it records schema and samples of the new version in \`test/contracts/<kind>/v<version>/\` and touches nothing that is
   there. A test reads every sample ever recorded as its contract of today, and fails when a contract changed without a new version.

Deploy workers before those who enqueue, and who reads results before both takes only what both versions give: what a result has may be added to, and
taken away a deploy later. \`personal\` does not change from version to version: that is another kind.

What a process meets:

- An older version: the input is upcast when the job is opened, outputs of the ledger when they are read (by pipelines, pointers that follow, the
  gateway, whoever asks for the same run again). The run document says of which version its output is.
- A newer version than it knows: \`CONTRACT_VERSION_UNKNOWN\`. The job is put off 5 s at a time, 120 times (ten minutes at least), for a newer worker, then
  parked. A newer output is left to a newer process.
- An older version than the oldest upcaster: \`CONTRACT_VERSION_RETIRED\`, parked at once.

Identity is of the input as it was made: \`inputHash\` is of the serialised input, whatever its version. So a key that was used under version 1 and is tried again
by a producer that has moved to version 2 is the same run only if both serialise to the same text; else it is \`KEY_REUSED\`: the first one is in, once, and keeps its outcome.
`.trimEnd();

/** docs/contracts.md. */
function contractsPage(): string {
  const text = [
    '# Contracts',
    '',
    NOTE,
    '',
    'What may be asked, kind by kind. A field that is not named here is refused. The sources are `jobs/<kind>/contract.ts`.',
    'Times are integers (milliseconds since 1970, UTC) or ISO 8601 texts with an offset.',
    '',
    ...Object.values(CONTRACTS).flatMap(contractLines),
    ...CHANGING.split('\n'),
    '',
    '# Records of ingestion',
    '',
    'Checked one by one: a bad record is reported with its index, field and code, the good ones go in. Which event type needs',
    'which fields, in which range, is in `shared/contract-kit/event.ts`.',
    '',
    ...recordLines(),
  ];
  return `${text.join('\n').trimEnd()}\n`;
}

/** docs/errors.md. */
function errorsPage(): string {
  const codes = Object.entries(ERROR_CODES).sort(([a], [b]) => (a < b ? -1 : 1));
  const rows = codes.map(([name, { status, retry, what, todo }]) => [code(name), String(status), retry, what, todo]);
  const text = [
    '# Errors',
    '',
    NOTE,
    '',
    'Every failure has one of these codes; a code never changes its meaning. It reaches a caller as',
    '`{ code, message, retry, details }`: from the gateway with the HTTP status below, from the client as an `AppError`, from',
    '`millrace ... --json` as `{ "error": ... }`.',
    '',
    'Retry: `never`, the same request fails again; `backoff`, a passing fault, try again after a while; `later`, this process',
    'cannot, another one or a later moment can.',
    '',
    ...table(['Code', 'HTTP', 'Retry', 'What happened', 'What to do'], rows),
  ];
  return `${text.join('\n')}\n`;
}

/** docs/telemetry.md. */
function telemetryPage(): string {
  const events = Object.entries(EVENTS).map(([name, { level, says, fields }]) => [
    code(name),
    says,
    level,
    Object.entries(fields)
      .map(([field, type]) => code(type.endsWith('?') ? `${field}?` : field))
      .join(' '),
  ]);
  const metrics = [
    ...Object.entries(EVENT_METRICS).map(([name, { type, unit, what }]) => [code(name), type, unit, what]),
    ...Object.entries(GAUGES).map(([name, { unit, what }]) => [code(name), 'gauge', unit, what]),
    ...Object.entries(PROCESS_METRICS).map(([name, { type, unit, what }]) => [code(name), type, unit, what]),
  ];
  const text = [
    '# Telemetry',
    '',
    NOTE,
    '',
    ...TELEMETRY_HEAD,
    '',
    '## Events',
    '',
    ...table(['Event', 'In words', 'Log', 'Fields'], events),
    '',
    '## Metrics',
    '',
    ...METRICS_HEAD,
    '',
    ...table(['Metric', 'Type', 'Unit', 'What'], metrics),
  ];
  return `${text.join('\n')}\n`;
}

/** docs/roles.md. */
function rolesPage(): string {
  const marks = (roles: readonly Role[]): string[] => ROLES.map((role) => (roles.includes(role) ? 'yes' : ''));
  const permissions = Object.entries(PERMISSIONS).map(([name, { what, roles, trail }]) => [
    code(name),
    what,
    ...marks(roles),
    trail,
  ]);
  const classes = Object.entries(JOB_CLASSES).map(([name, { what, roles }]) => [
    name,
    what,
    JOB_KINDS.filter((kind) => JOB_CLASS[kind] === name)
      .map(code)
      .join(' '),
    ...marks(roles),
  ]);
  const text = [
    '# Roles',
    '',
    NOTE,
    '',
    ...ROLES_HEAD,
    '',
    ...table(['Permission', 'To', ...ROLES, 'Trail'], permissions),
    '',
    '## Kinds of jobs',
    '',
    ...CLASSES_HEAD,
    '',
    ...table(['Class', 'Of', 'Kinds', ...ROLES], classes),
  ];
  return `${text.join('\n')}\n`;
}

/** As the gate wants it: Biome sets tables, too. */
function formatted(name: string, text: string): string {
  const biome = join(import.meta.dirname, '..', 'node_modules', '.bin', 'biome');
  return execFileSync(biome, ['format', `--stdin-file-path=${name}`], { input: text, encoding: 'utf8' });
}

/** The generated pages by file name in docs/. */
export const pages = (): Readonly<Record<string, string>> => ({
  'errors.md': formatted('errors.md', errorsPage()),
  'contracts.md': formatted('contracts.md', contractsPage()),
  'roles.md': formatted('roles.md', rolesPage()),
  'telemetry.md': formatted('telemetry.md', telemetryPage()),
});

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, text] of Object.entries(pages())) writeFileSync(join(import.meta.dirname, name), text);

/** Owns `millrace models`: the versions of embeddings that were trained, the card of each, its files, and which of them is live. */
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { userInfo } from 'node:os';
import { type Command, Option } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import type { DenseRows } from '../../../shared/numerics/types.ts';
import {
  cardMarkdown,
  channelsOf,
  MODELS_LISTED_MAX,
  modelCard,
  readCardSources,
  readChannels,
  releaseOf,
} from '../../../shared/store/model-card.ts';
import { promote, rollBack } from '../../../shared/store/release-pointer.ts';
import { vectorDocuments } from '../../../shared/store/mongo/vectors.ts';
import type { DatasetVersion, Store } from '../../../shared/store/ports.ts';
import type { Cli } from '../cli.ts';
import { count, table } from '../output.ts';
import type { Session } from '../session.ts';
import { npy } from './export.ts';

const KEY_BYTES = 16;
const FORMATS = ['npy', 'float32', 'bson'] as const;
type Format = (typeof FORMATS)[number];

/** A version by its name, or by the channel that it is in. */
async function versionOf(store: Store, tenant: string, name: string): Promise<string> {
  if (name !== 'live' && name !== 'candidate' && name !== 'previous') return name;
  const channels = await readChannels(store, tenant);
  const found = channels.releases.find(
    ({ embeddings }) => embeddings !== undefined && channelsOf(embeddings, channels).includes(name),
  );
  if (found?.embeddings !== undefined) return found.embeddings;
  throw new AppError('NOT_PUBLISHED', { message: `No model is ${name}.`, details: { channel: name } });
}

/** Without where its bytes lie. */
function factsOf(version: DatasetVersion): Omit<DatasetVersion, 'blocks'> {
  const { blocks, ...facts } = version;
  void blocks;
  return facts;
}

const row = ({ createdAt, meta, state, version }: DatasetVersion, channels: readonly string[]): string[] => {
  const { model } = meta;
  const metrics = meta['metrics'] as { readonly k: number; readonly ndcg: number } | null | undefined;
  return [
    version,
    typeof model === 'string' ? model : '',
    new Date(createdAt).toISOString().slice(0, 19),
    metrics == null ? '-' : `NDCG@${metrics.k} ${metrics.ndcg.toFixed(4)}`,
    state,
    channels.join(', '),
  ];
};

async function list({ config: { tenant }, output, store: open }: Session): Promise<void> {
  const store = await open();
  const channels = await readChannels(store, tenant);
  const versions = await store.versions.latest(tenant, 'embeddings', MODELS_LISTED_MAX);
  const models = versions.map((found) => ({ found, channels: channelsOf(found.version, channels) }));
  const value = models.map(({ channels, found }) => ({ ...factsOf(found), channels }));
  output.result({ models: value }, () =>
    models.length === 0
      ? 'No model is trained yet: `millrace run refresh --wait`.'
      : table(models.map(({ channels, found }) => row(found, channels))),
  );
}

async function show({ config: { tenant }, output, store: open }: Session, name: string): Promise<void> {
  const store = await open();
  const { audit, channels, dataset, embeddings } = await readCardSources(
    store,
    tenant,
    await versionOf(store, tenant, name),
  );
  const value = { ...factsOf(embeddings), channels, dataset: dataset?.version, audit: audit?.version };
  output.result(value, () => JSON.stringify(value, undefined, 2));
}

async function card({ config: { tenant }, output, store: open }: Session, name: string, out?: string): Promise<void> {
  const store = await open();
  const made = modelCard(await readCardSources(store, tenant, await versionOf(store, tenant, name)));
  if (out !== undefined) await written(out, writeFile(out, `${cardMarkdown(made)}\n`));
  output.result(out === undefined ? made : { version: made.version, out }, () =>
    out === undefined ? cardMarkdown(made) : `The card of ${made.version} is in ${out}.`,
  );
}

async function written(path: string, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    throw new AppError('FILE_NOT_FOUND', { message: `${path} cannot be written.`, details: { file: path }, cause });
  }
}

/** PREFIX.users and PREFIX.items; for the plain formats the keys of the rows beside them, one a line. */
async function exportModel(
  { config: { tenant }, output, store: open }: Session,
  name: string,
  { format, out }: { readonly format: Format; readonly out: string },
): Promise<void> {
  const store = await open();
  const version = await versionOf(store, tenant, name);
  const arrays = await store.versions.arrays(tenant, await store.versions.read(tenant, version));
  const rows: Record<string, number> = {};
  for (const [side, factorsName, keysName] of [
    ['users', 'userFactors', 'subjects'],
    ['items', 'itemFactors', 'itemKeys'],
  ] as const) {
    const [data, keys] = [arrays.get(factorsName), arrays.get(keysName)];
    if (!(data instanceof Float32Array && keys instanceof Uint8Array))
      throw new AppError('DATASET_NOT_FOUND', { message: `Version ${version} holds no ${factorsName}.` });
    const length = keys.length / KEY_BYTES;
    await writeSide(`${out}.${side}`, format, keys, { rows: length, width: data.length / Math.max(1, length), data });
    rows[side] = length;
  }
  output.result(
    { version, format, out, rows },
    () =>
      `${count(rows['users']!)} people and ${count(rows['items']!)} items written to ${out}.*, under pseudonyms: still personal data.`,
  );
}

async function writeSide(path: string, format: Format, keys: Uint8Array, factors: DenseRows): Promise<void> {
  const options = { mode: 0o600 };
  const { data, rows, width } = factors;
  if (format === 'bson') {
    const file = `${path}.bson`;
    const documents = Readable.from(vectorDocuments(keys, factors));
    return written(file, pipeline(documents, createWriteStream(file, options)));
  }
  const name = Array.from(
    { length: rows },
    (_, n) => `${Buffer.from(keys.subarray(n * KEY_BYTES, (n + 1) * KEY_BYTES)).toString('hex')}\n`,
  );
  await written(`${path}.keys.txt`, writeFile(`${path}.keys.txt`, name.join(''), options));
  if (format === 'npy') return written(`${path}.npy`, writeFile(`${path}.npy`, npy(data, [rows, width]), options));
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return written(`${path}.f32`, writeFile(`${path}.f32`, bytes, options));
}

export function registerModels({ program, run }: Cli): void {
  const models = program
    .command('models')
    .description('versions of embeddings: list, show, card, export, promote, roll back');
  models
    .command('list')
    .description('versions, newest first, with their channel: live, candidate, previous')
    .action((_options: unknown, command: Command) => run(command, list));
  models
    .command('show <version>')
    .description('all that is recorded of a version, or of the one that is live, candidate or previous')
    .action((name: string, _options: unknown, command: Command) => run(command, (session) => show(session, name)));
  models
    .command('card <version>')
    .description('its model card, as Markdown')
    .option('--out <file>', 'a file; absent: standard output')
    .action((name: string, { out }: { out?: string }, command: Command) =>
      run(command, (session) => card(session, name, out)),
    );
  models
    .command('export <version>')
    .description('its factors as files')
    .requiredOption('--out <prefix>', 'PREFIX of the files')
    .addOption(new Option('--format <format>', 'npy, float32 or bson').choices([...FORMATS]).default('npy'))
    .action((name: string, options: { format: Format; out: string }, command: Command) =>
      run(command, (session) => exportModel(session, name, options)),
    );
  models
    .command('promote [version]')
    .description('put the release of a version live; without one, that of the candidate')
    .option('--reason <text>', 'kept with the change')
    .action((name: string | undefined, { reason }: { reason?: string }, command: Command) =>
      run(command, (session) => point(session, promote, name ?? 'candidate', reason)),
    );
  models
    .command('rollback [version]')
    .description('put the release of an earlier version live and hold it there; without one, the one before')
    .option('--reason <text>', 'kept with the change')
    .action((name: string | undefined, { reason }: { reason?: string }, command: Command) =>
      run(command, (session) => point(session, rollBack, name ?? 'previous', reason)),
    );
}

/** Moves the release pointer to the release that names a model, in one step: everything that was published with it goes live together. */
async function point(
  { config: { tenant }, output, store: open }: Session,
  act: typeof promote,
  name: string,
  reason: string | undefined,
): Promise<void> {
  const store = await open();
  const version = await versionOf(store, tenant, name);
  const release = releaseOf(version, await readChannels(store, tenant));
  const operator = { by: `${userInfo().username}, command`, ...(reason !== undefined && { reason }) };
  const pointer = await act(store, tenant, operator, release);
  output.result(
    { version, pointer },
    () => `Live is ${version}, with release ${pointer.version}${pointer.hold ? ', on hold' : ''}.`,
  );
}

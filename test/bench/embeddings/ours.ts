/** Owns Millrace's side of `npm run bench -- embeddings`, behind the line protocol of side.ts. The counterpart of peer.py. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { computePool } from '../../../shared/compute/pool.ts';
import { findModel } from '../../../shared/numerics/models/registry.ts';
import { rankByFactors } from '../../../shared/numerics/ranking/rank-factors.ts';
import { trainSgns } from '../../../shared/numerics/sgd/sgns.ts';
import { SGNS_DEFAULTS } from '../../../shared/numerics/sgd/sgns.ts';
import type { DenseRows, FittedModel, SparseRows } from '../../../shared/numerics/types.ts';
import { floatsOf, readRows, wordsOf } from './data.ts';

const threads = Number(process.env['BENCH_THREADS']);
/** Threads stay between the runs of a comparison, as the peers' do. */
const pool = computePool({ threads, idleTimeoutMs: 3_600_000 });
const rows = new Map<string, SparseRows>();

async function rowsOf(folder: string): Promise<SparseRows> {
  const known = rows.get(folder) ?? (await readRows(folder));
  rows.set(folder, known);
  return known;
}

interface Request {
  readonly op: string;
  readonly folder: string;
  readonly model: string;
  readonly params: object;
  readonly factors: number;
  readonly k: number;
  readonly users: number;
  readonly seed: number;
}

async function timed<T>(work: () => Promise<T>): Promise<[T, object]> {
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  const started = performance.now();
  const result = await work();
  const seconds = (performance.now() - started) / 1000;
  const { system, user } = process.cpuUsage(cpu);
  return [result, { seconds, cpuSeconds: (user + system) / 1e6, peakMb: process.resourceUsage().maxRSS / 1024 }];
}

async function put(folder: string, name: string, values: Float32Array | Int32Array): Promise<void> {
  await writeFile(join(folder, name), new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

let last: FittedModel | undefined;

/** Fits a model of the registry. Factors, where it has them, are written out. */
async function fit({ folder, model, params, seed }: Request): Promise<object> {
  const interactions = await rowsOf(folder);
  last = undefined;
  const [fitted, answer] = await timed(() => findModel(model).fit({ interactions }, params, { pool, seed }));
  last = fitted;
  if (fitted.factors === undefined) return answer;
  await put(folder, 'ours-users.f32', fitted.factors.users.data);
  await put(folder, 'ours-items.f32', fitted.factors.items.data);
  return { ...answer, width: fitted.factors.items.width };
}

/** The lists of the last fit. */
async function lists({ folder, k, users }: Request): Promise<object> {
  const ranked = await last!.rank({ k, exclude: await rowsOf(folder) });
  await put(folder, 'ours-lists.i32', ranked.items.subarray(0, users * k));
  return {};
}

/** Ranks for all users by the factors that lie in the folder. */
async function recommend({ factors, folder, k }: Request): Promise<object> {
  const exclude = await rowsOf(folder);
  const dense = async (name: string): Promise<DenseRows> => {
    const data = await floatsOf(join(folder, name));
    return { rows: data.length / factors, width: factors, data };
  };
  const [users, items] = [await dense('users.f32'), await dense('items.f32')];
  const [ranked, answer] = await timed(() => rankByFactors({ users, items }, { k, exclude }, { pool }));
  await put(folder, 'ours-lists.i32', ranked.items);
  return answer;
}

async function sgns({ folder, params, seed }: Request): Promise<object> {
  const { columns: words, indptr } = await rowsOf(folder);
  const tokens = await wordsOf(join(folder, 'indices.i32'));
  const settings = { ...SGNS_DEFAULTS, ...params };
  const [vectors, answer] = await timed(() =>
    trainSgns({ words, sequences: { indptr, tokens } }, settings, { pool, seed }),
  );
  await put(folder, 'ours-items.f32', vectors.inputs.data);
  return { ...answer, width: settings.dimensions };
}

async function load({ folder }: Request): Promise<object> {
  await rowsOf(folder);
  return {};
}

const COMMANDS: Readonly<Record<string, (request: Request) => Promise<object>>> = { fit, lists, load, recommend, sgns };

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  console.log(JSON.stringify(await COMMANDS[request.op]!(request)));
}
await pool.close();

/**
 * Owns the benchmark of training that outgrows one process: iALS and item2vec in blocks over one and two worker processes of one thread, beside
 * the same training as one job of one such process. Compares the bytes, prints the seconds.
 */
import { isDeepStrictEqual } from 'node:util';
import { connect } from '../../jobs/client/index.ts';
import { bytesOf } from '../../workers/conformance/consents.ts';
import { loadPlatformInto } from '../../workers/conformance/platform.ts';
import { asUser, kill, type Running, type User } from '../end-to-end/as-a-user.ts';
import { redisUrl, TEST_KEYS } from '../services.ts';
import { machine } from './interleave.ts';

const DATA = { people: 3_000, videos: 2_000, days: 30, events: 150_000 };
const BLOCKS = 4;
const TRAININGS = [
  { model: 'ials', modelParams: { factors: 256, epochs: 6, steps: 16 } },
  { model: 'item2vec', modelParams: { factors: 128, epochs: 4, window: 40, negatives: 10, roundPairs: 20_000_000 } },
] as const;
type Training = (typeof TRAININGS)[number];

/** A run whose steps lie in the store; the client is closed with it. */
type Client = ReturnType<typeof connect>;

interface Trained {
  readonly bytes: Readonly<Record<string, string>>;
  readonly params: unknown;
  /** From the first step's start to the embeddings, waiting between steps included. */
  readonly seconds: number;
  readonly steps: number;
}

async function startWorkers(user: User, count: number): Promise<Running[]> {
  const started = Array.from({ length: count }, () => user.start('workers/main.ts', [], { MILLRACE_THREADS: '1' }));
  await Promise.all(started.map((worker) => worker.line(/^\{"ready"/)));
  return started;
}

async function inBlocks(user: User, client: Client, { model, modelParams }: Training): Promise<Trained> {
  const { store } = user.services;
  const run = await client.pipelines['refresh-sharded'].start({ model, modelParams, blocks: BLOCKS });
  await run.done();
  const { id } = await run.run();
  const { steps } = (await store.pipelineRuns.read(id))!;
  const { version } = steps.embeddings!.output as { readonly version: string };
  const { meta } = await store.versions.read('main', version);
  return {
    bytes: await bytesOf(store, version),
    params: meta.params,
    seconds: (steps.embeddings!.endedAt! - steps.cut!.startedAt!) / 1000,
    steps: Object.values(steps).filter(({ runKey }) => runKey !== undefined).length,
  };
}

/** One job that trains as the blocks did. */
async function atOnce(user: User, client: Client, dataset: string, model: Training['model'], params: unknown) {
  const job = await client['embedding-training'].enqueue({
    dataset,
    model,
    params: params as Record<string, unknown>,
    holdout: 0,
    plainSimd: true,
  });
  const began = performance.now();
  const { trainSeconds, version } = await job.done();
  const seconds = (performance.now() - began) / 1000;
  return { bytes: await bytesOf(user.services.store, version), seconds, trainSeconds };
}

interface Row {
  readonly model: string;
  readonly equal: boolean;
  readonly steps: number;
  readonly oneProcess: number;
  readonly workers: Readonly<Record<string, number>>;
}

async function measure(user: User, client: Client, dataset: string, training: Training): Promise<Row> {
  const workers: Record<string, number> = {};
  const made: Trained[] = [];
  let alone: Awaited<ReturnType<typeof atOnce>> | undefined;
  for (const count of [1, 2]) {
    const processes = await startWorkers(user, count);
    const trained = await inBlocks(user, client, training);
    made.push(trained);
    workers[count] = trained.seconds;
    if (count === 1) alone = await atOnce(user, client, dataset, training.model, trained.params);
    await Promise.all(processes.map(kill));
  }
  const equal = made.every(({ bytes }) => isDeepStrictEqual(bytes, alone!.bytes));
  return { model: training.model, equal, steps: made[0]!.steps, oneProcess: alone!.seconds, workers };
}

export async function main(): Promise<void> {
  console.log(`sharded benchmark on ${machine()}`);
  await using user = await asUser();
  const { store, prefix } = user.services;
  const { dataset } = await loadPlatformInto(store, DATA);
  await using client = connect({ redis: redisUrl, prefix, seal: TEST_KEYS.sealKeys });
  console.log(
    `  ${DATA.people} people, ${DATA.videos} videos, ${DATA.events} events; workers of one thread; blocks ${BLOCKS}`,
  );
  const rows: Row[] = [];
  for (const training of TRAININGS) {
    const row = await measure(user, client, dataset, training);
    rows.push(row);
    const times = Object.entries(row.workers).map(([count, seconds]) => `${count} in ${seconds.toFixed(1)} s`);
    console.log(
      `  ${row.model.padEnd(9)} one job ${row.oneProcess.toFixed(1)} s; in ${row.steps} steps, workers: ${times.join(', ')}; ` +
        `bytes ${row.equal ? 'equal' : 'DIFFERENT'}`,
    );
  }
  console.log(JSON.stringify(rows));
  if (rows.some(({ equal }) => !equal)) process.exitCode = 1;
}

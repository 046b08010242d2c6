/**
 * Owns the benchmark of the queue: enqueueing through the client and running through the executor, each beside raw BullMQ
 * with the same options; runs with ledger and commit beside the store's own raw writes.
 */
import { type TestServices, testServices } from '../services.ts';
import { type Comparison, machine, report } from './interleave.ts';
import { benchAdd, benchEnqueue } from './queue/adding.ts';
import { benchExecutor, benchObserved, type Concurrency } from './queue/running.ts';
import { benchLedger } from './queue/with-ledger.ts';

interface Bench {
  readonly name: string;
  readonly run: (services: TestServices) => Promise<Comparison>;
}

/** A benchmark at every concurrency. */
function each(name: string, run: (services: TestServices, concurrency: Concurrency) => Promise<Comparison>): Bench[] {
  return ([1, 10, 100] as const).map((concurrency) => ({
    name: `${name}-${concurrency}`,
    run: (services) => run(services, concurrency),
  }));
}

const BENCHES: readonly Bench[] = [
  { name: 'enqueue', run: benchEnqueue },
  ...each('add', benchAdd),
  ...each('none', benchExecutor),
  ...each('observed', benchObserved),
  ...each('record', (services, concurrency) => benchLedger(services, 'record', concurrency)),
  ...each('dataset', (services, concurrency) => benchLedger(services, 'dataset', concurrency)),
];

/** All of them, or those whose names start with one of the words given. */
export async function main(words: readonly string[] = []): Promise<void> {
  console.log(`queue benchmark on ${machine()}`);
  await using services = await testServices();
  const results: Comparison[] = [];
  for (const { name, run } of BENCHES) {
    if (words.length > 0 && !words.some((word) => name.startsWith(word))) continue;
    const comparison = await run(services);
    results.push(comparison);
    report(comparison);
  }
  console.log(JSON.stringify(results));
}

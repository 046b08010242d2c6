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

/** All of them, or those of the words given: `add` is add-1, add-10 and add-100. */
export async function main(words: readonly string[] = []): Promise<void> {
  console.log(`queue benchmark on ${machine()}`);
  await using services = await testServices();
  const results: Comparison[] = [];
  for (const { name, run } of BENCHES) {
    if (words.length > 0 && !words.some((word) => name === word || name.startsWith(`${word}-`))) continue;
    const comparison = await run(services);
    results.push(comparison);
    report(comparison);
    if (comparison.beside !== undefined)
      console.log(`    of what both can do one after the other ${comparison.beside.inTurn.toFixed(3)}`);
  }
  console.log(JSON.stringify(results));
}

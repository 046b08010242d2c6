/**
 * Owns what tests of processors stand on: a store of their own, a pool, a clock that stands still, and the way of one run through a
 * processor (claim, load, compute, write, withdraw, commit, follow) without a queue. The executor has tests of its own.
 */
import { type OwnedComputePool, computePool } from '../../shared/compute/pool.ts';
import { manualClock } from '../../shared/clock.ts';
import type { Contract, ContractInput, ContractOutput } from '../../shared/contract-kit/define-job.ts';
import { runKeyOf } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { RunDocument, Store } from '../../shared/store/ports.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, testServices } from '../../test/services.ts';
import { authoriseAgain } from '../runtime/authorise.ts';
import type { Ports, Processor, RunContext, Written } from '../runtime/processor.ts';

export const TENANT = 'main';
/** 2025-11-22T00:00Z: after everything that tests simulate. */
export const NOW = Date.UTC(2025, 10, 22);

export interface World extends AsyncDisposable {
  readonly store: Store;
  readonly ports: Ports;
  readonly clock: ReturnType<typeof manualClock>;
  /** The same store with another pool. */
  withThreads(threads: number): Promise<Ports & AsyncDisposable>;
}

export async function openWorld(threads = 2): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const pool = stack.use(computePool({ threads }));
  const { store } = stack.use(await testServices({ compute: pool }));
  const clock = manualClock(NOW);
  const portsWith = (compute: OwnedComputePool): Ports => ({
    store,
    pool: compute,
    clock,
    log: silentLog,
    telemetry: new Telemetry(),
    codeVersion: 'test',
  });
  const owned = stack.move();
  return {
    store,
    clock,
    ports: portsWith(pool),
    withThreads: async (count) => {
      const own = computePool({ threads: count });
      return { ...portsWith(own), [Symbol.asyncDispose]: () => own.close() };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export interface RunOptions {
  /** Default: the run's own place in the order of calls. */
  readonly key?: string;
  readonly asOf?: number;
  /** Told before each verb; may abort. */
  readonly before?: (
    verb: 'load' | 'compute' | 'write' | 'commit' | 'follow',
    control: AbortController,
  ) => void | Promise<void>;
  readonly progress?: RunContext['progress'];
}

let runs = 0;

/** One attempt at a run, as the executor makes it. A run that was committed before is only followed. */
export async function runOnce<C extends Contract, Loaded, Computed>(
  ports: Ports,
  processor: Processor<C, Loaded, Computed>,
  input: ContractInput<C>,
  options: RunOptions = {},
): Promise<{ readonly output: ContractOutput<C>; readonly run: RunDocument }> {
  const { contract } = processor;
  const { ledger } = ports.store;
  const control = new AbortController();
  const asOf = options.asOf ?? ports.clock.now();
  const runKey = runKeyOf(TENANT, contract.kind, options.key ?? `run ${runs++}`);
  const claim = {
    runKey,
    tenant: TENANT,
    kind: contract.kind,
    contractVersion: contract.version,
    inputHash: 'same',
    asOf,
    codeVersion: 'test',
  };
  const { run } = await ledger.claim(claim);
  if (run.state === 'committed') return followRun(ports, processor, run);
  const consentEpoch = await ports.store.consents.epoch(TENANT);
  const progress = options.progress ?? (() => {});
  const context: RunContext = {
    ...ports,
    tenant: TENANT,
    runKey,
    fence: run.fence,
    asOf,
    consentEpoch,
    signal: control.signal,
    progress,
  };
  const step = async <T>(
    verb: Parameters<NonNullable<RunOptions['before']>>[0],
    work: () => Promise<T>,
  ): Promise<T> => {
    await options.before?.(verb, control);
    control.signal.throwIfAborted();
    return work();
  };
  const loaded = await step('load', () => processor.load(contract.input.parse(input) as never, context));
  const computed = await step('compute', () => processor.compute(loaded, context));
  const written = await step('write', () => processor.write(computed, context));
  await step('commit', () => commit(processor, written, context));
  const committed = await ledger.read(runKey);
  if (committed === undefined) throw new Error('the committed run is gone');
  return step('follow', () => followRun(ports, processor, committed));
}

/** Drops who withdrew since the load, then commits. */
async function commit<C extends Contract>(
  processor: Processor<C, never, never> | Processor<C>,
  written: Written<C>,
  context: RunContext,
): Promise<void> {
  const { store, runKey, fence, consentEpoch } = context;
  const { contract } = processor;
  await authoriseAgain(context, written, processor);
  const output = contract.output.parse(written.output);
  const { version, plan } = written;
  const done = await store.ledger.commit({
    runKey,
    fence,
    followed: false,
    output,
    ...(version === undefined ? {} : { version }),
    ...(plan === undefined ? {} : { plan }),
    next: written.next ?? [],
    lineage: { inputs: [], ...written.lineage, consentEpoch },
  });
  if (!done) throw new AppError('LEASE_LOST', { details: { runKey } });
}

async function followRun<C extends Contract, Loaded, Computed>(
  ports: Ports,
  processor: Processor<C, Loaded, Computed>,
  run: RunDocument,
): Promise<{ readonly output: ContractOutput<C>; readonly run: RunDocument }> {
  if (run.followed) return { output: run.output as ContractOutput<C>, run };
  const output = ((await processor.follow?.(run, ports)) ?? run.output) as ContractOutput<C>;
  processor.contract.output.parse(output);
  await ports.store.ledger.markFollowed(run.runKey, output);
  return { output, run };
}

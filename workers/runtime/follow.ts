/**
 * Owns what happens after a run has ended: pointers follow, intents are relayed, the pipeline hears of it.
 * Everything here is idempotent and needs only the run document, so that a retry or the sweeper in another process
 * can finish what a killed one began.
 */
import type { Envelope } from '../../shared/contract-kit/envelope.ts';
import { readOutput } from '../../shared/contract-kit/versions.ts';
import { AppError } from '../../shared/errors.ts';
import type { Intent, RunDocument } from '../../shared/store/ports.ts';
import type { PendingMarks } from './pending-marks.ts';
import type { AnyProcessor, Following, Ports } from './processor.ts';

/** Carries an intent out; must be idempotent. */
export type Relay = (intent: Intent, run: RunDocument) => Promise<void>;

/** Whether a run is done with its commit: no pointer, no intent, no pipeline and nobody to be told waits for it. */
export async function nothingFollows(
  { tenant, kind, step }: Envelope,
  processor: Pick<AnyProcessor, 'follow'>,
  { announcer, lineage }: Ports,
  next: readonly Intent[],
): Promise<boolean> {
  if (processor.follow !== undefined || next.length > 0 || step !== undefined) return false;
  if (lineage?.isWanted(kind) === true) return false;
  return announcer === undefined || !(await announcer.isWanted(tenant, kind));
}

/**
 * Rolls an ended run forward and returns its final output (undefined for runs that did not commit). With `marks` it does not wait
 * until the ledger has taken note, except for steps.
 */
export async function follow(
  run: RunDocument,
  processor: AnyProcessor | undefined,
  ports: Ports,
  relay: Relay,
  { marks, following }: { readonly marks?: PendingMarks; readonly following?: Following } = {},
): Promise<unknown> {
  let output = outputToday(run, processor);
  if (run.followed) return output;
  const version = run.state === 'committed' ? processor?.contract.version : undefined;
  if (run.state === 'committed') {
    // Marking it as followed without its processor would lose what it wrote.
    if (processor === undefined)
      throw new AppError('KIND_UNKNOWN', { details: { kind: run.kind, runKey: run.runKey } });
    if (processor.follow !== undefined)
      output = (await processor.follow({ ...run, output }, ports, following)) ?? output;
    for (const intent of run.next) await relay(intent, run);
  }
  await ports.announcer?.announce(run);
  if (run.step !== undefined) {
    await ports.lineage?.ended({ ...run, output });
    // The pipeline reads the final output from the ledger, so it must stand there first.
    await ports.store.ledger.markFollowed(run.runKey, output, version);
    await relay({ type: 'advance', run: run.step.run }, run);
    return output;
  }
  const mark = told(run, output, version, ports);
  await (marks === undefined ? mark : marks.add(run.runKey, mark));
  return output;
}

/** What lineage tells of it is kept before the ledger takes note: until then it is followed again. */
async function told(
  run: RunDocument,
  output: unknown,
  version: number | undefined,
  { lineage, store }: Ports,
): Promise<void> {
  await lineage?.ended({ ...run, output });
  await store.ledger.markFollowed(run.runKey, output, version);
}

/** A run of an older version is followed as one of today's; of a newer one CONTRACT_VERSION_UNKNOWN is thrown: a newer process follows it. */
function outputToday({ state, contractVersion, output }: RunDocument, processor: AnyProcessor | undefined): unknown {
  if (state !== 'committed' || processor === undefined || processor.contract.version === contractVersion) return output;
  return readOutput(processor.contract, contractVersion, output);
}

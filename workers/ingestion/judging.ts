/**
 * Owns the look at a frozen data set that tells accounts which are not people: their events stay in the store and are kept out of what is
 * learned, until an operator lets them go. Verdicts wait like everything that changes the store: applied once the run has committed.
 */
import { detect } from '../../shared/numerics/quality/detect.ts';
import { gathered } from '../../shared/numerics/quality/gather.ts';
import { QUALITY_RULES_VERSION, USUAL_ACCOUNTS_MIN } from '../../shared/numerics/quality/verdict.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import type { RunDocument, VerdictReason, VersionDraft } from '../../shared/store/ports.ts';
import { numberItems, readItemFacts } from '../reading/item-facts.ts';
import type { Ports, RunContext } from '../runtime/processor.ts';
import { keepPending, readPending, shredPending } from '../runtime/pending-payload.ts';

/** Larger data sets are not looked at: their columns and the look would not fit into what a run of this kind may take. */
const ROWS_MAX = 4_000_000;

interface PendingVerdicts {
  readonly asOf: number;
  readonly rules: number;
  readonly accounts: readonly { readonly subject: string; readonly reasons: readonly VerdictReason[] }[];
}

export interface VerdictPlan {
  readonly what: 'verdicts';
  readonly pending: VersionDraft;
}

/** Verdicts on a version of `rows` rows; undefined when nobody is to be kept out. */
export async function judge(
  { version, rows, asOf }: { readonly version: string; readonly rows: number; readonly asOf: number },
  context: RunContext,
): Promise<VerdictPlan | undefined> {
  const { store, tenant, telemetry } = context;
  if (rows > ROWS_MAX) {
    telemetry.emit('quality.judged', { rows, looked: false, accounts: 0, held: 0, campaigns: 0 });
    return undefined;
  }
  const columns = await store.events.read(tenant, version);
  const numbered = await numberItems(columns, context);
  const facts = await readItemFacts(numbered.keys, context);
  const { subjects, ...acts } = await gathered({ columns, item: numbered.item, facts, asOf }, context);
  const accounts = subjects.length / KEY_BYTES;
  // A handful of accounts, whoever tries things out, says nothing of what is usual.
  if (accounts < USUAL_ACCOUNTS_MIN) {
    telemetry.emit('quality.judged', { rows, looked: false, accounts, held: 0, campaigns: 0 });
    return undefined;
  }
  const { verdicts, campaigns } = await detect(acts, context);
  const counts = { accounts, held: verdicts.length, campaigns: campaigns.length };
  telemetry.emit('quality.judged', { rows, looked: true, ...counts });
  if (verdicts.length === 0) return undefined;
  const hex = (account: number): string =>
    Buffer.from(subjects.subarray(account * KEY_BYTES, (account + 1) * KEY_BYTES)).toString('hex');
  const held = verdicts.map(({ account, reasons }) => ({ subject: hex(account), reasons }));
  const body = { asOf, rules: QUALITY_RULES_VERSION, accounts: held } satisfies PendingVerdicts;
  return { what: 'verdicts', pending: await keepPending(body, held.length, context) };
}

export async function followVerdicts(plan: VerdictPlan, run: RunDocument, { store }: Ports): Promise<void> {
  const waiting = await readPending<PendingVerdicts>(run.tenant, plan.pending, store);
  if (waiting === undefined) return;
  const accounts = waiting.accounts.map(({ subject, reasons }) => ({ subject: Buffer.from(subject, 'hex'), reasons }));
  await store.verdicts.hold(run.tenant, { ...waiting, accounts });
  await shredPending(run.tenant, plan.pending, store);
}

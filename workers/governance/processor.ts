/**
 * Owns what people ask of their data. A run commits to it first and then carries it out, so that one that was cancelled has done nothing, and one that is cut
 * off is finished by whoever follows it. Until then the request waits in an encrypted block.
 *
 * The log of consents hears of it before anything goes, so that nothing new is read or written about the person; then what is there goes, pass by pass, each
 * of them idempotent. An erasure ends after the runs that had begun before it: they may hold what they read of the person, and their commit looks at the log
 * again.
 */
import { governance, NOBODY_LEFT } from '../../jobs/governance/contract.ts';
import { ingestion } from '../../jobs/ingestion/contract.ts';
import { migration } from '../../jobs/migration/contract.ts';
import type { ContractOutput, ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { isHeardOf } from '../../shared/store/heard-of.ts';
import {
  type Consents,
  type ErasedArtefact,
  type Intent,
  type RecordOrder,
  type RunDocument,
  type Store,
  type SubjectKey,
  type VersionDraft,
  EVENT_ROWS,
} from '../../shared/store/ports.ts';
import { keepPending, readPending, shredPending } from '../runtime/pending-payload.ts';
import { defineProcessor, type Following, type Ports, type RunContext, type Written } from '../runtime/processor.ts';
import { actsBefore, keysOf, olderRuns, unfinishedActs } from './older-runs.ts';
import { told } from './told.ts';
import { placesOf, removeUnjustified, settle } from './withdrawing.ts';

type Asked = ContractParsed<typeof governance>;
type Output = ContractOutput<typeof governance>;

interface Plan {
  /** The request. */
  readonly pending: VersionDraft;
}

/** A request that is carried out. */
interface Act<A extends Asked = Asked> extends Ports, Following {
  readonly tenant: string;
  readonly runKey: string;
  /** When it was first claimed, and when it committed. */
  readonly createdAt: number;
  readonly endedAt: number;
  readonly asked: A;
  readonly subject: SubjectKey;
  readonly plan: Plan;
}

/** Of a run that a sweeper follows. */
const UNWATCHED: Following = { signal: new AbortController().signal, progress: () => {} };

const REPORT_ID_CHARS = 24;
const reportIdOf = (runKey: string): string => runKey.slice(runKey.lastIndexOf('.') + 1).slice(0, REPORT_ID_CHARS);
/** Every record is newer. */
const NOTHING_SAID: RecordOrder = '';
/** What is asked together is answered by one refresh: it begins so long after the first act that asks for it, and after every act that asks until then. */
const RETRAINING = { key: 'governance.refresh', together: { waitMs: 30_000 } } as const;

/** What people may no longer be used for holds at once; what is rewritten waits for the acts before it. */
async function takeTurn(act: Omit<Act, 'subject'>): Promise<void> {
  const before = await actsBefore(act, act.createdAt);
  if (before.length > 0) throw new AppError('ERASURE_PENDING', { details: { runs: keysOf(before) } });
}

/** Blocks that hold requests, this one's too; and acts of which nobody can say yet in which blocks theirs lies, which wait for nobody. */
async function requestsThatWait(
  act: Omit<Act, 'subject'>,
): Promise<{ readonly open: RunDocument[]; readonly keep: Set<string> }> {
  const acts = await unfinishedActs(act);
  const plans = [act.plan, ...acts.flatMap(({ plan }) => (plan === undefined ? [] : [plan as Plan]))];
  const keep = plans.flatMap(({ pending }) => pending.blocks.map((ref) => (ref as { block: string }).block));
  return { open: acts.filter(({ state }) => state === 'running'), keep: new Set(keep) };
}

/** Somebody who asked to come back before may have come back while this waited for its turn: what was asked last holds. */
async function stillErased({ store, tenant, runKey, subject }: Act): ReturnType<Consents['erase']> {
  const snapshot = await store.consents.snapshot(tenant);
  return store.consents.erase(tenant, snapshot.isErased(subject) ? runKey : `${runKey}.again`, subject);
}

async function erase(act: Act<Asked & { act: 'erase' }>): Promise<Output> {
  const { asked, subject, store, tenant, runKey, signal, clock, progress } = act;
  await store.consents.erase(tenant, runKey, subject);
  await takeTurn(act);
  const { epoch, at } = await stillErased(act);
  const payloads = await act.payloads?.forget(tenant, asked.user, runKey, signal);
  let waiting: readonly RunDocument[] = [];
  const passed = await store.erasures.sweep(tenant, subject, {
    externalId: asked.user,
    quiet: async () => {
      const { open, keep } = await requestsThatWait(act);
      waiting = [...(await olderRuns(act, at)), ...open];
      return { isQuiet: waiting.length === 0, keep };
    },
    signal,
    onProgress: (done, total) => progress({ done, total, label: 'blocks' }),
  });
  const id = reportIdOf(runKey);
  const ofJobs = { artefact: JOB_INPUTS, checked: payloads?.checked ?? 0, removed: payloads?.rewritten ?? 0, left: 0 };
  const pass = { ...passed, artefacts: [...passed.artefacts, ofJobs] };
  const found = removedOf(passed.artefacts, EVENT_ROWS) > 0 ? { foundAt: clock.now() } : {};
  const { foundAt, ...sweep } = await store.erasures.note(tenant, id, { ...pass, ...found });
  // Who merges blocks writes anew what was in them: what is merged since before they were clean may lie there still, with nobody to name it.
  if (foundAt !== undefined && waiting.length === 0) waiting = (await olderRuns(act, foundAt)).filter(isMerging);
  const left = sweep.artefacts.filter((artefact) => artefact.left > 0);
  if (waiting.length > 0)
    throw new AppError('ERASURE_PENDING', { details: { runs: keysOf(waiting), left: placesOf(left) } });
  if (left.length > 0) throw new AppError('ERASURE_INCOMPLETE', { details: { left: placesOf(left) } });
  await store.erasures.keep({
    id,
    tenant,
    person: store.erasures.mark(tenant, subject),
    requestedAt: at,
    finishedAt: clock.now(),
    consentEpoch: epoch,
    ...sweep,
    ...(sweep.versions.length > 0 ? { retraining: RETRAINING.key } : {}),
  });
  return {
    act: asked.act,
    consentEpoch: epoch,
    report: id,
    events: removedOf(sweep.artefacts, EVENT_ROWS),
    versions: sweep.versions.length,
    payloads: removedOf(sweep.artefacts, JOB_INPUTS),
  };
}

const MERGING: ReadonlySet<string> = new Set([ingestion.kind, migration.kind]);
const isMerging = ({ kind }: RunDocument): boolean => MERGING.has(kind);

const JOB_INPUTS = 'inputs of jobs';

const removedOf = (artefacts: readonly ErasedArtefact[], name: string): number =>
  artefacts.find(({ artefact }) => artefact === name)?.removed ?? 0;

async function withdraw(act: Act<Asked & { act: 'withdraw' }>): Promise<Output> {
  const { asked, store, tenant, runKey, clock, endedAt } = act;
  const { user, purposes, source, at = clock.now() } = asked;
  const said = { user, purposes, source, state: 'withdrawn' as const, basis: 'consent' as const, at };
  const consentEpoch = await store.consents.record(tenant, runKey, [said]);
  await takeTurn(act);
  // The moment at which it was recorded first, whoever carries it out now.
  const [recorded] = await store.consents.saidBy(tenant, runKey);
  const since = Math.max(endedAt, recorded?.at ?? 0);
  return { act: asked.act, consentEpoch, ...(await removeUnjustified({ ...act, user }, since)) };
}

async function carryOutSaid(act: Omit<Act<Asked & { act: 'settle' }>, 'subject'>): Promise<Output> {
  await takeTurn(act);
  const removed = await settle(act, act.asked.saidBy, act.createdAt);
  return { act: act.asked.act, consentEpoch: await act.store.consents.epoch(act.tenant), ...removed };
}

async function readmit(act: Act<Asked & { act: 'readmit' }>): Promise<Output> {
  const { asked, subject, store, tenant, runKey } = act;
  await takeTurn(act);
  const snapshot = await store.consents.snapshot(tenant);
  if (!snapshot.isErased(subject)) return { act: asked.act, consentEpoch: snapshot.epoch };
  const { epoch } = await store.consents.readmit(tenant, runKey, subject);
  // Their envelope anew, whatever this process remembers of the old one.
  await store.people.upsert(tenant, [{ id: asked.user }], NOTHING_SAID);
  return { act: asked.act, consentEpoch: epoch };
}

function carryOut({ asked, ...run }: Omit<Act, 'subject'>): Promise<Output> {
  if (asked.act === 'settle')
    return told(run, { act: asked.act, ids: [asked.saidBy] }, () => carryOutSaid({ ...run, asked }));
  const [subject] = run.store.people.keys(run.tenant, [asked.user]);
  const act = { ...run, subject: subject! };
  return told(run, { act: asked.act, subject: act.subject }, () => {
    if (asked.act === 'erase') return erase({ ...act, asked });
    return asked.act === 'withdraw' ? withdraw({ ...act, asked }) : readmit({ ...act, asked });
  });
}

async function isErased(user: string, store: Store, tenant: string): Promise<boolean> {
  const [subject] = store.people.keys(tenant, [user]);
  return (await store.consents.snapshot(tenant)).isErased(subject!);
}

/** Throws PERSON_UNKNOWN: somebody of whom nothing is held has nothing to withdraw; and PERSON_ERASED for who was erased while it waited. */
async function load(asked: Asked, { store, tenant }: RunContext): Promise<Asked> {
  if (asked.act !== 'settle' && asked.user === NOBODY_LEFT) throw new AppError('PERSON_ERASED');
  if (asked.act === 'withdraw' && (await isErased(asked.user, store, tenant))) throw new AppError('PERSON_ERASED');
  if (asked.act === 'withdraw' && !(await isHeardOf(store, tenant, asked.user))) throw new AppError('PERSON_UNKNOWN');
  return asked;
}

/** Models that may have learned from the person are trained anew without them, once all is done. */
async function retraining(asked: Asked, { store, tenant }: RunContext): Promise<Intent[]> {
  if (asked.act === 'readmit' || (await store.versions.latest(tenant, 'embeddings', 1)).length === 0) return [];
  const input = { start: { pipeline: 'refresh', params: {} } };
  return [{ type: 'enqueue', kind: 'pipeline', ...RETRAINING, input }];
}

/** Of a request that was carried out before the process could say so: nothing of it is left but the report. */
async function outputBefore({ tenant, runKey, output }: RunDocument, { store }: Ports): Promise<Output> {
  const said = output as Output;
  const kept = await store.erasures.read(tenant, reportIdOf(runKey));
  if (kept === undefined) return said;
  const { id, consentEpoch, artefacts, versions } = kept.report;
  const events = removedOf(artefacts, EVENT_ROWS);
  const payloads = removedOf(artefacts, JOB_INPUTS);
  return { act: said.act, consentEpoch, report: id, events, versions: versions.length, payloads };
}

export default defineProcessor({
  contract: governance,

  load,

  compute: async (asked) => asked,

  async write(asked, context): Promise<Written<typeof governance>> {
    const plan: Plan = { pending: await keepPending(asked, 1, context) };
    return {
      output: { act: asked.act, consentEpoch: context.consentEpoch },
      plan,
      next: await retraining(asked, context),
      lineage: { engine: 'js' },
    };
  },

  async follow(run, ports, following = UNWATCHED): Promise<Output | undefined> {
    const { tenant, runKey, kind, createdAt, endedAt = createdAt } = run;
    const plan = run.plan as Plan;
    const asked = await readPending<Asked>(tenant, plan.pending, ports.store);
    if (asked === undefined) return outputBefore(run, ports);
    const output = await carryOut({ ...ports, ...following, tenant, runKey, createdAt, endedAt, asked, plan });
    await ports.payloads?.blank(kind, runKey);
    await shredPending(tenant, plan.pending, ports.store);
    return output;
  },
});

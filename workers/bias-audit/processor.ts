/**
 * Owns bias-audit: how candidates treat groups of people and of items, measured over the people who allow audits.
 *
 * What is relevant is never the model's own opinion. Published lists are judged by what people first took up after the lists were made; right
 * after training there is nothing of that kind, and every liked item of the data set is excluded from the lists by construction. Then quality
 * is judged by the holdout of the embeddings (the same model, parameters and seed, trained without it), and every figure names its basis.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { biasAudit } from '../../jobs/bias-audit/contract.ts';
import type { AuditReport } from '../../shared/contract-kit/audit-report.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { AUDIT_TASK, type AuditInput } from '../../shared/numerics/fairness/audit.ts';
import { interactionView } from '../../shared/numerics/interactions/interaction-view.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { sourceOf } from '../../shared/sources/registry.ts';
import type { DatasetVersion } from '../../shared/store/ports.ts';
import { admitFor, arrayOf, type LoadedEvents, loadEvents, readVersion } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import type { Aligned, AlignRequest, EvaluatedLists, Picture } from './align.task.ts';
import { type AuditEntry, auditEntries } from './findings.ts';
import { groupItems, groupPeople } from './groups.ts';

const TASKS = new URL('./align.task.ts', import.meta.url).href;
/** Interval of all figures. */
const LEVEL = 0.95;
const STEPS = 3;
/** People asked about between two turns of the event loop. */
const ASKED_PER_TURN = 5_000;

type Input = ContractParsed<typeof biasAudit>;

interface Candidates {
  readonly version: DatasetVersion;
  readonly subjects: Uint8Array;
  readonly itemKeys: Uint8Array;
  readonly items: Int32Array;
  readonly k: number;
}
interface Loaded extends LoadedEvents {
  readonly input: Input;
  readonly candidates: Candidates;
  readonly evaluated: EvaluatedLists | undefined;
  /** 1 for people of the candidates who allow audits and (still) recommendations. */
  readonly audited: Uint8Array;
  /** Labels of the audited people, in order, by attribute. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly itemGroups: Readonly<Record<string, Int32Array>>;
}
interface Computed {
  readonly loaded: Loaded;
  readonly users: number;
  readonly published: AuditReport;
  readonly holdout: AuditReport | undefined;
}

async function load(input: Input, context: RunContext): Promise<Loaded> {
  const candidates = await readCandidates(input.candidates, context);
  const events = await loadEvents(input.dataset, 'audit', context);
  const audited = await whoIsAudited(candidates.subjects, events, context.signal);
  const people = audited.reduce((sum, mark) => sum + mark, 0);
  if (people === 0)
    throw new AppError('CONSENT_MISSING', {
      details: { purpose: 'audit', candidates: input.candidates, people: audited.length },
    });
  const userKeys = new Uint8Array(people * KEY_BYTES);
  let row = 0;
  for (let person = 0; person < audited.length; person++)
    if (audited[person] === 1)
      userKeys.set(candidates.subjects.subarray(person * KEY_BYTES, (person + 1) * KEY_BYTES), row++ * KEY_BYTES);
  const groups = await groupPeople(userKeys, input.attributes, context);
  const itemGroups = await groupItems(candidates.itemKeys, context);
  return {
    input,
    candidates,
    audited,
    groups,
    itemGroups,
    evaluated: await readEvaluated(candidates, context),
    ...events,
  };
}

async function readCandidates(id: string, context: RunContext): Promise<Candidates> {
  const version = await readVersion(id, 'candidates', context);
  const arrays = await context.store.versions.arrays(context.tenant, version);
  const subjects = arrayOf(arrays, 'subjects', Uint8Array);
  const items = arrayOf(arrays, 'items', Int32Array);
  if (subjects.length === 0) throw new AppError('AUDIT_NO_CANDIDATES', { details: { candidates: id } });
  const k = (items.length / subjects.length) * KEY_BYTES;
  return { version, subjects, items, k, itemKeys: arrayOf(arrays, 'itemKeys', Uint8Array) };
}

/** The evaluation of the embeddings behind the candidates; none where they kept no holdout or are gone. */
async function readEvaluated({ version }: Candidates, context: RunContext): Promise<EvaluatedLists | undefined> {
  const { store, tenant } = context;
  const embeddings = version.meta['embeddings'];
  if (typeof embeddings !== 'string') return undefined;
  try {
    const arrays = await store.versions.arrays(tenant, await readVersion(embeddings, 'embeddings', context));
    if (!arrays.has('evaluatedItems')) return undefined;
    const subjects = arrayOf(arrays, 'subjects', Uint8Array);
    const items = arrayOf(arrays, 'evaluatedItems', Int32Array);
    return {
      subjects,
      items,
      k: (items.length / subjects.length) * KEY_BYTES,
      heldOutPtr: arrayOf(arrays, 'heldOutPtr', Int32Array),
      heldOutItems: arrayOf(arrays, 'heldOutItems', Int32Array),
    };
  } catch (thrown) {
    // Collected or erased embeddings take their evaluation with them; the published lists can still be audited.
    if (thrown instanceof AppError && ['DATASET_NOT_FOUND', 'DATASET_ERASED'].includes(thrown.code)) return undefined;
    throw thrown;
  }
}

/** Asked person by person, with turns of the event loop between. */
async function whoIsAudited(
  subjects: Uint8Array,
  { columns, consents }: LoadedEvents,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const audited = new Uint8Array(subjects.length / KEY_BYTES);
  for (let person = 0; person < audited.length; person++) {
    if (person % ASKED_PER_TURN === ASKED_PER_TURN - 1) {
      await breathe();
      signal.throwIfAborted();
    }
    const key = subjects.slice(person * KEY_BYTES, (person + 1) * KEY_BYTES);
    const allows = (purpose: 'audit' | 'recommendation') =>
      columns.sources.some(
        (source) => sourceOf(source).purposes.includes(purpose) && consents.allows(key, purpose, source),
      );
    audited[person] = Number(allows('audit') && allows('recommendation'));
  }
  return audited;
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const { candidates, evaluated, audited, input } = loaded;
  const { pool, signal, progress } = context;
  const events = await admitFor('audit', loaded, context);
  const liked = await interactionView(events, context);
  const later = await interactionView(events, context, candidates.version.asOf);
  progress({ done: 1, total: STEPS, label: 'steps' });
  const { subjects, itemKeys, items, k: listK } = candidates;
  const k = Math.min(input.k, listK);
  const payload: AlignRequest = { subjects, audited, itemKeys, items, listK, k, liked, later, evaluated };
  const [aligned] = await pool.runPhase<Aligned>([{ module: TASKS, name: 'align', payload }], signal);
  progress({ done: 2, total: STEPS, label: 'steps' });
  const pictures = [aligned!.published, ...(aligned!.holdout === undefined ? [] : [aligned!.holdout])];
  const tasks = pictures.map((picture) => ({
    module: AUDIT_TASK,
    name: 'audit',
    payload: auditInput(picture, aligned!, loaded),
  }));
  const [published, holdout] = await pool.runPhase<AuditReport>(tasks, signal);
  progress({ done: STEPS, total: STEPS, label: 'steps' });
  return { loaded, users: aligned!.people.length, published: published!, holdout };
}

function auditInput(picture: Picture, aligned: Aligned, { groups, itemGroups, input }: Loaded): AuditInput {
  return {
    ...picture,
    groups,
    itemGroups,
    itemPopularity: aligned.popularity,
    userKeys: aligned.userKeys,
    seed: input.seed,
    bootstrap: input.bootstrap,
    level: LEVEL,
  };
}

async function write(
  { loaded, users, published, holdout }: Computed,
  context: RunContext,
): Promise<Written<typeof biasAudit>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion, pool } = context;
  const { input, candidates, dataset } = loaded;
  const entries: AuditEntry[] = auditEntries({ published, holdout });
  const draft = await store.versions.draft(tenant, runKey, fence, users, []);
  const lineage = { inputs: [input.dataset, input.candidates], seed: input.seed, threads: pool.threads, engine: 'js' };
  const { version } = await store.versions.write({
    ...draft,
    tenant,
    kind: 'audit',
    runKey,
    fence,
    asOf: dataset.asOf,
    consentEpoch,
    inputs: lineage.inputs,
    codeVersion,
    meta: {
      report: { metrics: entries, published, ...(holdout === undefined ? {} : { holdout }) },
      candidatesAsOf: candidates.version.asOf,
      attributes: input.attributes,
    },
  });
  const findings = entries.map(({ metric, attribute, value, flagged, says }) => ({
    metric,
    attribute,
    value,
    flagged,
    says: says ?? '',
  }));
  return { output: { version, users, findings, consentEpoch }, version, lineage };
}

// An audit is an aggregate: the executor marks it stale when somebody withdrew while it ran.
export default defineProcessor({ contract: biasAudit, load, compute, write });

/**
 * Owns the OpenLineage events of a run: one START and one terminal event for each of its lives, made from its document alone, so that whoever follows a
 * run tells the same. A life begins with the first claim or with a redrive, and ends once; attempts, retries and killed workers within it are no events.
 * Nothing personal is in them: of an error its code, of an input nothing.
 */
import type { PipelineRunDocument, RunDocument, RunState } from '../../store/ports.ts';
import {
  type Facets,
  facet,
  type JobRef,
  type LineageDataset,
  type LineageEventType,
  ownFacet,
  PRODUCER,
  type RunEvent,
  SCHEMA_URL,
  uuidOf,
} from './facets.ts';

/** Earlier ends that a run document keeps at most: the first of so many is not known to be the first of all. */
const EARLIER_ENDS_MAX = 10;
const PIPELINE = 'pipeline';

/** One event, and its place in its run: the start before the end. */
export interface PlacedEvent {
  readonly runId: string;
  readonly order: 0 | 1;
  /** ms since 1970. */
  readonly at: number;
  readonly event: RunEvent;
}

/** What the document does not tell. */
export interface About {
  /** Of jobs and data sets; the tenant is added. */
  readonly namespace: string;
  /** What the kind does, in a sentence. */
  readonly title?: string;
  readonly inputs?: readonly LineageDataset[];
  readonly outputs?: readonly LineageDataset[];
}

interface Life {
  /** 0: the first; else the fence that the redrive gave. */
  readonly number: number;
  readonly startedAt: number;
  readonly end?: { readonly state: RunState; readonly at: number; readonly code?: string };
}

export const namespaceOf = (namespace: string, tenant: string): string => `${namespace}.${tenant}`;

/** The run's UUID: its key and the life that it is in. */
export const runIdOf = (runKey: string, life: number): string => uuidOf(`run/${runKey}/${life}`);
export const pipelineRunIdOf = (id: string): string => uuidOf(`pipeline-run/${id}`);

export function livesOf(run: RunDocument): Life[] {
  const { createdAt, earlierEnds = [], endedAt, error, redrivenAt, state } = run;
  const lives: Life[] = [];
  let [number, startedAt] = [0, createdAt];
  for (const [nth, { code, endedAt: at, fence, state: ended }] of earlierEnds.entries()) {
    // Of one that was forgotten it is not known when it began; it was told of long ago.
    if (nth > 0 || earlierEnds.length < EARLIER_ENDS_MAX)
      lives.push({ number, startedAt, end: { state: ended, at, code } });
    [number, startedAt] = [fence + 1, at];
  }
  const began = { number, startedAt: earlierEnds.length > 0 ? (redrivenAt ?? startedAt) : startedAt };
  if (state === 'running' || endedAt === undefined) return [...lives, began];
  return [...lives, { ...began, end: { state, at: endedAt, ...(error === undefined ? {} : { code: error.code }) } }];
}

const TYPES: Readonly<Record<RunState, LineageEventType>> = {
  running: 'START',
  committed: 'COMPLETE',
  cancelled: 'ABORT',
  expired: 'FAIL',
  'dead-lettered': 'FAIL',
};

/** All that can be told of a run by now; of each life the start, and the end where it has ended. */
export function eventsOfRun(run: RunDocument, about: About): PlacedEvent[] {
  return livesOf(run).flatMap((life) => {
    const started = startOf(run, life, about);
    return life.end === undefined ? [started] : [started, endOf(run, life, life.end, about)];
  });
}

function startOf(run: RunDocument, life: Life, about: About): PlacedEvent {
  const place = { runId: runIdOf(run.runKey, life.number), order: 0, at: life.startedAt } as const;
  return placed(place, { type: 'START', job: jobOf(run, about), runFacets: runFacetsOf(run, about) });
}

function endOf(run: RunDocument, { number }: Life, end: NonNullable<Life['end']>, about: About): PlacedEvent {
  const { state, at, code } = end;
  const isCommitted = state === 'committed';
  const { inputs = [], outputs = [] } = isCommitted ? about : {};
  const version = `urn:millrace:code:${run.codeVersion}`;
  return placed(
    { runId: runIdOf(run.runKey, number), order: 1, at },
    {
      type: TYPES[state],
      job: {
        ...jobOf(run, about),
        facets: {
          ...jobFacetsOf(about, 'JOB'),
          sourceCodeLocation: facet('sourceCodeLocation', { type: 'content', url: version, version: run.codeVersion }),
        },
      },
      runFacets: { ...runFacetsOf(run, about), ...endFacetsOf(run, state, code) },
      inputs,
      outputs,
    },
  );
}

const jobOf = ({ kind, tenant }: Pick<RunDocument, 'kind' | 'tenant'>, about: About) => ({
  namespace: namespaceOf(about.namespace, tenant),
  name: kind,
  facets: jobFacetsOf(about, 'JOB'),
});

const jobFacetsOf = ({ title }: About, jobType: 'JOB' | 'PIPELINE'): Facets => ({
  jobType: facet('jobType', { processingType: 'BATCH', integration: 'MILLRACE', jobType }),
  ...(title === undefined ? {} : { documentation: facet('jobDocumentation', { description: title }) }),
});

function runFacetsOf({ asOf, runKey, step, tenant }: RunDocument, about: About): Facets {
  return {
    nominalTime: facet('nominalTime', { nominalStartTime: timeOf(asOf) }),
    millrace_run: ownFacet('run', { runKey, ...(step === undefined ? {} : { step: step.step }) }),
    ...(step === undefined ? {} : { parent: parentOf(step.run, tenant, about) }),
  };
}

/** The id of a pipeline run names its pipeline between its dots. */
function parentOf(id: string, tenant: string, { namespace }: About) {
  const [, pipeline = PIPELINE] = id.split('.');
  const job: JobRef = { namespace: namespaceOf(namespace, tenant), name: `${PIPELINE}.${pipeline}` };
  return facet('parent', { run: { runId: pipelineRunIdOf(id) }, job });
}

function endFacetsOf(run: RunDocument, state: RunState, code: string | undefined): Facets {
  const { codeVersion, fence, lineage, runKey, step } = run;
  const { computeSeconds, consentEpoch, engine, seed, threads } = state === 'committed' ? (lineage ?? {}) : {};
  const known = Object.entries({ computeSeconds, consentEpoch, engine, seed, threads }).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return {
    processing_engine: facet('processing_engine', { name: 'Millrace', version: codeVersion }),
    millrace_run: ownFacet('run', {
      runKey,
      ...(step === undefined ? {} : { step: step.step }),
      state,
      claims: fence,
      ...Object.fromEntries(known),
    }),
    ...(state === 'committed' || code === undefined ? {} : { errorMessage: errorOf(code) }),
  };
}

/** The code alone: what an error says may repeat an input. */
const errorOf = (code: string) => facet('errorMessage', { message: code, programmingLanguage: 'TypeScript' });

const PIPELINE_ENDS: Readonly<Record<PipelineRunDocument['state'], LineageEventType>> = {
  running: 'START',
  committed: 'COMPLETE',
  failed: 'FAIL',
  cancelled: 'ABORT',
};

/** All that can be told of a pipeline run by now: the parent of its steps' runs. */
export function eventsOfPipeline(run: PipelineRunDocument, about: About): PlacedEvent[] {
  const { asOf, createdAt, endedAt, id, parent, pipeline, state, tenant } = run;
  const runId = pipelineRunIdOf(id);
  const job = {
    namespace: namespaceOf(about.namespace, tenant),
    name: `${PIPELINE}.${pipeline}`,
    facets: jobFacetsOf(about, 'PIPELINE'),
  };
  const runFacets: Facets = {
    nominalTime: facet('nominalTime', { nominalStartTime: timeOf(asOf) }),
    millrace_run: ownFacet('run', { pipelineRun: id }),
    ...(parent === undefined ? {} : { parent: parentOf(parent, tenant, about) }),
  };
  const started = placed({ runId, order: 0, at: createdAt }, { type: 'START', job, runFacets });
  if (state === 'running' || endedAt === undefined) return [started];
  const failed = run.error ?? Object.values(run.steps).find((step) => step.error !== undefined)?.error;
  const error = state === 'committed' || failed === undefined ? {} : { errorMessage: errorOf(failed.code) };
  return [
    started,
    placed(
      { runId, order: 1, at: endedAt },
      { type: PIPELINE_ENDS[state], job, runFacets: { ...runFacets, ...error } },
    ),
  ];
}

const timeOf = (ms: number): string => new Date(ms).toISOString();

function placed(
  place: Omit<PlacedEvent, 'event'>,
  {
    inputs = [],
    job,
    outputs = [],
    runFacets: facets,
    type: eventType,
  }: Pick<About, 'inputs' | 'outputs'> & {
    readonly type: LineageEventType;
    readonly job: RunEvent['job'];
    readonly runFacets: Facets;
  },
): PlacedEvent {
  const { at, runId } = place;
  const event: RunEvent = {
    eventType,
    eventTime: timeOf(at),
    producer: PRODUCER,
    schemaURL: SCHEMA_URL,
    run: { runId, facets },
    job,
    inputs,
    outputs,
  };
  return { ...place, event };
}

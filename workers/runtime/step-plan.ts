/**
 * Owns what a run's document says next, given what is known of its steps: which groups become which steps, and which steps start.
 * Pure, as the graph is: what advances twice, or in two processes, advances to the same place.
 */
import { isGroup, isSubRun, type Pipeline, type PipelineNode, STEPS_MAX } from '../../jobs/define-pipeline.ts';
import { parseInput } from '../../jobs/client/make-job.ts';
import { pipelineRunId, runKeyOf } from '../../shared/contract-kit/names.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, PipelineStepState, RunDocument, RunError } from '../../shared/store/ports.ts';
import { paramsOf } from './pipeline-start.ts';
import { isDone, type Loaded, OutputsAbsent, type Placed, StepGraph, type Steps } from './step-graph.ts';

/** Larger outputs stay in the ledger alone, so that a document of STEPS_MAX steps stays far below the store's 16 MB. */
const OUTPUT_BYTES_MAX = 1_024;
const ERROR_BYTES_MAX = 2_048;
const MESSAGE_LENGTH_MAX = 500;

/** An output as the document keeps it: not at all, where it is large. */
export function keptOutput({
  output,
  contractVersion,
}: Pick<RunDocument, 'output' | 'contractVersion'>): Pick<PipelineStepState, 'output' | 'outputVersion'> {
  const version = contractVersion === 1 ? {} : { outputVersion: contractVersion };
  if (output === undefined || Buffer.byteLength(JSON.stringify(output)) > OUTPUT_BYTES_MAX) return version;
  return { output, ...version };
}

export function keptError(error: RunError): RunError {
  if (Buffer.byteLength(JSON.stringify(error)) <= ERROR_BYTES_MAX) return error;
  return { code: error.code, message: error.message.slice(0, MESSAGE_LENGTH_MAX), details: {} };
}

export const hasFailed = (steps: Steps): boolean => Object.values(steps).some(({ state }) => state === 'failed');

/** A moment of a run: the graph shows what `steps` has become, and is made anew only where a group has. */
interface Moment {
  readonly graph: StepGraph;
  readonly steps: Steps;
}

/** The steps after this moment. Throws OutputsAbsent, and PIPELINE_INVALID when the document does not fit the definition. */
export function planSteps(
  pipelineOf: (name: string) => Pipeline,
  run: PipelineRunDocument,
  loaded: Loaded,
  now: number,
): Steps {
  const pipeline = pipelineOf(run.pipeline);
  const open = (steps: Steps): Moment => ({ steps, graph: new StepGraph(pipeline, { ...run, steps }, loaded) });
  const first = open(run.steps);
  const steps = skipOptional(first);
  let moment = steps === first.steps ? first : open(steps);
  // Every turn but the last expands or ends a group.
  for (let turn = 0; turn <= STEPS_MAX * 2 && !hasFailed(moment.steps); turn++) {
    const ready = readyGroup(moment);
    if (ready === undefined) return startSteps(moment, run, pipelineOf, now);
    moment = settleGroup(moment, ready, open, now);
  }
  return moment.steps;
}

function skipOptional({ graph, steps }: Moment): Steps {
  const skipped = [...graph.nodes.values()].flatMap(({ name, node }) => {
    const step = steps[name];
    if (step?.state !== 'failed' || isGroup(node) || node.optional !== true) return [];
    return [[name, { ...step, state: 'skipped' as const }] as const];
  });
  return skipped.length === 0 ? steps : { ...steps, ...Object.fromEntries(skipped) };
}

/** The first group that can be expanded or ended. */
function readyGroup({ graph, steps }: Moment): Placed | undefined {
  return [...graph.nodes.values()].find(({ name, node, after }) => {
    if (!isGroup(node)) return false;
    if (steps[name]?.state === 'waiting') return after.every((other) => isDone(steps[other]));
    return steps[name]?.state === 'expanded' && graph.childrenOf(name).every((child) => isDone(steps[child.name]));
  });
}

function settleGroup(moment: Moment, placed: Placed, open: (steps: Steps) => Moment, now: number): Moment {
  const { graph, steps } = moment;
  const { name, node } = placed;
  const { rounds = 0, startedAt = now } = steps[name] ?? {};
  const end = (how: 'committed' | 'failed', error?: RunError): Moment => {
    const ended = { state: how, rounds, startedAt, endedAt: now, ...(error === undefined ? {} : { error }) };
    return { graph, steps: { ...steps, [name]: ended } };
  };
  if (!isGroup(node) || (node.layout === 'parts' && rounds > 0)) return end('committed');
  try {
    const children = graph.expand(placed, rounds);
    if (children.length === 0) return end('committed');
    if (rounds >= node.roundsMax || Object.keys(steps).length + children.length > STEPS_MAX)
      throw new AppError('PIPELINE_TOO_LARGE', {
        details: { step: name, round: rounds, roundsMax: node.roundsMax, stepsMax: STEPS_MAX },
      });
    const waiting = Object.fromEntries(children.map((child) => [child, { state: 'waiting' as const }]));
    // What cannot be a graph fails here, with the group that made it.
    return open({ ...steps, ...waiting, [name]: { state: 'expanded', rounds: rounds + 1, startedAt } });
  } catch (thrown) {
    return end('failed', errorOf(thrown));
  }
}

/** Marks the steps whose predecessors have ended as enqueued, as many as may be; their jobs follow once the document says so. */
function startSteps(
  { graph, steps }: Moment,
  run: PipelineRunDocument,
  pipelineOf: (name: string) => Pipeline,
  now: number,
): Steps {
  const next = { ...steps };
  let free = graph.parallel - Object.values(steps).filter(({ state }) => state === 'enqueued').length;
  for (const placed of graph.nodes.values()) {
    const { name, node, after } = placed;
    if (free <= 0) break;
    if (isGroup(node) || steps[name]?.state !== 'waiting' || !after.every((other) => isDone(steps[other]))) continue;
    try {
      next[name] = { state: 'enqueued', ...nameOf(graph, placed, node, run, pipelineOf), startedAt: now };
      free -= 1;
    } catch (thrown) {
      const state = node.optional === true ? 'skipped' : 'failed';
      next[name] = { state, startedAt: now, endedAt: now, error: errorOf(thrown) };
      if (state === 'failed') break;
    }
  }
  return next;
}

/** What a step will be known as, once its input has proved to be one. */
function nameOf(
  graph: StepGraph,
  placed: Placed,
  node: Exclude<PipelineNode, { expand: unknown }>,
  run: PipelineRunDocument,
  pipelineOf: (name: string) => Pipeline,
): Pick<PipelineStepState, 'runKey' | 'run'> {
  const key = `${run.id}.${placed.name}`;
  if (isSubRun(node)) {
    const { pipeline, params } = graph.startOf(placed, node);
    paramsOf(pipelineOf(pipeline), params);
    return { run: pipelineRunId(run.tenant, pipeline, key) };
  }
  parseInput(node.contract, graph.inputOf(placed, node));
  return { runKey: runKeyOf(run.tenant, node.contract.kind, key) };
}

/** The error of a definition's function; what asks for outputs goes on up, and so does that one is newer than this process: another goes on. */
function errorOf(thrown: unknown): RunError {
  if (thrown instanceof OutputsAbsent) throw thrown;
  if (thrown instanceof AppError && thrown.code === 'CONTRACT_VERSION_UNKNOWN') throw thrown;
  if (thrown instanceof RangeError)
    return keptError(new AppError('PIPELINE_INVALID', { message: `${thrown.message}.` }).toJSON());
  return keptError(toAppError(thrown).toJSON());
}

/**
 * Owns which steps a re-run does again: those that failed or did not end, the one that is asked for, and all that comes after them. The
 * others keep what they made. Pure, as the graph is.
 */
import { isGroup, type Pipeline } from '../../jobs/define-pipeline.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, PipelineStepState } from '../../shared/store/ports.ts';
import { isDone, type Loaded, type Placed, StepGraph, type Steps } from './step-graph.ts';

/** The steps with which the re-run of an ended run begins. Throws INPUT_INVALID when there is nothing to do again, and OutputsAbsent. */
export function restartedSteps(
  pipeline: Pipeline,
  run: PipelineRunDocument,
  from: string | undefined,
  loaded: Loaded,
): Steps {
  const graph = new StepGraph(pipeline, run, loaded);
  const again = new Set(
    Object.entries(run.steps).flatMap(([name, { state }]) =>
      state === 'failed' || state === 'enqueued' ? [name] : [],
    ),
  );
  if (from !== undefined) again.add(knownStep(graph, run, from));
  if (again.size === 0 && Object.values(run.steps).every(isDone))
    throw new AppError('INPUT_INVALID', {
      message: 'Every step of the run has finished: say from which one it is to run again.',
      details: { run: run.id, issues: [{ path: ['from'], message: 'needed where nothing failed' }] },
    });
  return restart(graph, run.steps, again, from);
}

function knownStep(graph: StepGraph, run: PipelineRunDocument, from: string): string {
  if (graph.nodes.has(from)) return from;
  throw new AppError('INPUT_INVALID', {
    message: `The run has no step "${from}".`,
    details: {
      run: run.id,
      issues: [{ path: ['from'], message: `one of ${[...graph.nodes.keys()].slice(0, 50).join(', ')}` }],
    },
  });
}

function restart(graph: StepGraph, steps: Steps, again: ReadonlySet<string>, asked: string | undefined): Steps {
  const kept: Record<string, PipelineStepState> = {};
  // The last round of each group in which something is done again: later rounds came of it.
  const lastRound = new Map<string, number>();
  for (const name of again)
    for (let { from } = placedOf(graph, name); from !== undefined; { from } = placedOf(graph, from.group))
      lastRound.set(from.group, Math.min(lastRound.get(from.group) ?? from.round, from.round));
  for (const placed of graph.nodes.values()) {
    const { name, node, from } = placed;
    const step = steps[name] ?? { state: 'waiting' };
    // What came of a group goes with it; the graph has groups before what came of them.
    if (from !== undefined && (kept[from.group]?.rounds ?? 0) <= from.round) continue;
    // A group that could not grow on goes on from the rounds it has.
    const couldNotGrow = isGroup(node) && step.state === 'failed' && name !== asked;
    const rounds = couldNotGrow ? (step.rounds ?? 0) : (lastRound.get(name) ?? -1) + 1;
    if (isGroup(node) && rounds > 0 && !isAfter(graph, name, again) && name !== asked)
      kept[name] = {
        state: 'expanded',
        rounds,
        ...(step.startedAt === undefined ? {} : { startedAt: step.startedAt }),
      };
    else if (again.has(name) || isAfter(graph, name, again)) kept[name] = { state: 'waiting' };
    else kept[name] = isDone(step) ? { ...step, reused: true } : step;
  }
  return kept;
}

function placedOf(graph: StepGraph, name: string): Placed {
  const placed = graph.nodes.get(name);
  if (placed === undefined) throw new RangeError(`there is no step ${name}`);
  return placed;
}

function isAfter(graph: StepGraph, name: string, again: ReadonlySet<string>): boolean {
  const before = graph.before(name);
  return [...again].some((other) => before.has(other));
}

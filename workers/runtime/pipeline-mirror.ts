/** Owns what watchers see of a pipeline run: every step, or of a run of many steps those that have something to tell. */
import type { PipelineRunDocument, PipelineStepState, StepState } from '../../shared/store/ports.ts';

/** The mirror is written with every advance: of larger runs it leaves steps out, what failed and what is at work last. */
const STEPS_SHOWN_MAX = 200;

const NEWS: Readonly<Record<StepState, number>> = {
  failed: 0,
  enqueued: 1,
  expanded: 2,
  skipped: 3,
  waiting: 4,
  committed: 5,
};

const isPart = (name: string): boolean => name.includes('[');

function shown(steps: PipelineRunDocument['steps']): [string, PipelineStepState][] {
  const all = Object.entries(steps);
  if (all.length <= STEPS_SHOWN_MAX) return all;
  const parts = all.filter(([name]) => isPart(name)).sort(([, a], [, b]) => NEWS[a.state] - NEWS[b.state]);
  return [...all.filter(([name]) => !isPart(name)), ...parts.slice(0, STEPS_SHOWN_MAX)];
}

export function mirrorOf(run: PipelineRunDocument): unknown {
  const { id, pipeline, state, createdAt, endedAt, error, parent, origin } = run;
  const steps = Object.fromEntries(
    shown(run.steps).map(([name, { state, startedAt, endedAt, error, rounds, run, reused }]) => [
      name,
      { state, startedAt, endedAt, error, rounds, run, reused },
    ]),
  );
  const states = Object.values(run.steps).map((step) => step.state);
  const count = (...wanted: StepState[]): number => states.filter((one) => wanted.includes(one)).length;
  const counts = {
    all: states.length,
    atWork: count('enqueued'),
    ended: count('committed', 'skipped', 'failed'),
    failed: count('failed'),
  };
  return { id, pipeline, state, createdAt, endedAt, error, parent, origin, steps, counts };
}

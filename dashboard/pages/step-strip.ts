/** Owns the strip that shows a pipeline run's steps in order, each with its state and its time. */
import { PIPELINES } from '../../jobs/pipelines.ts';
import type { PipelineRunDocument, PipelineStepState } from '../../shared/store/ports.ts';
import { html, type Markup } from '../html.ts';
import { span } from '../words.ts';
import { pipelineLink, runLink, state } from './layout.ts';

/** `part[10]` comes after `part[9]`. */
const byName = new Intl.Collator('en', { numeric: true });

/** Steps in the order of the pipeline's definition, what a group became right behind it; what it does not know (any more) comes last. */
export function orderedSteps(run: PipelineRunDocument): [name: string, step: PipelineStepState][] {
  const known = Object.hasOwn(PIPELINES, run.pipeline)
    ? Object.keys(PIPELINES[run.pipeline as keyof typeof PIPELINES].steps)
    : [];
  const place = (name: string): number => {
    const found = known.indexOf(name.split('[', 1)[0] ?? '');
    return found < 0 ? known.length : found;
  };
  const names = Object.keys(run.steps).sort((a, b) => place(a) - place(b) || byName.compare(a, b));
  return names.flatMap((name) => {
    const step = run.steps[name];
    return step === undefined ? [] : [[name, step] as [string, PipelineStepState]];
  });
}

/** What a step's state means to a reader: an enqueued step that has begun is at work. */
export const stepWord = (step: PipelineStepState): string => (step.state === 'enqueued' ? 'running' : step.state);

export function stepMs(step: PipelineStepState, nowMs: number): number | undefined {
  return step.startedAt === undefined ? undefined : (step.endedAt ?? nowMs) - step.startedAt;
}

const STRIP_STEPS_MAX = 16;

/** A step's name, leading to its run. */
export function stepLink(name: string, { runKey, run }: PipelineStepState): Markup {
  if (runKey !== undefined) return runLink(runKey, name);
  return run === undefined ? html`${name}` : pipelineLink(run, name);
}

export function stepStrip(run: PipelineRunDocument, nowMs: number): Markup {
  const steps = orderedSteps(run);
  // The parts of a large run are in the table; the strip has its groups.
  const shown = steps.length <= STRIP_STEPS_MAX ? steps : steps.filter(([name]) => !name.includes('['));
  const cells = shown.map(([name, step]) => {
    const ms = stepMs(step, nowMs);
    const title = stepLink(name, step);
    return html`<li class="step ${step.state}"><span class="step-name">${title}</span>${state(step.state, ms === undefined ? stepWord(step) : span(ms))}</li>`;
  });
  return html`<ol class="strip" aria-label="Steps of ${run.pipeline}">${cells}</ol>`;
}

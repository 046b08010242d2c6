/** Owns the strip that shows a pipeline run's steps in order, each with its state and its time. */
import { PIPELINES } from '../../jobs/pipelines.ts';
import type { PipelineRunDocument, PipelineStepState } from '../../shared/store/ports.ts';
import { html, type Markup } from '../html.ts';
import { span } from '../words.ts';
import { runLink, state } from './layout.ts';

/** Steps in the order of the pipeline's definition; what the definition does not know (any more) comes last. */
export function orderedSteps(run: PipelineRunDocument): [name: string, step: PipelineStepState][] {
  const known = Object.hasOwn(PIPELINES, run.pipeline)
    ? Object.keys(PIPELINES[run.pipeline as keyof typeof PIPELINES].steps)
    : [];
  const names = [
    ...known.filter((name) => name in run.steps),
    ...Object.keys(run.steps).filter((name) => !known.includes(name)),
  ];
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

export function stepStrip(run: PipelineRunDocument, nowMs: number): Markup {
  const cells = orderedSteps(run).map(([name, step]) => {
    const ms = stepMs(step, nowMs);
    const title = step.runKey === undefined ? html`${name}` : runLink(step.runKey, name);
    return html`<li class="step ${step.state}"><span class="step-name">${title}</span>${state(step.state, ms === undefined ? stepWord(step) : span(ms))}</li>`;
  });
  return html`<ol class="strip" aria-label="Steps of ${run.pipeline}">${cells}</ol>`;
}

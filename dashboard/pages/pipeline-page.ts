/** Owns the page of one pipeline run: its steps, what each waited for, made, or failed on. */
import { PIPELINES } from '../../jobs/pipelines.ts';
import type { PipelineRunDocument, PipelineStepState } from '../../shared/store/ports.ts';
import { html, type Markup } from '../html.ts';
import { explain, moment, shortId, span } from '../words.ts';
import { actForm, cancelForm, facts, json, pipelineLink, state, when, withCode } from './layout.ts';
import { orderedSteps, stepLink, stepMs, stepStrip, stepWord } from './step-strip.ts';

function after(pipeline: string, step: string): readonly string[] {
  if (!Object.hasOwn(PIPELINES, pipeline)) return [];
  const steps: Readonly<Record<string, { readonly after: readonly string[] }>> =
    PIPELINES[pipeline as keyof typeof PIPELINES].steps;
  return steps[step]?.after ?? [];
}

function why(step: PipelineStepState): Markup {
  if (step.error === undefined) return html`<td></td>`;
  const { what, todo } = explain(step.error);
  return html`<td><span class="bad">${withCode(what)}</span>${todo === undefined ? '' : html`<small>${withCode(todo)}</small>`}</td>`;
}

function stepRow(
  run: PipelineRunDocument,
  name: string,
  step: PipelineStepState,
  failed: boolean,
  nowMs: number,
): Markup {
  const ms = stepMs(step, nowMs);
  const waitsFor = after(run.pipeline, name);
  return html`<tr><th scope="row">${stepLink(name, step)}${step.reused === true ? html` <small>kept</small>` : ''}</th>
<td>${state(step.state, stepWord(step))}</td><td class="number">${ms === undefined ? '' : span(ms)}</td>
<td>${waitsFor.length === 0 ? html`<span class="quiet">nothing</span>` : waitsFor.join(', ')}</td>
${failed ? why(step) : ''}</tr>`;
}

/** The runs around this one: of which it is a step, which it runs again, which runs it again. */
function related({ parent, origin }: PipelineRunDocument, rerun: string | undefined): [string, Markup][] {
  const link = (id: string): Markup => html`${pipelineLink(id, shortId(id))}`;
  return [
    ...(parent === undefined ? [] : [['Part of', link(parent)] as [string, Markup]]),
    ...(origin === undefined
      ? []
      : [
          ['Re-run of', html`${link(origin.run)}${origin.from === undefined ? '' : ` from ${origin.from}`}`] as [
            string,
            Markup,
          ],
        ]),
    ...(rerun === undefined ? [] : [['Run again as', link(rerun)] as [string, Markup]]),
  ];
}

/** `csrf`: for those who may change something. */
export function pipelinePage(
  run: PipelineRunDocument,
  rerun: string | undefined,
  nowMs: number,
  csrf: string | undefined,
): Markup {
  const mayRunAgain = rerun === undefined && (run.state === 'failed' || run.state === 'cancelled');
  const live = Object.entries(run.live);
  const failed = Object.values(run.steps).some(({ error }) => error !== undefined);
  const title = Object.hasOwn(PIPELINES, run.pipeline) ? PIPELINES[run.pipeline as keyof typeof PIPELINES].title : '';
  return html`<section class="hero"><p class="crumbs"><a href="/">Overview</a></p>
<h1>${run.pipeline} <small>${shortId(run.id)}</small></h1><p class="lead">${title}</p>${cancelForm(`/pipelines/${encodeURIComponent(run.id)}/cancel`, 'pipeline run', run.state === 'running', csrf)}${mayRunAgain ? actForm(`/pipelines/${encodeURIComponent(run.id)}/rerun`, 'Run again what did not finish', csrf) : ''}</section>
${stepStrip(run, nowMs)}
<section><h2>Steps</h2><div class="scroll"><table><thead><tr><th scope="col">Step</th><th scope="col">State</th><th scope="col" class="number">Took</th><th scope="col">After</th>${failed ? html`<th scope="col">Why</th>` : ''}</tr></thead><tbody>${orderedSteps(run).map(([name, step]) => stepRow(run, name, step, failed, nowMs))}</tbody></table></div></section>
<div class="columns even">
<section><h2>Run</h2>${facts([
    ['State', state(run.state)],
    ['As of', moment(run.asOf)],
    ['Started', when(run.createdAt, nowMs)],
    ['Took', span((run.endedAt ?? nowMs) - run.createdAt)],
    ['Id', html`<code>${run.id}</code>`],
    ...related(run, rerun),
  ])}</section>
<section><h2>Live when it started</h2>${live.length === 0 ? html`<p class="quiet">Nothing.</p>` : facts(live.map(([part, version]) => [part, html`<code>${shortId(version)}</code>`]))}</section>
</div>
<section><h2>Parameters</h2>${json(run.params)}</section>`;
}

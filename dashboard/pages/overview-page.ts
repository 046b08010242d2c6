/** Owns the overview: what is published, what runs, what waits, what comes next. */
import type { PipelineRunDocument, RunDocument } from '../../shared/store/ports.ts';
import { html, type Markup } from '../html.ts';
import type { QueueLine } from '../overview/queues.ts';
import type { Overview, Section } from '../overview/read.ts';
import { count, countOf, explain, moment, shortId, span } from '../words.ts';
import { budgetParts } from './budget-parts.ts';
import { failureBox, pipelineLink, runLink, state, when } from './layout.ts';
import { publishedParts } from './published-parts.ts';
import { missedTicks, schedules } from './schedule-parts.ts';
import { stepStrip } from './step-strip.ts';

function show<T>(section: Section<T>, view: (value: T) => Markup): Markup {
  return section.ok ? view(section.value) : failureBox(section.failure);
}

/** Made-up data says so wherever figures about it are shown. */
export const simulatedMark = (simulated: boolean): Markup | undefined =>
  simulated
    ? html`<span class="tag" title="People, items and events were made up by the simulated platform.">simulated data</span>`
    : undefined;

function hero(overview: Overview): Markup {
  const published = overview.published.ok ? overview.published.value : undefined;
  const totals = overview.totals.ok ? overview.totals.value : undefined;
  const tag = simulatedMark(published?.simulated ?? false);
  const held =
    totals &&
    html`${countOf(totals.people, 'person', 'people')}, ${countOf(totals.items, 'item', 'items')} and ${countOf(totals.events, 'event', 'events')} are in the store.`;
  if (published === undefined)
    return html`<section class="hero"><h1>${overview.published.ok ? 'Nothing is published yet' : 'What is published is not known'}</h1>
    ${overview.published.ok ? html`<p class="lead">${held} ${tag} Run <code>npx millrace run refresh --wait</code> to make and publish recommendations.</p>` : failureBox(overview.published.failure)}</section>`;
  const { release, pointer } = published;
  return html`<section class="hero"><h1>Release <a href="/release">${shortId(release.version)}</a> is live ${tag}</h1>
  <p class="lead">Published ${when(release.createdAt, overview.at)}, as of ${moment(release.asOf)}. ${held}${pointer?.hold ? html` <strong>On hold:</strong> scheduled runs will not replace it.` : ''}</p></section>`;
}

function pipelineRow(run: PipelineRunDocument, nowMs: number): Markup {
  return html`<li class="pipeline"><div class="pipeline-head"><h3>${pipelineLink(run.id, run.pipeline)}</h3>${state(run.state)}<span class="quiet">${run.endedAt === undefined ? 'started ' : ''}${when(run.createdAt, nowMs)}${run.endedAt === undefined ? '' : `, took ${span(run.endedAt - run.createdAt)}`}</span></div>${stepStrip(run, nowMs)}</li>`;
}

const pipelines = (runs: readonly PipelineRunDocument[], nowMs: number): Markup =>
  runs.length === 0
    ? html`<p class="quiet">No pipeline has run yet.</p>`
    : html`<ol class="plain">${runs.map((run) => pipelineRow(run, nowMs))}</ol>`;

/** How long a run took, from its claim to its end. */
export const runMs = (run: RunDocument): number | undefined =>
  run.endedAt === undefined ? undefined : run.endedAt - run.claimedAt;

function runRow(run: RunDocument, nowMs: number): Markup {
  const took = runMs(run);
  const { engine, threads } = run.lineage ?? {};
  const step = run.step === undefined ? '' : `step ${run.step.step}`;
  return html`<tr><th scope="row">${runLink(run.runKey, run.kind)}<small>${step}</small></th><td>${state(run.state)}${run.error === undefined ? '' : html`<small class="bad">${explain(run.error).what}</small>`}</td><td>${when(run.createdAt, nowMs)}</td><td class="number">${took === undefined ? '' : span(took)}</td><td>${engine === undefined ? '' : html`${engine}${threads === undefined ? '' : html` <small>${countOf(threads, 'thread', 'threads')}</small>`}`}</td></tr>`;
}

const runs = (found: readonly RunDocument[], nowMs: number): Markup =>
  found.length === 0
    ? html`<p class="quiet">No job has run yet.</p>`
    : html`<div class="scroll"><table><thead><tr><th scope="col">Kind</th><th scope="col">State</th><th scope="col">When</th><th scope="col" class="number">Took</th><th scope="col">Engine</th></tr></thead><tbody>${found.map((run) => runRow(run, nowMs))}</tbody></table></div>`;

function queueRow(queue: QueueLine, board: string, nowMs: number): Markup {
  const cell = (value: number, tone = ''): Markup =>
    html`<td class="number ${value === 0 ? 'zero' : tone}">${count(value)}</td>`;
  const oldest = queue.oldestWaitingAt;
  return html`<tr><th scope="row"><a href="${board}/queue/${queue.kind}">${queue.kind}</a>${queue.paused ? html` <small>paused</small>` : ''}${queue.later === 0 ? '' : html` <small>${count(queue.later)} for later</small>`}</th>${cell(queue.waiting)}${cell(queue.active, 'busy')}${cell(queue.failed, 'bad')}${cell(queue.completed)}<td class="number ${oldest === undefined ? 'zero' : ''}">${oldest === undefined ? '–' : span(nowMs - oldest)}</td></tr>`;
}

const queues = (found: readonly QueueLine[], board: string, nowMs: number): Markup =>
  html`<div class="scroll"><table><thead><tr><th scope="col">Queue</th><th scope="col" class="number">Waiting</th><th scope="col" class="number">Active</th><th scope="col" class="number">Failed</th><th scope="col" class="number">Done</th><th scope="col" class="number">Oldest</th></tr></thead><tbody>${found.map((queue) => queueRow(queue, board, nowMs))}</tbody></table></div>`;

/** The main part of the overview. `board` is the path of Bull Board that this person may see. */
export function overviewPage(overview: Overview, board: string): Markup {
  const now = overview.at;
  const published = overview.published.ok ? overview.published.value : undefined;
  return html`${hero(overview)}
${overview.schedules.ok ? missedTicks(overview.schedules.value, now) : ''}
${published === undefined ? '' : publishedParts(published)}
<section aria-labelledby="h-pipelines"><h2 id="h-pipelines">Pipelines</h2>${show(overview.pipelines, (value) => pipelines(value, now))}</section>
<div class="columns">
<section aria-labelledby="h-queues"><h2 id="h-queues">Queues</h2>${show(overview.queues, (value) => queues(value, board, now))}</section>
<section aria-labelledby="h-schedules"><h2 id="h-schedules">Schedules</h2>${show(overview.schedules, (value) => schedules(value, now))}</section>
</div>
${show(overview.budget, (value) => (value === undefined ? html`` : budgetParts(value, now)))}
<section aria-labelledby="h-runs"><h2 id="h-runs">Latest runs</h2>${show(overview.runs, (value) => runs(value, now))}</section>`;
}

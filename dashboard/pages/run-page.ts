/** Owns the page of one run: what it read, what it made, why it failed and what to do. */
import { jobIdOf } from '../../shared/contract-kit/names.ts';
import type { RunDocument } from '../../shared/store/ports.ts';
import { html, type Markup } from '../html.ts';
import { countOf, moment, shortId, span } from '../words.ts';
import { redriveForm } from './dead-letters-page.ts';
import { cancelForm, facts, failureBox, json, pipelineLink, runLink, state, when } from './layout.ts';
import { runMs } from './overview-page.ts';

/** What BullMQ knows about the job of a run; absent when the job is gone from Redis. */
export interface RunJob {
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly progress: unknown;
  readonly logs: readonly string[];
}

/** A version that a run read, with the run that made it where that is known. */
export interface RunInput {
  readonly version: string;
  readonly runKey?: string;
  readonly kind?: string;
}

export interface RunDetails {
  readonly run: RunDocument;
  readonly job: RunJob | undefined;
  readonly inputs: readonly RunInput[];
}

function lineage({ run, inputs }: RunDetails): Markup {
  const known = run.lineage;
  const read =
    inputs.length === 0
      ? 'no version'
      : html`<ul class="plain">${inputs.map(({ version, runKey, kind }) => html`<li>${runKey === undefined ? html`<code>${version}</code>` : runLink(runKey, shortId(version))}${kind === undefined ? '' : html` <small>${kind}</small>`}</li>`)}</ul>`;
  return facts([
    ['Read', html`${read}`],
    ['Made', run.version === undefined ? undefined : html`<code>${run.version}</code>`],
    ['Consent epoch', known?.consentEpoch],
    ['Seed', known?.seed],
    ['Engine', known?.engine],
    ['Threads', known?.threads],
    ['Computed in', known?.computeSeconds === undefined ? undefined : span(known.computeSeconds * 1000)],
    ['Code', html`<code>${shortId(run.codeVersion)}</code>`],
    ['Contract', `version ${run.contractVersion}`],
    ['Input hash', html`<code>${run.inputHash.slice(0, 16)}</code>`],
  ]);
}

function times(run: RunDocument, job: RunJob | undefined, nowMs: number): Markup {
  const took = runMs(run);
  return facts([
    ['State', state(run.state)],
    ['As of', moment(run.asOf)],
    ['First claimed', when(run.createdAt, nowMs)],
    ['Took', took === undefined ? undefined : span(took)],
    ['Claims', run.fence === 0 ? undefined : run.fence],
    ['Redriven', run.redrivenAt === undefined ? undefined : when(run.redrivenAt, nowMs)],
    ['Attempts', job === undefined ? undefined : `${job.attempts} of ${job.attemptsMax}`],
    [
      'Effects',
      run.state === 'committed' ? (run.followed ? 'visible' : 'committed, about to become visible') : undefined,
    ],
  ]);
}

/** `csrf`: for those who may change something. */
export function runPage(details: RunDetails, board: string, nowMs: number, csrf: string | undefined): Markup {
  const { run, job } = details;
  return html`<section class="hero"><p class="crumbs"><a href="/">Overview</a>${run.step === undefined ? '' : html` / ${pipelineLink(run.step.run, 'pipeline')} / ${run.step.step}`}</p>
<h1>${run.kind} <small>${shortId(run.runKey)}</small></h1>${cancelForm(`/runs/${encodeURIComponent(run.runKey)}/cancel`, 'run', run.state === 'running', csrf)}${run.state === 'dead-lettered' || run.state === 'expired' ? redriveForm(run.runKey, csrf) : ''}</section>
${run.error === undefined ? '' : failureBox(run.error)}
<div class="columns even">
<section><h2>Run</h2>${times(run, job, nowMs)}</section>
<section><h2>Lineage</h2>${lineage(details)}</section>
</div>
${run.output === undefined ? '' : html`<section><h2>Output</h2>${json(run.output)}</section>`}
${run.error === undefined || Object.keys(run.error.details).length === 0 ? '' : html`<section><h2>Details of the error</h2>${json(run.error.details)}</section>`}
${job === undefined ? html`<p class="quiet">Its job is no longer in the queue's memory.</p>` : html`<section><h2>Job</h2>${job.logs.length === 0 ? '' : html`<pre tabindex="0">${job.logs.join('\n')}</pre>`}<p><a href="${board}/queue/${run.kind}/${jobIdOf(run.runKey)}">Open it in the queue</a>${job.logs.length === 0 ? '' : html`, ${countOf(job.logs.length, 'line', 'lines')} of log`}</p></section>`}`;
}

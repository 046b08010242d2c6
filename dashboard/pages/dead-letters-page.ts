/** Owns the page of dead letters: what ended without an effect, why, and giving it back to work. */
import type { DeadLetter, DeadLetterPage } from '../../jobs/client/dead-letters.ts';
import { html, type Markup } from '../html.ts';
import { shortId } from '../words.ts';
import { actForm, runLink, state, when } from './layout.ts';

const INPUTS: Readonly<Record<DeadLetter['input']['in'], string>> = {
  job: 'in its job',
  sealed: 'sealed in its job',
  claim: 'in the store',
  gone: 'gone',
};

function row(letter: DeadLetter, nowMs: number, csrf: string | undefined): Markup {
  const { runKey, kind, code, endedAt, attempts, claims, input, earlierEnds } = letter;
  const again = earlierEnds.length === 0 ? '' : html` <small>redriven before</small>`;
  return html`<tr><th scope="row">${runLink(runKey, `${kind} ${shortId(runKey)}`)}${again}</th><td>${state(letter.state)}</td><td><code>${code}</code></td><td>${when(endedAt, nowMs)}</td><td class="number">${attempts ?? '–'}</td><td class="number">${claims}</td><td>${INPUTS[input.in]}</td><td>${redriveForm(runKey, csrf)}</td></tr>`;
}

/** Nothing for those who may only look. */
export const redriveForm = (runKey: string, csrf: string | undefined): Markup | '' =>
  actForm(`/runs/${encodeURIComponent(runKey)}/redrive`, 'Redrive', csrf);

/** `csrf`: for those who may change something. */
export function deadLettersPage(
  { deadLetters, next }: DeadLetterPage,
  nowMs: number,
  csrf: string | undefined,
): Markup {
  const more =
    next === undefined ? '' : html`<p><a href="/dead-letters?after=${encodeURIComponent(next)}">Earlier ones</a></p>`;
  const rows = deadLetters.map((letter) => row(letter, nowMs, csrf));
  return html`<section class="hero"><p class="crumbs"><a href="/">Overview</a></p><h1>Dead letters</h1><p class="lead">Runs that ended without an effect. A redrive checks the input against the contract of today and gives the run back to work, once.</p></section>
<section>${
    rows.length === 0
      ? html`<p class="quiet">There is none.</p>`
      : html`<div class="scroll"><table><thead><tr><th scope="col">Run</th><th scope="col">Ended as</th><th scope="col">Why</th><th scope="col">When</th><th scope="col" class="number">Attempts</th><th scope="col" class="number">Claims</th><th scope="col">Input</th><th scope="col"></th></tr></thead><tbody>${rows}</tbody></table></div>`
  }${more}</section>`;
}

/** Owns the page of the audit trail: who looked at or did what, and whether the chain is whole. */
import { faultLine, NO_HEAD } from '../../shared/governance/trail-words.ts';
import type { TrailEntry, TrailReport } from '../../shared/store/ports.ts';
import { html, type Markup } from '../html.ts';
import { count, countOf, shortId } from '../words.ts';
import { runLink, when } from './layout.ts';

export interface TrailAsked {
  readonly actor?: string | undefined;
  readonly act?: string | undefined;
  readonly person?: string | undefined;
  readonly outcome?: string | undefined;
}

export type TrailView =
  | { readonly entries: readonly TrailEntry[]; readonly asked: TrailAsked; readonly isMore: boolean }
  | { readonly report: TrailReport };

const PERSON_CHARS = 12;

function row(entry: TrailEntry, nowMs: number): Markup {
  const { n, at, actor, role, act, object, person, outcome, count: times } = entry;
  const who = actor.kind === 'run' && actor.id.includes('.') ? runLink(actor.id, shortId(actor.id)) : actor.id;
  const often = times === undefined ? '' : html` <small>${count(times)} times</small>`;
  return html`<tr><th scope="row" class="number">${n}</th><td>${when(at, nowMs)}</td><td>${actor.kind} ${who}${role === undefined ? '' : html` <small>${role}</small>`}</td><td><code>${act}</code></td><td>${object}${often}</td><td><code>${person?.slice(0, PERSON_CHARS) ?? ''}</code></td><td>${outcome === 'allowed' ? outcome : html`<code>${outcome}</code>`}</td></tr>`;
}

const field = (name: keyof TrailAsked, label: string, value: string | undefined): Markup =>
  html`<label>${label} <input name="${name}" value="${value ?? ''}" maxlength="300"></label>`;

function moreLink(entries: readonly TrailEntry[], asked: TrailAsked): Markup {
  const query = new URLSearchParams({ before: String(entries.at(-1)?.n ?? 1) });
  for (const [name, value] of Object.entries(asked)) if (value !== undefined) query.set(name, value);
  return html`<p><a href="/trail?${query.toString()}">Earlier ones</a></p>`;
}

function entriesPart({ entries, asked, isMore }: Extract<TrailView, { asked: TrailAsked }>, nowMs: number): Markup {
  const rows = entries.map((entry) => row(entry, nowMs));
  return html`<section><form class="act" method="get" action="/trail">${field('actor', 'Who', asked.actor)}${field('act', 'Permission', asked.act)}${field('person', 'About (id of the person)', asked.person)}${field('outcome', 'Outcome', asked.outcome)}<button>Show</button></form>${
    rows.length === 0
      ? html`<p class="quiet">There is no such entry.</p>`
      : html`<div class="scroll"><table><thead><tr><th scope="col" class="number">Entry</th><th scope="col">When</th><th scope="col">Who</th><th scope="col">Permission</th><th scope="col">What</th><th scope="col">About</th><th scope="col">Outcome</th></tr></thead><tbody>${rows}</tbody></table></div>`
  }${isMore ? moreLink(entries, asked) : ''}</section>`;
}

function reportPart({ checked, first, last, heads, faults }: TrailReport): Markup {
  if (faults.length === 0)
    return html`<section><p><strong>Whole.</strong> ${countOf(checked, 'entry', 'entries')}, ${first} to ${last}: each is as it was written, and none is missing. ${heads === 0 ? NO_HEAD : ''}</p></section>`;
  const lines = faults.map((fault) => html`<li>${faultLine(fault)}</li>`);
  return html`<section><div class="failure" role="note"><p><strong>The trail is not as it was written.</strong></p><ul>${lines}</ul><p class="code">TRAIL_BROKEN</p></div></section>`;
}

export function trailPage(view: TrailView, nowMs: number): Markup {
  return html`<section class="hero"><p class="crumbs"><a href="/">Overview</a></p><h1>Audit trail</h1><p class="lead">Who looked at or did what. Each entry holds the hash of the one before it; people stand under pseudonyms whose keys go with them.</p><p><a href="/trail/check">Check that it is whole</a></p></section>
${'report' in view ? reportPart(view.report) : entriesPart(view, nowMs)}`;
}

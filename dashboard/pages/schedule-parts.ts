/** Owns how schedules look: the next tick, the outcomes of the last five, and the alert of missed ticks. */
import { html, type Markup } from '../html.ts';
import type { ScheduleLine, TickLine } from '../overview/schedules.ts';
import { countOf, moment, relative, rhythm, spaced } from '../words.ts';
import { state } from './layout.ts';

function outcome({ tick, did, run, state: ended }: TickLine): Markup {
  const words = did === 'skipped' ? 'skipped' : (ended ?? 'waiting');
  const title = `${moment(tick)}: ${words}${did === 'caught-up' ? ', run late' : ''}`;
  if (run === undefined || ended === undefined) return html`<li title="${title}"><small>${words}</small></li>`;
  return html`<li title="${title}"><a href="/pipelines/${encodeURIComponent(run)}">${state(ended)}</a></li>`;
}

function scheduleRow({ name, pipeline, ticks, last, timeZone, armed }: ScheduleLine, nowMs: number): Markup {
  const [next] = ticks;
  const due =
    next === undefined
      ? html`never due`
      : html`<time datetime="${new Date(next).toISOString()}" title="${ticks.map(moment).join('\n')}">${relative(next, nowMs)}</time>`;
  const before = last.length === 0 ? '' : html`<ol class="plain outcomes">${last.map(outcome)}</ol>`;
  return html`<li><div><strong>${spaced(name)}</strong><span class="quiet">${pipeline}</span>${before}</div><div>${armed ? due : html`<span class="warn">not started</span>`}<small>${rhythm(ticks, timeZone)}</small></div></li>`;
}

export const schedules = (found: readonly ScheduleLine[], nowMs: number): Markup =>
  html`<ul class="plain schedules">${found.map((line) => scheduleRow(line, nowMs))}</ul>${found.some(({ armed }) => !armed) ? html`<p class="quiet">Schedules start with the workers: <code>npm start</code>.</p>` : ''}`;

function alertOf({ name, missed, overdue }: ScheduleLine, nowMs: number): Markup[] {
  const alerts: Markup[] = [];
  if (overdue !== undefined)
    alerts.push(
      html`<li><strong>${spaced(name)}</strong> was due ${relative(overdue, nowMs)} and no worker took it. Start workers: <code>npm start</code>.</li>`,
    );
  if (missed !== undefined)
    alerts.push(
      html`<li><strong>${spaced(name)}</strong> missed ${countOf(missed.count, 'tick', 'ticks')} up to ${moment(missed.to)}; ${missed.caughtUp === 0 ? 'none was' : `${missed.caughtUp} run`} late.</li>`,
    );
  return alerts;
}

/** Nothing where every tick came at its time. */
export function missedTicks(found: readonly ScheduleLine[], nowMs: number): Markup | string {
  const alerts = found.flatMap((line) => alertOf(line, nowMs));
  return alerts.length === 0
    ? ''
    : html`<section aria-labelledby="h-missed"><h2 id="h-missed">Missed ticks</h2><ul class="plain">${alerts}</ul></section>`;
}

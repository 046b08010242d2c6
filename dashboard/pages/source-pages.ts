/** Owns the pages of sources: how much came from each, how good it was, what waits, and how far it may move what is learned. */
import type { CappedShare } from '../../shared/numerics/interactions/columns.ts';
import { ALERTS, type DayReport, type SourceReport } from '../../shared/numerics/quality/source-report.ts';
import type { SourceDeclaration } from '../../shared/sources/registry.ts';
import type { QuarantinedBatch } from '../../shared/store/ports.ts';
import { html, type Markup } from '../html.ts';
import { count, countOf, moment, percent } from '../words.ts';
import { facts } from './layout.ts';

export interface SourceLine {
  readonly name: string;
  readonly declared: SourceDeclaration;
  /** False: an operator's own name. */
  readonly isDeclared: boolean;
  readonly report: SourceReport;
  readonly waiting: readonly QuarantinedBatch[];
  /** Versions of its own records that are understood. */
  readonly schemas: readonly string[];
  /** What the live model learned less than it claims of. */
  readonly capped?: CappedShare;
}

type Figure = 'received' | 'passed' | 'duplicates' | 'late';
const sum = ({ days }: SourceReport, of: Figure): number => days.reduce((total, day) => total + day[of], 0);
const share = (part: number, whole: number): string => (whole === 0 ? '' : percent(part / whole));
const records = (waiting: readonly QuarantinedBatch[]): number =>
  waiting.reduce((total, batch) => total + batch.records, 0);

const STANDINGS: Readonly<Record<SourceReport['standing'], readonly [glyph: string, tone: string, words: string]>> = {
  'high-signal': ['●', 'good', 'high signal'],
  fair: ['◐', 'calm', 'fair'],
  poor: ['✕', 'bad', 'poor'],
  unknown: ['○', 'calm', 'too little to tell'],
};

function standing({ score, standing: name }: SourceReport): Markup {
  const [glyph, tone, words] = STANDINGS[name];
  return html`<span class="state ${tone}"><span aria-hidden="true">${glyph}</span> ${words}</span>${Number.isNaN(score) ? '' : html` <small>${score.toFixed(2)} of 1</small>`}`;
}

/** What leapt on the latest day. */
const alertsOf = ({ days }: SourceReport): Markup[] =>
  (days.at(-1)?.alerts ?? []).map((alert) => html`<small class="bad">${ALERTS[alert]}</small>`);

function row({ name, declared, report, waiting, capped }: SourceLine): Markup {
  const received = sum(report, 'received');
  const [passed, held] = [sum(report, 'passed'), records(waiting)];
  return html`<tr><th scope="row"><a href="/sources/${encodeURIComponent(name)}">${name}</a><small>${declared.reliability}</small></th><td>${standing(report)}${alertsOf(report)}</td><td class="number">${count(received)}</td><td class="number">${share(received - passed, received)}</td><td class="number">${share(sum(report, 'duplicates'), passed)}</td><td class="number">${share(sum(report, 'late'), passed)}</td><td class="number ${held === 0 ? 'zero' : ''}">${count(held)}</td><td class="number">${percent(declared.influenceMax)}${capped === undefined ? '' : html`<small>${percent(capped.counted / capped.claimed)} of its weight counts</small>`}</td></tr>`;
}

const HEAD = ['Standing', 'Events', 'Refused', 'Repeated', 'Late', 'Waiting', 'May make up'];
const head = (first: string, others: readonly string[], numbersFrom: number): Markup =>
  html`<thead><tr><th scope="col">${first}</th>${others.map((name, n) => html`<th scope="col"${n >= numbersFrom ? html` class="number"` : ''}>${name}</th>`)}</tr></thead>`;

export function sourcesPage(lines: readonly SourceLine[], heldAccounts: number, days: number): Markup {
  const body =
    lines.length === 0
      ? html`<p>Nothing has come in.</p>`
      : html`<div class="scroll" tabindex="0" role="region" aria-label="Sources"><table>${head('Source', HEAD, 1)}<tbody>${lines.map(row)}</tbody></table></div>`;
  return html`<section class="hero"><p class="crumbs"><a href="/">Overview</a></p><h1>Sources</h1>
<p class="lead">What came in over the last ${countOf(days, 'day', 'days')}, and how far it is to be trusted. ${countOf(heldAccounts, 'account is', 'accounts are')} not taken for people (<code>millrace quality list</code>).</p></section>
<section>${body}</section>`;
}

const DAY_HEAD = ['Events', 'Refused', 'Repeated', 'Late', 'With a session', 'Types moved', 'Values moved', 'Leapt'];
const moved = (figure: number | undefined): string => (figure === undefined ? '' : figure.toFixed(2));

function dayRow(day: DayReport): Markup {
  const { received, passed, duplicates, late, filled, typesMoved, valuesMoved } = day;
  const cells = [
    count(received),
    share(received - passed, received),
    share(duplicates, passed),
    share(late, passed),
    share(filled.session, passed),
    moved(typesMoved),
    moved(valuesMoved),
  ];
  return html`<tr><th scope="row">${day.day}</th>${cells.map((cell) => html`<td class="number">${cell}</td>`)}<td>${day.alerts.map((alert) => html`<small class="bad">${ALERTS[alert]}</small>`)}</td></tr>`;
}

function refusals({ days }: SourceReport): Markup | '' {
  const sums = new Map<string, number>();
  for (const { refused } of days)
    for (const [name, many] of Object.entries(refused)) sums.set(name, (sums.get(name) ?? 0) + many);
  if (sums.size === 0) return '';
  const most = [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return html`<section><h2>Why events were refused or held</h2>${facts(most.map(([name, many]) => [name, count(many)]))}</section>`;
}

function waitingRows(waiting: readonly QuarantinedBatch[]): Markup | '' {
  if (waiting.length === 0) return '';
  return html`<section><h2>What waits</h2><div class="scroll" tabindex="0" role="region" aria-label="What waits"><table>${head('Batch', ['Version', 'Why', 'Since', 'Events'], 3)}<tbody>${waiting
    .slice(0, 50)
    .map(
      ({ id, schema, reason, heldAt, records: many }) =>
        html`<tr><th scope="row"><code>${id}</code></th><td>${schema ?? ''}</td><td>${reason}</td><td>${moment(heldAt)}</td><td class="number">${count(many)}</td></tr>`,
    )}</tbody></table></div><p>${countOf(waiting.length, 'batch waits', 'batches wait')}; <code>millrace quarantine release ID</code> lets one in.</p></section>`;
}

export function sourcePage(
  { name, declared, isDeclared, report, waiting, schemas, capped }: SourceLine,
  days: number,
): Markup {
  const { influenceMax, licence, perPerson, purposes, rate, reliability, retentionDays } = declared;
  const terms: (readonly [string, Markup | string | undefined])[] = [
    ['Standing', standing(report)],
    ['Grade', reliability],
    ['May make up', `${percent(influenceMax)} of a feature, and of what is learned`],
    [
      'In the live model',
      capped &&
        `${percent(capped.counted / capped.claimed)} of the weight it claims counts (${capped.counted.toFixed(1)} of ${capped.claimed.toFixed(1)})`,
    ],
    ['Rate', rate === null ? 'as fast as the queue takes it' : `${rate.perSecond} batches a second`],
    [
      'Of a person',
      perPerson === null ? undefined : `${count(perPerson.events)} events in ${perPerson.minutes} minutes`,
    ],
    ['Kept', retentionDays === null ? 'until withdrawn or erased' : countOf(retentionDays, 'day', 'days')],
    ['Purposes', purposes.join(', ')],
    ['Licence', licence.name],
    ['Versions understood', schemas.length === 0 ? 'canonical events' : `canonical events, ${schemas.join(', ')}`],
  ];
  return html`<section class="hero"><p class="crumbs"><a href="/">Overview</a> <a href="/sources">Sources</a></p><h1>${name}</h1>
<p class="lead">${isDeclared ? declared.title : 'A name of your own, which no folder declares.'}</p></section>
<section><h2>Terms</h2>${facts(terms)}</section>
<section><h2>The last ${countOf(days, 'day', 'days')}</h2>${
    report.days.length === 0
      ? html`<p class="quiet">Nothing went in.</p>`
      : html`<div class="scroll" tabindex="0" role="region" aria-label="Days"><table>${head('Day (UTC)', DAY_HEAD, 0)}<tbody>${report.days.toReversed().map(dayRow)}</tbody></table></div>`
  }</section>
${refusals(report)}
${waitingRows(waiting)}`;
}

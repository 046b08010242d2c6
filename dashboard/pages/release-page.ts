/** Owns the page of a release: its parts, the audit's whole report, and the releases before it. */
import type { Pointer, PointerChange, Release } from '../../shared/store/ports.ts';
import { html, type Markup } from '../html.ts';
import { type AuditFigure, auditFigures } from '../overview/audit-report.ts';
import { isPart, type Published } from '../overview/published.ts';
import { count, figure, moment, shortId, spaced } from '../words.ts';
import { actForm, json, runLink, when } from './layout.ts';
import { simulatedMark } from './overview-page.ts';
import { publishedParts } from './published-parts.ts';

function interval({ value, low, high, unit }: AuditFigure): Markup {
  if (low === undefined || high === undefined) return html``;
  if (unit === undefined || value === null) return html`${figure(low)} … ${figure(high)}`;
  const x = (at: number): string =>
    (Math.min(1, Math.max(0, (at - unit.min) / (unit.max - unit.min))) * 100).toFixed(2);
  return html`<svg class="interval" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><line class="track" x1="0" x2="100" y1="5" y2="5"/><line class="range" x1="${x(low)}" x2="${x(high)}" y1="5" y2="5"/><line class="dot" x1="${x(value)}" x2="${x(value)}" y1="1" y2="9"/></svg><small>${figure(low)} … ${figure(high)}</small>`;
}

function figureRow(row: AuditFigure): Markup {
  return html`<tr><th scope="row">${row.group === undefined ? 'everybody' : row.group}</th><td class="number">${row.n === undefined ? '' : count(row.n)}</td><td class="number">${figure(row.value)}</td><td>${row.value === null && row.reason !== undefined ? html`<small>${row.reason}</small>` : interval(row)}</td><td>${row.flagged ? html`<span class="state warn"><span aria-hidden="true">▲</span> flagged</span>` : ''}</td></tr>`;
}

function audit(published: Published): Markup {
  const part = published.audit;
  if (!isPart(part)) return html``;
  const sections = auditFigures(part.version.meta.report, part.output?.findings ?? []);
  return html`<section id="audit"><h2>Audit report</h2>
${sections.map(
  ({
    metric,
    attribute,
    onHoldout,
    says,
    figures,
  }) => html`<h3>${spaced(metric)}${attribute === undefined ? '' : html` <small>by ${spaced(attribute)}</small>`}${onHoldout ? html` <small>on the holdout</small>` : ''}</h3>${says === undefined ? '' : html`<p>${says}</p>`}
<div class="scroll"><table class="report"><thead><tr><th scope="col">Group</th><th scope="col" class="number">n</th><th scope="col" class="number">Value</th><th scope="col">Interval</th><th scope="col"><span class="hidden">Flag</span></th></tr></thead><tbody>${figures.map(figureRow)}</tbody></table></div>`,
)}
${part.version.meta.report === undefined ? '' : html`<details><summary>The report as the audit wrote it</summary>${json(part.version.meta.report)}</details>`}</section>`;
}

function history(releases: readonly Release[], live: Release, nowMs: number, csrf: string | undefined): Markup {
  const act = ({ version, createdAt }: Release): Markup | '' =>
    createdAt < live.createdAt
      ? actForm(`/release/${encodeURIComponent(version)}/rollback`, 'Roll back to this', csrf)
      : '';
  return html`<section><h2>Releases</h2><p><a href="/models">Models and their cards</a></p><div class="scroll"><table><thead><tr><th scope="col">Release</th><th scope="col">Published</th><th scope="col">As of</th><th scope="col">Parts</th>${csrf === undefined ? '' : html`<th scope="col"><span class="hidden">Change</span></th>`}</tr></thead><tbody>${releases.map(
    (release) =>
      html`<tr><th scope="row">${shortId(release.version)}${release.version === live.version ? html` <span class="tag good">live</span>` : ''}</th><td>${when(release.createdAt, nowMs)}</td><td>${moment(release.asOf)}</td><td>${(['dataset', 'embeddings', 'segments', 'candidates', 'audit'] as const).filter((name) => release[name] !== undefined).join(', ')}</td>${csrf === undefined ? '' : html`<td>${act(release)}</td>`}</tr>`,
  )}</tbody></table></div></section>`;
}

const DID: Readonly<Record<PointerChange['did'], string>> = {
  publish: 'published',
  'roll-back': 'rolled back, on hold',
  promote: 'promoted',
  hold: 'put on hold',
  unhold: 'let go of the hold',
};

/** Who changed what is live, newest first. A run's name is too long to tell anybody something. */
function changes(pointer: Pointer | undefined, nowMs: number): Markup {
  const known = pointer?.changes?.toReversed() ?? [];
  if (known.length === 0) return html``;
  return html`<section><h2>Changes</h2><div class="scroll"><table><thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Live from then</th><th scope="col">By</th><th scope="col">Why</th></tr></thead><tbody>${known.map(
    ({ at, did, version, by, reason = '' }) =>
      html`<tr><td>${when(at, nowMs)}</td><td>${DID[did]}</td><td>${shortId(version)}</td><td>${did === 'publish' ? runLink(by, 'its run') : by}</td><td>${reason}</td></tr>`,
  )}</tbody></table></div></section>`;
}

/** `csrf`: for those who may change something. */
export function releasePage(
  published: Published,
  releases: readonly Release[],
  nowMs: number,
  csrf: string | undefined,
): Markup {
  const { release, pointer } = published;
  const held = pointer?.hold === true;
  return html`<section class="hero"><p class="crumbs"><a href="/">Overview</a></p><h1>Release ${shortId(release.version)} ${simulatedMark(published.simulated)}</h1>
<p class="lead">Published ${when(release.createdAt, nowMs)}, as of ${moment(release.asOf)}. A reader sees all of it or all of another, never a mix.${held ? html` <strong>On hold:</strong> what is published does not go live.` : ''}</p>${held ? actForm('/release/unhold', 'Let the next release go live', csrf) : actForm('/release/hold', 'Hold this release', csrf)}</section>
${publishedParts(published)}${audit(published)}${history(releases, release, nowMs, csrf)}${changes(pointer, nowMs)}`;
}

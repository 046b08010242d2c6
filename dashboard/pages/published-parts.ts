/** Owns the five panels about a release: data set, embeddings, segments, candidates, audit. */
import { html, type Markup } from '../html.ts';
import { isPart, type Part, type PartOr, type Published } from '../overview/published.ts';
import { count, countOf, figure, percent, shortId, span, spaced } from '../words.ts';
import { failureBox, runLink, state } from './layout.ts';

const SEGMENTS_SHOWN = 8;
const FINDINGS_SHOWN = 6;

function panel<O>(title: string, part: PartOr<O>, body: (output: O, part: Part<O>) => Markup, wide = false): Markup {
  const inner = (): Markup => {
    if (part === undefined) return html`<p class="quiet">Not part of this release.</p>`;
    if (!isPart(part)) return failureBox(part.failure);
    const foot = html`<p class="foot">${runLink(part.version.runKey, shortId(part.version.version))}${part.version.state === 'ready' ? '' : html` ${state(part.version.state)}`}</p>`;
    return html`${part.output === undefined ? html`<p class="figure">${count(part.version.rows)} <small>rows</small></p>` : body(part.output, part)}${foot}`;
  };
  return html`<section class="panel${wide ? ' wide' : ''}"><h2>${title}</h2>${inner()}</section>`;
}

const headline = (value: string, unit: string): Markup => html`<p class="figure">${value} <small>${unit}</small></p>`;

const bar = (share: number, label: string): Markup =>
  html`<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label="${label}"><rect class="track" width="100" height="4"/><rect class="fill" width="${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}" height="4"/></svg>`;

function embeddings(published: Published): Markup {
  return panel('Embeddings', published.embeddings, (output) => {
    const { metrics } = output;
    return html`${metrics === null ? headline('not estimable', 'NDCG') : headline(metrics.ndcg.toFixed(3), `NDCG@${metrics.k}`)}
    <p>${metrics === null ? 'Nothing was held out.' : `Recall@${metrics.k} ${metrics.recall.toFixed(3)} over ${countOf(metrics.users, 'person', 'people')}, full ranking.`}</p>
    <p class="quiet">${output.model}, ${output.factors} factors, ${output.engine}, trained in ${span(output.trainSeconds * 1000)}</p>`;
  });
}

function candidates(published: Published): Markup {
  return panel(
    'Candidates',
    published.candidates,
    (output) => html`${headline(count(output.users), 'people')}
    <p>${output.k} items each; ${percent(output.coverage)} of the catalogue appears in somebody's list.</p>
    ${bar(output.coverage, `coverage ${percent(output.coverage)}`)}
    <p class="quiet">Newcomers get the ${output.fallbackItems} most popular.</p>`,
  );
}

function segments(published: Published): Markup {
  return panel(
    'Segments',
    published.segments,
    (output) => {
      const largest = Math.max(1, ...output.segments.map(({ people }) => people));
      const rows = output.segments
        .toSorted((a, b) => b.people - a.people)
        .slice(0, SEGMENTS_SHOWN)
        .map(
          ({ name, people, traits }) =>
            html`<li><span class="name">${name}</span><span class="number">${count(people)}</span>${bar(people / largest, `${people} people`)}${traits.length === 0 ? '' : html`<small>${traits.join(', ')}</small>`}</li>`,
        );
      const more = output.segments.length - SEGMENTS_SHOWN;
      return html`<ul class="plain bars">${rows}</ul><p class="quiet">${more > 0 ? `and ${more} more; ` : ''}${countOf(output.people, 'person', 'people')}, mean silhouette ${figure(output.silhouette)}</p>`;
    },
    true,
  );
}

function audit(published: Published): Markup {
  return panel(
    'Audit',
    published.audit,
    (output) => {
      const flagged = output.findings.filter((finding) => finding.flagged);
      const rows = [...flagged, ...output.findings.filter((finding) => !finding.flagged)]
        .slice(0, FINDINGS_SHOWN)
        .map(
          ({ metric, attribute, value, flagged: isFlagged }) =>
            html`<tr><th scope="row">${spaced(metric)}${attribute === null ? '' : html` <small>by ${spaced(attribute)}</small>`}</th><td class="number">${figure(value)}</td><td>${isFlagged ? html`<span class="state warn"><span aria-hidden="true">▲</span> flagged</span>` : ''}</td></tr>`,
        );
      const verdict =
        flagged.length === 0
          ? `None of ${countOf(output.findings.length, 'figure', 'figures')} is out of bounds.`
          : `${flagged.length} of ${countOf(output.findings.length, 'figure', 'figures')} out of bounds.`;
      return html`<p>${verdict} <a href="/release#audit">The whole report</a></p><table class="tight"><tbody>${rows}</tbody></table>`;
    },
    true,
  );
}

export function publishedParts(published: Published): Markup {
  const dataset = panel(
    'Data set',
    published.dataset,
    (output, { version }) => html`${headline(count(output.dataset?.rows ?? version.rows), 'events')}
    <p class="quiet">${output.dataset === undefined ? '' : `${countOf(output.dataset.blocks, 'encrypted block', 'encrypted blocks')}, `}frozen and versioned</p>`,
  );
  return html`<div class="panels">${dataset}${embeddings(published)}${candidates(published)}${segments(published)}${audit(published)}</div>`;
}

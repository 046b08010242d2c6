/** Owns the pages of models: the versions that were trained, and the card of one. */
import type { CardSection, Channel, ModelCard } from '../../shared/store/model-card.ts';
import type { DatasetVersion } from '../../shared/store/ports.ts';
import { html, type Markup } from '../html.ts';
import { figure, shortId } from '../words.ts';
import { facts, runLink, state, when } from './layout.ts';

export interface ListedModel {
  readonly found: DatasetVersion;
  readonly channels: readonly Channel[];
}

const tags = (channels: readonly Channel[]): Markup =>
  html`${channels.map((channel) => html` <span class="tag${channel === 'live' ? ' good' : ''}">${channel}</span>`)}`;

function row({ channels, found }: ListedModel, nowMs: number): Markup {
  const { createdAt, meta, version } = found;
  const metrics = meta['metrics'] as { readonly k: number; readonly ndcg: number } | null | undefined;
  return html`<tr><th scope="row"><a href="/models/${encodeURIComponent(version)}">${shortId(version)}</a>${tags(channels)}</th><td>${typeof meta['model'] === 'string' ? meta['model'] : ''}</td><td>${when(createdAt, nowMs)}</td><td class="number">${metrics == null ? '' : figure(metrics.ndcg)}</td><td>${state(found.state)}</td></tr>`;
}

export function modelsPage(models: readonly ListedModel[], nowMs: number): Markup {
  const body =
    models.length === 0
      ? html`<p>No model is trained yet.</p>`
      : html`<div class="scroll"><table><thead><tr><th scope="col">Version</th><th scope="col">Model</th><th scope="col">Trained</th><th scope="col" class="number">NDCG</th><th scope="col">State</th></tr></thead><tbody>${models.map((model) => row(model, nowMs))}</tbody></table></div>`;
  return html`<section class="hero"><p class="crumbs"><a href="/">Overview</a></p><h1>Models</h1></section><section>${body}</section>`;
}

const section = ({ facts: pairs, title, words = [] }: CardSection): Markup =>
  html`<section><h2>${title}</h2>${pairs.length === 0 ? '' : facts(pairs)}${words.map((sentence) => html`<p>${sentence}</p>`)}</section>`;

export function modelPage(card: ModelCard, runKey: string): Markup {
  return html`<section class="hero"><p class="crumbs"><a href="/">Overview</a> <a href="/models">Models</a></p><h1>${card.model} ${shortId(card.version)}${tags(card.channels)}</h1>
<p class="lead">${state(card.state)} Trained by ${runLink(runKey, 'this run')}.</p></section>
${card.sections.map(section)}`;
}

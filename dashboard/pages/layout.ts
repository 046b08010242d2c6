/** Owns the frame of every page and the small pieces that pages share: states, moments, failures, facts. */
import { PIPELINE_NAMES } from '../../jobs/pipelines.ts';
import { may } from '../../shared/governance/roles.ts';
import type { Account } from '../../shared/store/ports.ts';
import { html, Markup } from '../html.ts';
import { explain, type Failure, moment, relative } from '../words.ts';

export interface Frame {
  readonly title: string;
  readonly account?: Account | undefined;
  readonly csrf?: string | undefined;
  readonly tenant?: string | undefined;
  readonly here?: 'overview' | 'release' | 'sources' | 'dead-letters' | 'queues' | 'trail';
  /** Seconds between refreshes of the page's main part; absent: it does not change. */
  readonly refreshSeconds?: number;
}

const ASSETS = '/assets';

function header({ account, csrf, tenant, here }: Frame, board: string): Markup {
  const link = (name: string, href: string, key: Frame['here']): Markup =>
    html`<a href="${href}"${new Markup(here === key ? ' aria-current="page"' : '')}>${name}</a>`;
  return html`<header class="top">
  <a class="mark" href="/"><svg aria-hidden="true" viewBox="0 0 32 32" width="26" height="26"><circle cx="16" cy="16" r="9.5"/><path d="M16 2v28M2 16h28M6.1 6.1l19.8 19.8M25.9 6.1 6.1 25.9"/></svg>Millrace</a>
  ${
    account === undefined
      ? ''
      : html`<nav aria-label="Main">${link('Overview', '/', 'overview')}${link('Release', '/release', 'release')}${link('Sources', '/sources', 'sources')}${link('Dead letters', '/dead-letters', 'dead-letters')}${link('Queues', board, 'queues')}${may(account, 'trail:read') ? link('Trail', '/trail', 'trail') : ''}</nav>
  <form class="who" method="post" action="/logout"><input type="hidden" name="_csrf" value="${csrf}"><span>${account.user}<small>${account.role}${tenant === undefined ? '' : ` of ${tenant}`}</small></span><button>Log out</button></form>`
  }
</header>`;
}

/** A whole page. */
export function page(frame: Frame, main: Markup): string {
  const isLooker = frame.account !== undefined && !may(frame.account, 'queues:write');
  const board = isLooker ? '/queues-read-only' : '/queues';
  const refresh = frame.refreshSeconds;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${frame.title} · Millrace</title>
<link rel="icon" href="${ASSETS}/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="${ASSETS}/style.css">
${refresh === undefined ? '' : html`<noscript><meta http-equiv="refresh" content="${Math.max(refresh, 15)}"></noscript><script defer src="${ASSETS}/refresh.js"></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${header(frame, board)}
<main id="main"${refresh === undefined ? '' : html` data-refresh="${refresh}"`}>
${main}
</main>
<footer>${refresh === undefined ? '' : html`<p id="refreshed" role="status">Refreshes every ${refresh} seconds.</p>`}</footer>
</body>
</html>`.text;
}

const STATES: Readonly<Record<string, readonly [glyph: string, tone: string]>> = {
  committed: ['●', 'good'],
  completed: ['●', 'good'],
  running: ['◐', 'busy'],
  enqueued: ['◔', 'busy'],
  expanded: ['◐', 'busy'],
  skipped: ['⊘', 'warn'],
  active: ['◐', 'busy'],
  waiting: ['○', 'calm'],
  failed: ['✕', 'bad'],
  'dead-lettered': ['✕', 'bad'],
  expired: ['✕', 'bad'],
  cancelled: ['⊘', 'calm'],
  stale: ['◌', 'warn'],
  erased: ['⊘', 'bad'],
};

/** A state as shape, colour and word. */
export function state(name: string, word = name): Markup {
  const [glyph, tone] = STATES[name] ?? ['○', 'calm'];
  return html`<span class="state ${tone}"><span aria-hidden="true">${glyph}</span> ${word}</span>`;
}

export const when = (atMs: number, nowMs: number): Markup =>
  html`<time datetime="${new Date(atMs).toISOString()}" title="${moment(atMs)}">${relative(atMs, nowMs)}</time>`;

/** A failure: what happened, what to do, and the code for the docs. */
export function failureBox(failure: Failure): Markup {
  const { what, todo } = explain(failure);
  return html`<div class="failure" role="note"><p><strong>${withCode(what)}</strong></p>${todo === undefined ? '' : html`<p>${withCode(todo)}</p>`}<p class="code">${failure.code}</p></div>`;
}

/** Commands in a sentence set as code: `like this`. */
export const withCode = (sentence: string): Markup =>
  html`${sentence.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`;

/** Pairs of a name and a value. */
export const facts = (pairs: readonly (readonly [string, Markup | string | number | undefined])[]): Markup =>
  html`<dl class="facts">${pairs.filter(([, value]) => value !== undefined).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

export const json = (value: unknown): Markup =>
  html`<pre tabindex="0"><code>${JSON.stringify(value, null, 2)}</code></pre>`;

/** A button that ends what runs; nothing for those who may only look, and for what has ended. */
export const cancelForm = (action: string, what: string, isRunning: boolean, csrf: string | undefined): Markup | '' =>
  isRunning ? actForm(action, `Cancel this ${what}`, csrf) : '';

/** A button for those who may change something: `csrf` is undefined for all others. */
export const actForm = (action: string, words: string, csrf: string | undefined): Markup | '' =>
  csrf === undefined
    ? ''
    : html`<form class="act" method="post" action="${action}"><input type="hidden" name="_csrf" value="${csrf}"><button>${words}</button></form>`;

export const runLink = (runKey: string, text: string): Markup =>
  html`<a href="/runs/${encodeURIComponent(runKey)}">${text}</a>`;

export const pipelineLink = (run: string, text: string): Markup =>
  html`<a href="/pipelines/${encodeURIComponent(run)}">${text}</a>`;

export const pipelineTitle = (name: string): string =>
  (PIPELINE_NAMES as readonly string[]).includes(name) ? name : `${name} (no longer known)`;

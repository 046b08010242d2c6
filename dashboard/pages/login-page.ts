/** Owns the login page and the page that tells about a failure. */
import type { AppError } from '../../shared/errors.ts';
import { html, type Markup } from '../html.ts';
import { explain } from '../words.ts';
import { withCode } from './layout.ts';

export interface LoginView {
  readonly csrf: string;
  readonly to: string;
  readonly user: string;
  readonly failure?: AppError | undefined;
  /** No account exists yet. */
  readonly empty: boolean;
}

export function loginPage({ csrf, to, user, failure, empty }: LoginView): Markup {
  const told = failure && explain(failure);
  return html`<section class="login"><h1>Log in</h1>
${empty ? html`<p>There is no account yet. Make one with <code>npx millrace password reset</code>.</p>` : ''}
${told === undefined ? '' : html`<div class="failure" role="alert" id="why"><p><strong>${withCode(told.what)}</strong></p><p>${withCode(told.todo ?? '')}</p></div>`}
<form method="post" action="/login">
<input type="hidden" name="_csrf" value="${csrf}"><input type="hidden" name="to" value="${to}">
<label>User<input name="user" value="${user}" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="100"${user === '' ? html` autofocus` : ''}></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required maxlength="200"${user === '' ? '' : html` autofocus`}${told === undefined ? '' : html` aria-describedby="why" aria-invalid="true"`}></label>
<button class="main">Log in</button>
</form>
<p class="quiet">The first start printed a password. Lost it?<br><code>npx millrace password reset</code></p></section>`;
}

export function errorPage(error: AppError): Markup {
  const { what, todo } = explain(error);
  const known = error.details.known;
  return html`<section class="hero"><p class="crumbs">${error.status} ${error.code}</p><h1>${what}</h1>
<p class="lead">${withCode(todo ?? '')}</p>${Array.isArray(known) ? html`<p>Known: ${known.join(', ')}.</p>` : ''}<p><a href="/">Back to the overview</a></p></section>`;
}

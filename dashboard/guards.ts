/**
 * Owns who may pass: a session for every page, a role for every change, and proof that a change was asked for by
 * our own pages. Browsers say where a request comes from (`Sec-Fetch-Site`, `Origin`); Bull Board's own requests
 * carry no token, so that statement is their guard, and our forms carry a token besides.
 * Source: OWASP Cross-Site Request Forgery Prevention, "Fetch metadata" and "Verifying origin".
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../shared/errors.ts';
import { may, type Permission, permit } from '../shared/governance/roles.ts';
import type { Account, Accounts } from '../shared/store/ports.ts';

declare module 'fastify' {
  interface FastifyRequest {
    account: Account | null;
  }
  interface FastifyContextConfig {
    /** What an account must be permitted to be answered here; absent: the route is open to everybody. */
    permission?: Permission;
  }
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
export const isSafe = (request: FastifyRequest): boolean => SAFE_METHODS.has(request.method);

/** Throws AUTH_CSRF for a change that another site asked for, or that does not say where it comes from. */
export function sameOriginOnly(request: FastifyRequest): void {
  if (isSafe(request)) return;
  const { origin, host, 'sec-fetch-site': site } = request.headers;
  if (site !== undefined && site !== 'same-origin') throw new AppError('AUTH_CSRF', { details: { site } });
  if (origin !== undefined) {
    if (!URL.canParse(origin) || new URL(origin).host !== host)
      throw new AppError('AUTH_CSRF', { details: { origin } });
  } else if (site === undefined) {
    throw new AppError('AUTH_CSRF', { details: { origin: null } });
  }
}

/** True when the answer will be shown to a person, not read by a program. */
export const wantsPage = (request: FastifyRequest): boolean => (request.headers.accept ?? '').includes('text/html');

/** Reads the account of the session, if there is one; a deleted account ends its sessions. */
export async function readAccount(request: FastifyRequest, accounts: Accounts): Promise<void> {
  const user = request.session.get('user');
  request.account = user === undefined ? null : ((await accounts.read(user)) ?? null);
}

/** A hook: people without a session are sent to the login page, programs get AUTH_LOGIN_NEEDED. */
export async function loginNeeded(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  if (request.account !== null) return undefined;
  if (!isSafe(request) || !wantsPage(request)) throw new AppError('AUTH_LOGIN_NEEDED');
  const to = request.url === '/' ? '' : `?to=${encodeURIComponent(request.url)}`;
  return reply.redirect(`/login${to}`, 303);
}

/** Whether the account of the request has a permission. */
export const hasPermission = ({ account }: FastifyRequest, permission: Permission): boolean =>
  account !== null && may(account, permission);

/** The account of a request that has one. */
export function accountOf({ account }: FastifyRequest): Account {
  if (account === null) throw new AppError('AUTH_LOGIN_NEEDED');
  return account;
}

/** A hook: a page or form that needs a permission is for the roles that have it. */
export async function permissionNeeded(request: FastifyRequest): Promise<void> {
  const { permission } = request.routeOptions.config;
  if (permission !== undefined) permit(accountOf(request), permission);
}

/** Where to go after the login: one of our own paths, never another site. */
export function ownPath(candidate: unknown): string {
  if (typeof candidate !== 'string' || !/^\/(?![/\\])[\x21-\x7e]{0,500}$/.test(candidate)) return '/';
  return candidate.startsWith('/login') || candidate.startsWith('/logout') ? '/' : candidate;
}

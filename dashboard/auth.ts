/** Owns logging in and out, and the refusal to start with a password that everybody may know. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { asHttpError, statusOf } from '../shared/http/errors.ts';
import type { Permission } from '../shared/governance/roles.ts';
import { hashPassword, PASSWORD_LENGTH_MAX, verifyPassword } from '../shared/governance/password.ts';
import type { Account, Accounts } from '../shared/store/ports.ts';
import { ownPath, sameOriginOnly, wantsPage } from './guards.ts';
import type { LoginAttempts } from './login-attempts.ts';
import { page } from './pages/layout.ts';
import { loginPage } from './pages/login-page.ts';

export const FIRST_USER = 'admin';
const COMMON_PASSWORDS = ['admin', 'password', 'millrace', 'changeme', 'change-me'];

/**
 * Throws AUTH_DEFAULT_PASSWORD when the first account still has the password that its making printed, or one that
 * anybody would try first. In the demo the printed one is allowed, a guessable one never.
 */
export async function refuseDefaultPassword(accounts: Accounts, demo: boolean): Promise<void> {
  const account = await accounts.read(FIRST_USER);
  if (account === undefined) return;
  if (account.initial && !demo) throw new AppError('AUTH_DEFAULT_PASSWORD', { details: { user: account.user } });
  for (const password of COMMON_PASSWORDS)
    if (await verifyPassword(password, account.passwordHash))
      throw new AppError('AUTH_DEFAULT_PASSWORD', {
        message: `The password of ${account.user} is one that anybody would try first.`,
        details: { user: account.user },
      });
}

const formSchema = z.object({
  user: z.string().trim().min(1).max(100),
  password: z.string().min(1).max(PASSWORD_LENGTH_MAX),
  to: z.string().max(600).optional(),
});

/** The account of a right password. An unknown user costs as much time as a wrong password. */
async function authenticate(accounts: Accounts, decoy: string, user: string, password: string): Promise<Account> {
  const account = await accounts.read(user);
  const matches = await verifyPassword(password, account?.passwordHash ?? decoy);
  if (account === undefined || !matches) throw new AppError('AUTH_PASSWORD_WRONG');
  return account;
}

export async function registerAuth(app: FastifyInstance, accounts: Accounts, attempts: LoginAttempts): Promise<void> {
  const decoy = await hashPassword('nobody has this password');

  const showLogin = async (
    reply: FastifyReply,
    view: { user: string; to: string; failure?: AppError },
  ): Promise<FastifyReply> => {
    const csrf = reply.generateCsrf();
    const main = loginPage({ csrf, empty: (await accounts.count()) === 0, ...view });
    if (view.failure !== undefined) statusOf(reply, view.failure);
    return reply.type('text/html').send(page({ title: 'Log in' }, main));
  };

  app.get<{ Querystring: { to?: string } }>('/login', async (request, reply) => {
    if (request.account !== null) return reply.redirect('/', 303);
    return showLogin(reply, { user: '', to: ownPath(request.query.to) });
  });

  app.post('/login', { preHandler: [formGuard(app)] }, async (request, reply) => {
    const form = formSchema.safeParse(request.body);
    const user = form.data?.user ?? '';
    try {
      if (!form.success) throw new AppError('AUTH_PASSWORD_WRONG');
      await attempts.check(user, request.ip);
      const account = await authenticate(accounts, decoy, user, form.data.password).catch(async (failure: unknown) => {
        await attempts.failed(user, request.ip);
        throw failure;
      });
      await attempts.succeeded(user, request.ip);
      await request.session.regenerate();
      request.session.set('user', account.user);
      request.account = account; // for the trail
      return await reply.redirect(ownPath(form.data.to), 303);
    } catch (thrown) {
      const failure = asHttpError(thrown);
      if (!wantsPage(request)) throw failure;
      return showLogin(reply, { user, to: ownPath(form.data?.to), failure });
    }
  });

  app.post('/logout', { preHandler: [formGuard(app)] }, async (request, reply) => {
    await request.session.destroy();
    return reply.redirect('/login', 303);
  });
}

/** Of a form that changes something. */
export const guardsOf = (app: FastifyInstance, permission: Permission) => ({
  config: { permission },
  preHandler: [formGuard(app)],
});

/** Guards our own forms: the request comes from our pages and carries the token of the session. */
export function formGuard(app: FastifyInstance) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    try {
      sameOriginOnly(request);
    } catch (refused) {
      done(refused as AppError);
      return;
    }
    app.csrfProtection(request, reply, done);
  };
}

/** Owns what tests of the dashboard stand on: a real store and Redis, the application, and a browser's way with cookies. */
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { hashPassword } from '../shared/governance/password.ts';
import type { Account } from '../shared/store/ports.ts';
import { type TestServices, testServices } from '../test/services.ts';
import { buildDashboard, type DashboardOptions } from './build.ts';
import { openQueues } from './overview/queues.ts';

export const PASSWORD = 'correct-horse-battery';
const HOST = 'dashboard.test';
const SAME_ORIGIN = { host: HOST, origin: `http://${HOST}`, 'sec-fetch-site': 'same-origin' };

/** One person at one browser: keeps the cookie, follows nothing, sends forms as pages do. */
export class Visitor {
  readonly #app: FastifyInstance;
  cookie = '';

  constructor(app: FastifyInstance) {
    this.#app = app;
  }

  async get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<LightMyRequestResponse> {
    return this.#keep(
      await this.#app.inject({ url, headers: { accept: 'text/html', host: HOST, cookie: this.cookie, ...headers } }),
    );
  }

  async post(
    url: string,
    form: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<LightMyRequestResponse> {
    const sent = {
      accept: 'text/html',
      ...SAME_ORIGIN,
      cookie: this.cookie,
      'content-type': 'application/x-www-form-urlencoded',
      ...headers,
    };
    return this.#keep(
      await this.#app.inject({ method: 'POST', url, headers: sent, payload: new URLSearchParams(form).toString() }),
    );
  }

  /** The token of the form on a page. */
  async token(url = '/login'): Promise<string> {
    return tokenOf((await this.get(url)).body);
  }

  async login(user: string, password: string): Promise<LightMyRequestResponse> {
    return this.post('/login', { user, password, _csrf: await this.token() });
  }

  #keep(answer: LightMyRequestResponse): LightMyRequestResponse {
    const set = [answer.headers['set-cookie'] ?? []].flat()[0];
    if (set !== undefined) this.cookie = set.split(';')[0] ?? '';
    return answer;
  }
}

export const tokenOf = (body: string): string => /name="_csrf" value="([^"]+)"/.exec(body)?.[1] ?? '';

export interface DashboardFixture extends AsyncDisposable {
  readonly services: TestServices;
  readonly app: FastifyInstance;
  /** Builds another instance over the same services, as a restart would. */
  build(options?: Partial<DashboardOptions>): Promise<FastifyInstance>;
  account(role: Account['role'], user?: string): Promise<void>;
  /** A visitor who has logged in. */
  visitor(role: Account['role']): Promise<Visitor>;
}

export async function dashboardFixture(options: Partial<DashboardOptions> = {}): Promise<DashboardFixture> {
  await using stack = new AsyncDisposableStack();
  const services = stack.use(await testServices());
  const { store, redis, config, prefix } = services;
  const queues = openQueues(redis, prefix);
  stack.defer(async () => void (await Promise.all(queues.map((queue) => queue.close()))));
  const apps: FastifyInstance[] = [];
  stack.defer(async () => void (await Promise.all(apps.map((app) => app.close()))));
  const build: DashboardFixture['build'] = async (more = {}) => {
    const app = await buildDashboard({ store, redis, queues, config, ...options, ...more });
    apps.push(app);
    return app;
  };
  const app = await build();
  const account: DashboardFixture['account'] = async (role, user = role) =>
    store.accounts.write({ user, role, initial: false, passwordHash: await hashPassword(PASSWORD) });
  const owned = stack.move();
  return {
    services,
    app,
    build,
    account,
    visitor: async (role) => {
      await account(role);
      const visitor = new Visitor(app);
      await visitor.login(role, PASSWORD);
      return visitor;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

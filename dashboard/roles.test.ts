/** Every role against every route of the dashboard. The table is written by hand: what a role may do changes nowhere unseen. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../shared/governance/roles.ts';
import { type DashboardFixture, dashboardFixture, type Visitor } from './dashboard-fixture.ts';

/** v viewer, o operator, a analyst, p privacy officer, d admin. */
const ALL = 'voapd';
const ROLE_OF: Readonly<Record<string, Role>> = {
  v: 'viewer',
  o: 'operator',
  a: 'analyst',
  p: 'privacy-officer',
  d: 'admin',
};

const OPEN = [
  'GET /assets/mark.svg',
  'GET /assets/refresh.js',
  'GET /assets/style.css',
  'GET /healthz',
  'GET /login',
  'POST /login',
  'POST /logout',
];

const ROUTES: Readonly<Record<string, string>> = {
  'GET /': ALL,
  'GET /runs/:runKey': ALL,
  'POST /runs/:runKey/cancel': 'oapd',
  'POST /runs/:runKey/redrive': 'opd',
  'GET /pipelines/:id': ALL,
  'POST /pipelines/:id/cancel': 'oapd',
  'POST /pipelines/:id/rerun': 'oapd',
  'GET /release': ALL,
  'POST /release/:version/rollback': 'od',
  'POST /release/hold': 'od',
  'POST /release/unhold': 'od',
  'GET /dead-letters': ALL,
  'GET /sources': ALL,
  'GET /sources/:source': ALL,
  'GET /models': ALL,
  'GET /models/:version': ALL,
  'GET /trail': 'pd',
  'GET /trail/check': 'pd',
};

/** Bull Board brings its own: whatever changes something is for operators and admins. */
const boardRoute = (name: string): boolean => /^[A-Z]+ \/queues(-read-only)?(\/|$)/.test(name);
const expectedOf = (name: string): string =>
  boardRoute(name) ? (name.startsWith('GET ') ? ALL : 'od') : (ROUTES[name] ?? '');

let dashboard: DashboardFixture;
const visitors = new Map<string, Visitor>();
beforeAll(async () => {
  dashboard = await dashboardFixture();
  for (const [letter, role] of Object.entries(ROLE_OF)) visitors.set(letter, await dashboard.visitor(role));
});
afterAll(() => dashboard[Symbol.asyncDispose]());

/** Whether a role comes past the guard. Forms are sent without their token, so that nothing is done. */
async function permits(route: string, letter: string): Promise<boolean> {
  const [method, path = ''] = route.split(' ');
  const answer = await dashboard.app.inject({
    method: method as 'GET',
    url: path.replaceAll(/:\w+/g, 'x').replace('*', 'x'),
    headers: {
      accept: 'application/json',
      host: 'dashboard.test',
      origin: 'http://dashboard.test',
      'sec-fetch-site': 'same-origin',
      cookie: visitors.get(letter)!.cookie,
    },
  });
  return ![401, 403].includes(answer.statusCode) || !/AUTH_(ROLE_MISSING|LOGIN_NEEDED)/.test(answer.body);
}

describe('the table of routes', () => {
  it('has every route of the dashboard, and knows which are open', () => {
    const table = dashboard.app.routeTable.map(({ method, url, config }) => ({ name: `${method} ${url}`, config }));
    const open = table.filter(({ config }) => config.permission === undefined);
    expect(open.map(({ name }) => name).sort()).toEqual(OPEN);
    const closed = table.filter(({ config }) => config.permission !== undefined).map(({ name }) => name);
    expect(closed.filter((name) => !boardRoute(name)).sort()).toEqual(Object.keys(ROUTES).sort());
    expect(closed.filter(boardRoute).length).toBeGreaterThan(50);
  });

  it('lets each role do what it may, and nothing else', async () => {
    const wrong: string[] = [];
    for (const { method, url, config } of dashboard.app.routeTable) {
      if (config.permission === undefined) continue;
      const name = `${method} ${url}`;
      for (const letter of ALL) {
        const isExpected = expectedOf(name).includes(letter);
        if ((await permits(name, letter)) !== isExpected)
          wrong.push(`${name}: ${letter} ${isExpected ? 'may' : 'may not'}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('a role', () => {
  it('that is changed holds from the next request on, and an account that is removed is logged out', async () => {
    const { accounts } = dashboard.services.store;
    const visitor = await dashboard.visitor('viewer');
    expect((await visitor.get('/trail')).statusCode).toBe(403);
    await accounts.write({ ...(await accounts.read('viewer'))!, role: 'privacy-officer' });
    expect((await visitor.get('/trail')).statusCode).toBe(200);
    await accounts.remove('viewer');
    expect((await visitor.get('/trail')).headers.location).toContain('/login');
    await dashboard.account('viewer');
  });

  it('shows only what it may press: analysts no redrive and no release buttons', async () => {
    const body = (await (await dashboard.visitor('analyst')).get('/dead-letters')).body;
    expect(body).not.toContain('Redrive</button>');
    expect(body).not.toContain('href="/trail"');
  });
});

describe('the trail of the dashboard', () => {
  it('has logins, refusals and changes by account and role, and its page shows them', async () => {
    const operator = await dashboard.visitor('operator');
    await operator.get('/trail');
    const token = await operator.token('/');
    await operator.post('/release/hold', { _csrf: token });
    const { trail } = dashboard.services.store;
    const [hold, refused, login] = await trail.read('main', { actor: 'operator' }, 3);
    expect(login).toMatchObject({ act: 'session', object: 'POST /login', outcome: 'allowed', role: 'operator' });
    expect(refused).toMatchObject({ act: 'trail:read', object: 'GET /trail', outcome: 'AUTH_ROLE_MISSING' });
    expect(hold).toMatchObject({ act: 'releases:write', object: 'POST /release/hold', outcome: 'NOT_PUBLISHED' });
    const officer = await dashboard.visitor('privacy-officer');
    const page = (await officer.get('/trail?actor=operator')).body;
    expect(page).toContain('POST /release/hold');
    expect((await officer.get('/trail/check')).body).toContain('Whole.');
  });
});

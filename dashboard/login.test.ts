/** Facts about who gets into the dashboard, and who does not. */
import { describe, expect, it } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { hashPassword } from '../shared/governance/password.ts';
import { dashboardFixture, PASSWORD, tokenOf, Visitor } from './dashboard-fixture.ts';

describe('without a session', () => {
  it('people are led to the login page and back to where they wanted to go', async () => {
    await using dashboard = await dashboardFixture();
    const visitor = new Visitor(dashboard.app);
    for (const path of ['/release', '/runs/abc', '/queues']) {
      const answer = await visitor.get(path);
      expect([answer.statusCode, answer.headers.location]).toEqual([303, `/login?to=${encodeURIComponent(path)}`]);
    }
    await dashboard.account('admin');
    const page = await visitor.get('/login?to=%2Frelease');
    const answer = await visitor.post('/login', {
      user: 'admin',
      password: PASSWORD,
      to: '/release',
      _csrf: tokenOf(page.body),
    });
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/release']);
  });

  it('programs get AUTH_LOGIN_NEEDED, from pages and from the queues alike', async () => {
    await using dashboard = await dashboardFixture();
    for (const url of ['/', '/queues/api/queues', '/queues-read-only/api/queues']) {
      const answer = await dashboard.app.inject({ url, headers: { accept: 'application/json' } });
      expect([answer.statusCode, answer.json().code]).toEqual([401, 'AUTH_LOGIN_NEEDED']);
    }
    const change = await dashboard.app.inject({ method: 'PUT', url: '/queues/api/queues/segmentation/pause' });
    expect([change.statusCode, change.json().code]).toEqual([401, 'AUTH_LOGIN_NEEDED']);
  });

  it('health and the fixed files are open', async () => {
    await using dashboard = await dashboardFixture();
    for (const url of ['/healthz', '/assets/style.css', '/assets/refresh.js', '/assets/mark.svg'])
      expect((await dashboard.app.inject({ url })).statusCode).toBe(200);
  });
});

describe('the login', () => {
  it('opens the overview for the right password, with a cookie that scripts and other sites cannot use', async () => {
    await using dashboard = await dashboardFixture();
    await dashboard.account('admin');
    const visitor = new Visitor(dashboard.app);
    const answer = await visitor.login('admin', PASSWORD);
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/']);
    const cookie = String(answer.headers['set-cookie']);
    expect(cookie).toMatch(/HttpOnly/i);
    expect(cookie).toMatch(/SameSite=Strict/i);
    expect((await visitor.get('/')).statusCode).toBe(200);
  });

  it('gives a new session id, so that one planted before is worthless', async () => {
    await using dashboard = await dashboardFixture();
    await dashboard.account('admin');
    const visitor = new Visitor(dashboard.app);
    await visitor.token();
    const before = visitor.cookie;
    await visitor.login('admin', PASSWORD);
    expect(visitor.cookie).not.toBe(before);
    const old = new Visitor(dashboard.app);
    old.cookie = before;
    expect((await old.get('/')).statusCode).toBe(303);
  });

  it('answers a wrong password and an unknown user alike, and says what to do', async () => {
    await using dashboard = await dashboardFixture();
    await dashboard.account('admin');
    const visitor = new Visitor(dashboard.app);
    const wrong = await visitor.login('admin', 'wrong');
    const unknown = await visitor.login('nobody', PASSWORD);
    for (const answer of [wrong, unknown]) {
      expect(answer.statusCode).toBe(401);
      expect(answer.body).toContain('User name or password is wrong.');
      expect(answer.body).toContain('millrace password reset');
      expect(answer.body).not.toContain(PASSWORD);
    }
    expect((await visitor.get('/')).statusCode).toBe(303);
  });

  it('stops after five failures of a user from one address, even with the right password, and says how long', async () => {
    await using dashboard = await dashboardFixture();
    await dashboard.account('admin');
    const visitor = new Visitor(dashboard.app);
    for (let tries = 0; tries < 5; tries++) expect((await visitor.login('admin', 'wrong')).statusCode).toBe(401);
    const answer = await visitor.login('admin', PASSWORD);
    expect(answer.statusCode).toBe(429);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    await dashboard.account('operator');
    expect((await visitor.login('operator', PASSWORD)).statusCode).toBe(303);
  });

  it('forgets the failures of a user who then logs in', async () => {
    await using dashboard = await dashboardFixture();
    await dashboard.account('admin');
    const visitor = new Visitor(dashboard.app);
    for (let round = 0; round < 2; round++) {
      for (let tries = 0; tries < 4; tries++) await new Visitor(dashboard.app).login('admin', 'wrong');
      expect((await visitor.login('admin', PASSWORD)).statusCode).toBe(303);
      visitor.cookie = '';
    }
  });

  it.each([
    ['no token', {}, {}],
    ['a token of nobody', { _csrf: 'abc' }, {}],
    ['another site as its origin', undefined, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['another port as its origin', undefined, { origin: 'http://dashboard.test:81', 'sec-fetch-site': 'same-origin' }],
    ['an origin that is no address', undefined, { origin: 'null', 'sec-fetch-site': 'same-origin' }],
  ])('with %s is AUTH_CSRF', async (_, form, headers) => {
    await using dashboard = await dashboardFixture();
    await dashboard.account('admin');
    const visitor = new Visitor(dashboard.app);
    const token = await visitor.token();
    const sent = { user: 'admin', password: PASSWORD, ...(form ?? { _csrf: token }) };
    const answer = await visitor.post('/login', sent, headers);
    expect(answer.statusCode).toBe(403);
    expect(answer.body).toContain('AUTH_CSRF');
  });

  it.each(['//evil.example', 'https://evil.example', '/\\evil.example', '/login', '/logout'])(
    'never leads on to %s',
    async (to) => {
      await using dashboard = await dashboardFixture();
      await dashboard.account('admin');
      const visitor = new Visitor(dashboard.app);
      const answer = await visitor.post('/login', {
        user: 'admin',
        password: PASSWORD,
        to,
        _csrf: await visitor.token(),
      });
      expect(answer.headers.location).toBe('/');
    },
  );

  it('says how to make an account when there is none', async () => {
    await using dashboard = await dashboardFixture();
    expect((await new Visitor(dashboard.app).get('/login')).body).toContain('There is no account yet.');
  });
});

describe('a session', () => {
  it('survives a restart of the dashboard', async () => {
    await using dashboard = await dashboardFixture();
    const { cookie } = await dashboard.visitor('admin');
    const after = new Visitor(await dashboard.build());
    after.cookie = cookie;
    expect((await after.get('/')).statusCode).toBe(200);
  });

  it('ends with the logout, which needs the token of the page', async () => {
    await using dashboard = await dashboardFixture();
    const visitor = await dashboard.visitor('admin');
    const { cookie } = visitor;
    expect((await visitor.post('/logout', { _csrf: 'abc' })).statusCode).toBe(403);
    const answer = await visitor.post('/logout', { _csrf: await visitor.token('/') });
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/login']);
    visitor.cookie = cookie;
    expect((await visitor.get('/')).statusCode).toBe(303);
  });

  it('with a forged or altered cookie is none', async () => {
    await using dashboard = await dashboardFixture();
    const visitor = await dashboard.visitor('admin');
    visitor.cookie = visitor.cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    expect((await visitor.get('/')).statusCode).toBe(303);
  });
});

describe('the start', () => {
  it('is refused while the first password is still the printed one, unless it is the demo', async () => {
    await using dashboard = await dashboardFixture();
    const { store, config } = dashboard.services;
    await store.accounts.write({
      user: 'admin',
      role: 'admin',
      initial: true,
      passwordHash: await hashPassword(PASSWORD),
    });
    await expect(dashboard.build()).rejects.toThrow('AUTH_DEFAULT_PASSWORD');
    await expect(dashboard.build({ config: { ...config, demo: true } })).resolves.toBeDefined();
  });

  it('is refused, in the demo too, with a password that anybody would try first', async () => {
    await using dashboard = await dashboardFixture();
    const { store, config } = dashboard.services;
    await store.accounts.write({
      user: 'admin',
      role: 'admin',
      initial: false,
      passwordHash: await hashPassword('admin'),
    });
    await expect(dashboard.build({ config: { ...config, demo: true } })).rejects.toThrow(AppError);
  });
});

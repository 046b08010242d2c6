/** Every role against every route of the gateway and every kind of jobs. The tables here are written by hand: what a role may do changes nowhere unseen. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Role, ROLES } from '../../shared/governance/roles.ts';
import { JOB_KINDS } from '../registry.ts';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';
import { PIPELINE_NAMES } from '../pipelines.ts';

/** v viewer, o operator, a analyst, p privacy officer, d admin. */
const ALL = 'voapd';
const ROLE_OF: Readonly<Record<string, Role>> = {
  v: 'viewer',
  o: 'operator',
  a: 'analyst',
  p: 'privacy-officer',
  d: 'admin',
};

/** Who may enqueue and cancel a kind, and who may redrive it. */
const KINDS: Readonly<Record<string, readonly [run: string, redrive: string]>> = {
  ingestion: ['od', 'od'],
  'bias-audit': ['oapd', 'opd'],
  'private-statistics': ['oapd', 'opd'],
  segmentation: ['oad', 'od'],
  'embedding-training': ['oad', 'od'],
  'candidate-generation': ['oad', 'od'],
  'feature-build': ['oad', 'od'],
  'model-search': ['oad', 'od'],
  'sharded-training': ['oad', 'od'],
  asking: ['od', 'od'],
  pipeline: ['od', 'od'],
  governance: ['pd', 'pd'],
  migration: ['od', 'od'],
  'webhook-delivery': ['od', 'od'],
};
/** Callers enqueue none of these by their kind. */
const NOT_OFFERED = new Set(['pipeline', 'governance', 'webhook-delivery']);

const OPEN = [
  'GET /docs',
  'GET /docs/json',
  'GET /docs/static/*',
  'GET /docs/static/index.html',
  'GET /docs/static/swagger-initializer.js',
  'GET /docs/yaml',
  'GET /openapi.json',
  'GET /v1/feedback/schema',
  'GET /v1/healthz',
  'GET /v1/mobile.js',
  'GET /v1/pixel.js',
  'GET /v1/purposes',
  'OPTIONS /v1/me',
  'OPTIONS /v1/me/*',
  'POST /v1/receipts/verify',
];

const ROUTES: Readonly<Record<string, string>> = {
  'POST /v1/events': 'od',
  'POST /v1/items': 'od',
  'POST /v1/people': 'od',
  'POST /v1/consents': 'od',
  'POST /v1/feedback': 'od',
  'POST /v1/pixel': 'od',
  'GET /v1/pixel.gif': 'od',
  'POST /v1/mobile': 'od',
  'POST /v1/activitystreams': 'od',
  'POST /v1/claims': 'oad',
  'POST /v1/identities': 'od',
  'POST /v1/jobs/:kind': 'oapd',
  'GET /v1/jobs/:kind/:id': ALL,
  'DELETE /v1/jobs/:kind/:id': 'oapd',
  'POST /v1/pipelines/:name': 'od',
  'POST /v1/pipelines/runs/:id/rerun': 'od',
  'GET /v1/pipelines/runs/:id': ALL,
  'DELETE /v1/pipelines/runs/:id': 'od',
  'GET /v1/dead-letters': ALL,
  'GET /v1/dead-letters/:runKey': ALL,
  'POST /v1/dead-letters/redrive': 'opd',
  'GET /v1/people/:user/consents': 'pd',
  'POST /v1/people/:user/consents': 'pd',
  'GET /v1/organisation': 'pd',
  'PUT /v1/organisation': 'pd',
  'GET /v1/releases': ALL,
  'GET /v1/releases/:version': ALL,
  'POST /v1/releases/rollback': 'od',
  'POST /v1/releases/promote': 'od',
  'POST /v1/releases/hold': 'od',
  'DELETE /v1/releases/hold': 'od',
  'GET /v1/recommendations/:user': 'opd',
  'GET /v1/segments/:user': 'opd',
  'GET /v1/prompts/:user': 'opd',
  'POST /v1/prompts/:user': 'od',
  'GET /v1/feedback/effects/:user': 'opd',
  'GET /v1/people/:user': 'pd',
  'POST /v1/people/:user/erasure': 'pd',
  'POST /v1/people/:user/withdrawals': 'pd',
  'POST /v1/people/:user/readmission': 'pd',
  'POST /v1/people/:user/tokens': 'pd',
  'GET /v1/people/:user/requests/:request': 'pd',
  'GET /v1/erasures': 'pd',
  'GET /v1/erasures/:id': 'pd',
  'GET /v1/lineage/events': 'oapd',
  'GET /v1/privacy-budget': ALL,
  'PUT /v1/sums/:round': 'oapd',
  'POST /v1/sums/:round/shares': 'od',
  'GET /v1/sums/:round/contributors': 'oapd',
  'POST /v1/sums/:round/sum': 'oapd',
  'GET /v1/trail': 'pd',
  'POST /v1/webhooks': 'od',
  'GET /v1/webhooks': 'od',
  'DELETE /v1/webhooks/:id': 'od',
};

/** For people with a token: no key of any role opens them. */
const OF_PEOPLE = [
  'GET /v1/me',
  'GET /v1/me/consents',
  'GET /v1/me/requests/:request',
  'POST /v1/me/consents',
  'POST /v1/me/erasure',
  'POST /v1/me/withdrawals',
];

/** With those of every kind and every pipeline. */
function allRoutes(): Record<string, string> {
  const routes = { ...ROUTES };
  for (const [kind, [run]] of Object.entries(KINDS)) {
    if (!NOT_OFFERED.has(kind)) routes[`POST /v1/jobs/${kind}`] = run;
    routes[`GET /v1/jobs/${kind}/:id`] = ALL;
    routes[`DELETE /v1/jobs/${kind}/:id`] = run;
  }
  for (const name of PIPELINE_NAMES) {
    routes[`POST /v1/pipelines/${name}`] = 'od';
    routes[`POST /v1/pipelines/${name}/backfill`] = 'od';
  }
  return routes;
}

let gateway: GatewayFixture;
const keys = new Map<string, string>();
beforeAll(async () => {
  gateway = await gatewayFixture();
  const { apiKeys } = gateway.services.store;
  for (const [letter, role] of Object.entries(ROLE_OF))
    keys.set(letter, (await apiKeys.create('main', role, [], { role })).secret);
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** The code of a refusal to this role; undefined: it may. What comes after (a body that is missing, an id of nothing) is not looked at. */
async function refusal(route: string, letter: string, payload?: object): Promise<unknown> {
  const [method, path = ''] = route.split(' ');
  const secret = keys.get(letter)!;
  const url = path.replaceAll(/:\w+/g, 'x') + (path.includes('/pixel') ? `?k=${secret}` : '');
  const { body } = await gateway.ask({ method: method as 'GET', url, ...(payload && { payload }) }, secret);
  return String(body.code).startsWith('AUTH_') ? body.code : undefined;
}

async function permitted(route: string, payload?: object): Promise<string> {
  let letters = '';
  for (const letter of ALL) if ((await refusal(route, letter, payload)) === undefined) letters += letter;
  return letters;
}

describe('the table of routes', () => {
  it('has every route of the gateway, and knows which are open', () => {
    const table = gateway.app.routeTable.map(({ method, url, config }) => ({ name: `${method} ${url}`, config }));
    const closed = table.filter(({ config }) => config.scope !== undefined);
    expect(closed.map(({ name }) => name).sort()).toEqual(Object.keys(allRoutes()).sort());
    const people = table.filter(({ config }) => config.person !== undefined);
    expect(people.map(({ name }) => name).sort()).toEqual(OF_PEOPLE);
    const open = table.filter(({ config }) => config.scope === undefined && config.person === undefined);
    expect(open.map(({ name }) => name).sort()).toEqual(OPEN);
  });

  it.each(OF_PEOPLE)('%s is for nobody with a key', async (route) => {
    expect(await permitted(route)).toBe('');
  });

  it.each(Object.entries(allRoutes()))('%s is for %s', async (route, letters) => {
    // The image is answered whatever happens: what a key may or may not send is the event.
    expect(await permitted(route === 'GET /v1/pixel.gif' ? 'POST /v1/pixel' : route)).toBe(letters);
  });
});

describe('the table of kinds', () => {
  it('has every kind', () => {
    expect(Object.keys(KINDS).sort()).toEqual([...JOB_KINDS].sort());
    expect(Object.values(ROLE_OF).sort()).toEqual([...ROLES].sort());
  });

  it.each(Object.entries(KINDS))('%s is redriven by who may', async (kind, [, redrive]) => {
    const runKeys = [`main.${kind}.${'0'.repeat(64)}`];
    expect(await permitted('POST /v1/dead-letters/redrive', { runKeys })).toBe(redrive);
  });

  it('says who may', async () => {
    const secret = keys.get('a')!;
    const { status, body } = await gateway.ask({ method: 'DELETE', url: '/v1/jobs/governance/x' }, secret);
    expect([status, body.code]).toEqual([403, 'AUTH_ROLE_MISSING']);
    expect(body.details).toEqual({ needed: 'people', roles: ['privacy-officer', 'admin'] });
    expect(body.message).toContain('The role analyst may not run jobs for what people ask of their data.');
  });
});

describe('a key by scopes', () => {
  it('has nothing to do with jobs of people unless it has that scope as well', async () => {
    const runKeys = [`main.governance.${'0'.repeat(64)}`];
    const ask = async (scopes: Parameters<GatewayFixture['key']>[0]) =>
      (await gateway.post('/v1/dead-letters/redrive', { runKeys }, await gateway.key(scopes))).body;
    expect((await ask(['jobs:redrive'])).code).toBe('AUTH_ROLE_MISSING');
    expect((await ask(['jobs:redrive', 'people:write'])).results).toMatchObject([{ outcome: 'refused' }]);
  });
});

describe('a key with an end', () => {
  it('is AUTH_KEY_EXPIRED from that moment on, and was good until then', async () => {
    let at = Date.now();
    await using own = await gatewayFixture({ clock: { now: () => at } });
    const { apiKeys } = own.services.store;
    const { secret } = await apiKeys.create('main', 'short', ['releases:read'], { expiresAt: at + 1_000 });
    expect((await own.get('/v1/releases', secret)).status).toBe(200);
    at += 1_000;
    const { status, body } = await own.get('/v1/releases', secret);
    expect([status, body.code]).toEqual([401, 'AUTH_KEY_EXPIRED']);
  });
});

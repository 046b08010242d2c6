/** The pages of sources: what came in, how good it was, what waits, and how far it may move what is learned. */
import { describe, expect, it } from 'vitest';
import { publishSomething } from '../test/published.ts';
import { dashboardFixture } from './dashboard-fixture.ts';
import { noteSources, TENANT } from './source-fixture.ts';

const NOW = Date.UTC(2026, 10, 22, 10, 34);
const rowOf = (body: string, source: string): string =>
  new RegExp(`<tr><th scope="row"><a href="/sources/${source}">.*?</tr>`, 's').exec(body)?.[0] ?? '';
const cells = (row: string): string[] =>
  [...row.matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map(([, cell]) =>
    cell!
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
  );

describe('the page of sources', () => {
  it('of an empty store says that nothing has come in', async () => {
    await using dashboard = await dashboardFixture();
    const { body, statusCode } = await (await dashboard.visitor('viewer')).get('/sources');
    expect(statusCode).toBe(200);
    expect(body).toContain('Nothing has come in.');
    expect(body).toContain('0 accounts are');
  });

  it('shows of each source its standing, its shares, what waits and what it may make up, and is linked from every page', async () => {
    await using dashboard = await dashboardFixture({ now: () => NOW });
    const { store } = dashboard.services;
    await noteSources(store, NOW);
    const reasons = [{ trace: 'burst', figure: 9, limit: 3 }];
    await store.verdicts.hold(TENANT, { asOf: 1, rules: 1, accounts: [{ subject: Buffer.alloc(16, 9), reasons }] });
    const visitor = await dashboard.visitor('viewer');
    expect((await visitor.get('/')).body).toContain('<a href="/sources">Sources</a>');
    const { body } = await visitor.get('/sources');
    expect(body).toContain('<a href="/sources" aria-current="page">Sources</a>');
    expect(body).toContain('1 account is');
    expect(cells(rowOf(body, 'web'))).toEqual(['● high signal 0.90 of 1', '14,091', '0 %', '0 %', '0 %', '0', '100 %']);
    const [standing, ...figures] = cells(rowOf(body, 'clips-app'));
    expect(standing).toContain('✕ poor');
    expect(standing).toContain('many events are refused');
    expect(figures).toEqual(['400', '50 %', '0 %', '25 %', '14', '25 %']);
  });

  it('leads to the days of one, why its events were refused, and what of it waits', async () => {
    await using dashboard = await dashboardFixture({ now: () => NOW });
    await noteSources(dashboard.services.store, NOW);
    const visitor = await dashboard.visitor('viewer');
    const { body } = await visitor.get('/sources/clips-app');
    for (const part of [
      '2026-11-22',
      'EVENT_IN_FUTURE occurredAt',
      'SCHEMA_UNKNOWN',
      'EVENT_OVER_LIMIT',
      '2,000 events',
    ])
      expect(body).toContain(part);
    expect((await visitor.get('/sources/web')).body.match(/<tr><th scope="row">2026-/g)).toHaveLength(14);
    const missing = await visitor.get('/sources/nobody-s');
    expect([missing.statusCode, missing.body.includes('NOT_FOUND')]).toEqual([404, true]);
    expect((await visitor.get('/sources/..%2f<b>')).statusCode).toBe(404);
  });

  it('says what the live model learned less of than its sources claim', async () => {
    await using dashboard = await dashboardFixture({ now: () => NOW });
    const { store } = dashboard.services;
    await noteSources(store, NOW);
    const { versions } = await publishSomething(store);
    const read = store.versions.read.bind(store.versions);
    const withCaps: typeof read = async (tenant, version) => {
      const found = await read(tenant, version);
      if (version !== versions.embeddings) return found;
      return { ...found, meta: { ...found.meta, capped: [{ source: 'clips-app', claimed: 200, counted: 50 }] } };
    };
    const other = await dashboard.build({
      store: {
        ...store,
        versions: Object.assign(Object.create(store.versions) as typeof store.versions, { read: withCaps }),
      },
    });
    const visitor = await dashboard.visitor('viewer');
    const answer = await other.inject({ url: '/sources', headers: { accept: 'text/html', cookie: visitor.cookie } });
    expect(cells(rowOf(answer.body, 'clips-app')).at(-1)).toBe('25 % 25 % of its weight counts');
  });
});

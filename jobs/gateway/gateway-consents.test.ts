/** Facts about consents at the gateway: what stands, giving with a receipt, withdrawing, who asks, and what is refused with nothing recorded. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import type { OrganisationInput } from '../../shared/governance/organisation.ts';
import { isSignedBy } from '../../shared/governance/signing.ts';
import { GatewayClient } from '../client/gateway-client.ts';
import type { SignedReceipt } from '../client/consents.ts';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

const ACME: OrganisationInput = {
  controller: { name: 'Acme Films', contact: 'privacy@acme.example' },
  jurisdictions: ['IE', 'EU'],
  recipients: [{ name: 'Beta Hosting', role: 'processor', country: 'DE' }],
  storage: { locations: ['DE'], retention: 'a year after the last visit', retentionDays: 365 },
  processing: { method: 'learning of what is watched, by machines', locations: ['DE'] },
  dataCategories: ['viewing history', 'ratings'],
  withdrawal: { method: 'in the settings of the app, at any time' },
  rights: { authority: 'Data Protection Commission' },
  notices: [
    { language: 'en', version: '2026-1', text: 'We learn what you like.' },
    { language: 'de-AT', version: '2026-1a', text: 'Wir lernen, was Ihnen gefällt.' },
  ],
};

let gateway: GatewayFixture;
let officer: string;
const now = Date.now();
beforeAll(async () => {
  gateway = await gatewayFixture({ clock: { now: () => now } });
  officer = await gateway.key(['people:read', 'people:write']);
  expect((await gateway.ask({ method: 'PUT', url: '/v1/organisation', payload: ACME }, officer)).status).toBe(200);
});
afterAll(() => gateway[Symbol.asyncDispose]());

const give = (user: string, body: object) => gateway.post(`/v1/people/${user}/consents`, body, officer);
const consentsOf = async (user: string) => (await gateway.get(`/v1/people/${user}/consents`, officer)).body;
const recordIn = ({ receipt }: SignedReceipt) => receipt['dpv:hasRecordOfActivity'] as Record<string, unknown>;

describe('giving consent', () => {
  it('is answered with a signed receipt that says everything, kept in the envelope, and holds at once', async () => {
    const until = now + 86_400_000;
    const { status, body } = await give('asha', { purposes: ['audit'], source: 'web', until, language: 'de' });
    expect(status).toBe(201);
    const signed = body.receipt as SignedReceipt;
    expect(isSignedBy(signed.receipt, signed.signature, signed.publicKey)).toBe(true);
    const record = recordIn(signed);
    expect(record).toMatchObject({
      'dct:conformsTo': 'https://w3id.org/dpv/schema/dpv-27560#record',
      'dpv:hasDataController': { 'schema:name': 'Acme Films' },
      'dpv:hasNotice': { 'dct:language': 'de-AT', 'schema:version': '2026-1a' },
      'dpv:hasJurisdiction': ['loc:IE', 'loc:EU'],
      'dpv:hasProcess': {
        'dpv:hasPurpose': [{ '@id': 'mr:audit' }],
        'dpv:hasLegalBasis': 'dpv:Consent',
        'dpv:hasDataSource': 'mr:web',
        'dpv:hasPersonalData': ['viewing history', 'ratings'],
        'dpv:hasRecipient': [{ 'schema:name': 'Beta Hosting', 'dpv:hasRole': 'processor' }],
        'dpv:hasStorageCondition': [{ 'dpv:hasLocation': ['loc:DE'] }, { 'dpv:hasDuration': 'P365D' }],
      },
      'dpv:hasConsentStatus': [
        {
          '@type': 'dpv:ConsentGiven',
          'dpv:isIndicatedAtTime': new Date(now).toISOString(),
          'dpv:hasDuration': { 'dct:valid': new Date(until).toISOString() },
        },
      ],
    });
    expect(record['dct:identifier']).not.toBe(signed.receipt['dct:identifier']);
    expect(JSON.stringify(signed)).not.toContain('asha');
    const seen = await consentsOf('asha');
    expect(seen.standing).toEqual([{ source: 'web', allowed: ['audit'], ended: [] }]);
    expect(seen.history).toMatchObject([{ state: 'given', until, receipt: signed.receipt['dct:identifier'] }]);
    expect(seen.receipts).toEqual([signed]);
  });

  it('twice under one key is one consent with one receipt', async () => {
    const body = { purposes: ['audit'], key: 'form-7' };
    const [first, again] = [await give('ben', body), await give('ben', body)];
    expect(again.body).toEqual(first.body);
    expect((await consentsOf('ben')).history).toHaveLength(1);
  });

  it.each([
    ['an unknown purpose', { purposes: ['audit', 'profit'] }, 422, 'CONSENT_PURPOSE_UNKNOWN', ['purposes', '1']],
    ['the future', { purposes: ['audit'], at: now + 3_600_000 }, 422, 'CONSENT_IN_FUTURE', ['at']],
    ['a time that is over', { purposes: ['audit'], at: 1, until: 2 }, 403, 'CONSENT_EXPIRED', ['until']],
    ['a notice in no language of ours', { purposes: ['audit'], language: 'fi' }, 422, 'INPUT_INVALID', ['language']],
  ])('for %s is refused, naming the field, with nothing recorded', async (_what, body, status, code, path) => {
    const refused = await give('cleo', body);
    expect([refused.status, refused.body.code]).toEqual([status, code]);
    expect(refused.body.details).toMatchObject({ issues: [{ path }] });
    expect(await consentsOf('cleo')).toMatchObject({ history: [], receipts: [] });
    const { people } = gateway.services.store;
    expect(await people.open('main', people.keys('main', ['cleo']))).toEqual(new Map());
  });

  it('says nothing for who was erased', async () => {
    const { consents, people } = gateway.services.store;
    await consents.erase('main', 'erasing-dan', people.keys('main', ['dan'])[0]!);
    expect((await give('dan', { purposes: ['audit'] })).body.code).toBe('PERSON_ERASED');
    expect(await consentsOf('dan')).toMatchObject({ isErased: true, history: [] });
  });

  it('needs somebody who asks: where nobody has said who that is, NOTICE_MISSING says how', async () => {
    const other = await gateway.key(['people:read', 'people:write'], 'other');
    const refused = await gateway.post('/v1/people/asha/consents', { purposes: ['audit'] }, other);
    expect([refused.status, refused.body.code]).toEqual([409, 'NOTICE_MISSING']);
    expect((await gateway.get('/v1/organisation', other)).body.code).toBe('NOTICE_MISSING');
  });
});

describe('withdrawing', () => {
  it('holds at once, has a receipt, and starts the job that removes what nothing justifies any more, once a key', async () => {
    await give('eva', { purposes: [...PURPOSES] });
    const withdraw = () => gateway.post('/v1/people/eva/withdrawals', { purposes: ['audit'], key: 'w-1' }, officer);
    const { status, body } = await withdraw();
    expect(status).toBe(202);
    expect(recordIn(body.receipt as SignedReceipt)).toMatchObject({
      'dpv:hasConsentStatus': [{ '@type': 'dpv:ConsentWithdrawn' }],
    });
    expect(await consentsOf('eva')).toMatchObject({
      standing: [{ source: '*', allowed: PURPOSES.filter((purpose) => purpose !== 'audit') }],
      receipts: [{}, {}],
    });
    expect((await withdraw()).body).toEqual(body);
    expect((await consentsOf('eva')).history).toHaveLength(2);
    const { redis, prefix } = gateway.services;
    expect(await redis.exists(`${prefix}:governance:${String(body.id)}`)).toBe(1);
  });

  it('of somebody of whom nothing is held is PERSON_UNKNOWN, and starts nothing', async () => {
    const { redis, prefix } = gateway.services;
    const jobs = async () => (await redis.keys(`${prefix}:governance:*`)).length;
    const before = await jobs();
    const refused = await gateway.post('/v1/people/nobody/withdrawals', {}, officer);
    expect([refused.status, refused.body.code, await jobs()]).toEqual([404, 'PERSON_UNKNOWN', before]);
  });
});

describe('a receipt', () => {
  const verify = async (receipt: unknown) =>
    (await gateway.ask({ method: 'POST', url: '/v1/receipts/verify', payload: receipt as object }, null)).body;

  it('is told from one that was changed, or signed by somebody else, by anybody', async () => {
    const signed = (await give('fay', { purposes: ['audit'] })).body.receipt as SignedReceipt;
    expect(await verify(signed)).toMatchObject({ genuine: true, publicKey: signed.publicKey });
    const longer = { ...signed.receipt, 'dct:created': '2030-01-01T00:00:00.000Z' };
    expect(await verify({ ...signed, receipt: longer })).toMatchObject({ genuine: false });
    const other = signed.publicKey.replace(/[A-Za-z0-9+/]{4}(?==?\n)/, 'AAAA');
    expect(await verify({ ...signed, publicKey: other })).toMatchObject({ genuine: false });
  });
});

describe('who asks', () => {
  it('is kept version by version; what is said already is not said again', async () => {
    const own = await gateway.key(['people:read', 'people:write'], 'mover');
    const set = async (said: OrganisationInput) =>
      (await gateway.ask({ method: 'PUT', url: '/v1/organisation', payload: said }, own)).body.version;
    const moved = { ...ACME, jurisdictions: ['FR'] };
    expect([await set(ACME), await set(moved), await set(moved)]).toEqual([1, 2, 2]);
    const { body } = await gateway.get('/v1/organisation?limit=5', own);
    expect(body.versions).toMatchObject([{ version: 2, said: { jurisdictions: ['FR'] } }, { version: 1 }]);
    const given = await gateway.post('/v1/people/gus/consents', { purposes: ['audit'] }, own);
    expect(recordIn(given.body.receipt as SignedReceipt)).toMatchObject({ 'mr:organisationVersion': 2 });
  });
});

it('tells everybody what there is to consent to, and which jobs load data for it', async () => {
  const { status, body } = await gateway.get('/v1/purposes', null);
  expect(status).toBe(200);
  const purposes = body.purposes as { name: string; text: string; kinds: { kind: string }[] }[];
  expect(purposes.map(({ name }) => name)).toEqual([...PURPOSES]);
  expect(purposes.map(({ kinds }) => kinds.map(({ kind }) => kind))).toContainEqual(['bias-audit']);
});

it('answers the client in the form that it reads', async () => {
  await gateway.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = gateway.app.server.address() as { port: number };
  const { consents } = new GatewayClient({ url: `http://127.0.0.1:${port}`, key: officer });
  const given = await consents.give('hal', { purposes: ['recommendation'] });
  const withdrawn = await consents.withdraw('hal');
  const seen = await consents.of('hal');
  expect(seen.receipts).toHaveLength(2);
  expect(seen.receipts).toEqual(expect.arrayContaining([given.receipt, withdrawn.receipt]));
  expect(seen.standing).toEqual([{ source: '*', allowed: [], ended: [] }]);
  expect((await consents.purposes()).purposes).toHaveLength(PURPOSES.length);
});

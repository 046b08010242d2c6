/** ActivityStreams documents over HTTP. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await gatewayFixture();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const send = (document: unknown, type = 'application/activity+json') =>
  gateway.ask({
    method: 'POST',
    url: '/v1/activitystreams',
    headers: { 'content-type': type },
    payload: typeof document === 'string' ? document : JSON.stringify(document),
  });
const like = {
  '@context': 'https://www.w3.org/ns/activitystreams',
  type: 'Like',
  actor: 'https://social.example/asha',
  object: { id: 'https://video.example/1', type: 'Video', name: 'Googly school' },
  published: '2026-01-02T03:04:05Z',
};

it.each(['application/activity+json', 'application/ld+json', 'application/json'])(
  'a collection sent as %s becomes people, items and events, and says what it leaves out',
  async (type) => {
    const person = { type: 'Person', id: like.actor, name: 'Asha' };
    const items = [person, like, { type: 'Undo', object: like }];
    const { status, body } = await send({ type: 'Collection', items }, type);
    expect(status).toBe(202);
    const one = { state: 'enqueued', accepted: 1, rejected: [] };
    expect(body).toMatchObject({ people: one, items: one, events: one, refused: [{ field: 'type' }] });
  },
);

it('a document that says nothing that is taken in is refused with the field', async () => {
  const { status, body } = await send({ ...like, actor: 'asha' });
  expect(status).toBe(422);
  expect(body).toMatchObject({ code: 'INPUT_INVALID', details: { issues: [{ path: ['actor'] }] } });
});

it.each(['', '{', '[]', '7', '{"__proto__":{}}', '{"type":{}}'])('%j is a coded refusal', async (text) => {
  const { status, body } = await send(text);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(body.code).toEqual(expect.stringMatching(/^[A-Z_]+$/));
});

it('answers of people go in as events, and who asked is told what each changes', async () => {
  const at = '2026-01-02T03:04:05Z';
  const answers = [
    { user: 'asha', item: 'v1', response: 'stars', value: 4, reason: 'well told', at },
    { user: 'asha', item: 'v2', response: 'thumb-down', at },
  ];
  const { status, body } = await gateway.post('/v1/feedback', { answers });
  expect(status).toBe(202);
  expect(body).toMatchObject({ accepted: 2, schema: 1, effects: [{ counts: 'for' }, { counts: 'against' }] });
  const wrong = await gateway.post('/v1/feedback', { answers: [{ ...answers[0], value: 9 }] });
  expect([wrong.status, wrong.body.code]).toEqual([422, 'INPUT_INVALID']);
  const table = await gateway.get('/v1/feedback/schema', null);
  expect(table.body).toMatchObject({
    version: 1,
    rows: expect.arrayContaining([
      expect.objectContaining({ response: 'survey', features: { effort: 2, liking: false } }),
    ]) as unknown,
  });
});

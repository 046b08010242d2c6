/** Dead letters over HTTP and through the client: listed, shown, and given back to work, each by a key that may. */
import { UnrecoverableError } from 'bullmq';
import { expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { redisUrl } from '../../test/services.ts';
import { connect } from '../client/index.ts';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

/** A job that a worker has failed, with its run as the executor leaves it. */
async function deadLetter(gateway: GatewayFixture, key: string): Promise<string> {
  const failure = new AppError('DATASET_EMPTY', { details: { dataset: 'd1' } });
  const worker = gateway.worker('segmentation', () => {
    throw new UnrecoverableError(JSON.stringify(failure));
  });
  const failed = new Promise((resolve) => worker.once('failed', resolve));
  const { body } = await gateway.post('/v1/jobs/segmentation', { input: { features: 'f1' }, key });
  await failed;
  await worker.close();
  const { ledger } = gateway.services.store;
  const { runKey } = body as { runKey: string };
  const { data } = (await gateway.services.redis.hgetall(
    `${gateway.services.prefix}:segmentation:${String(body.id)}`,
  )) as { data: string };
  const { inputHash } = JSON.parse(data) as { inputHash: string };
  const place = { tenant: 'main', kind: 'segmentation', contractVersion: 1, inputHash, asOf: 1, codeVersion: 'c' };
  const { run } = await ledger.claim({ runKey, ...place });
  await ledger.end(runKey, run.fence, 'dead-lettered', failure.toJSON());
  return runKey;
}

test('dead letters are listed by filter, page by page, shown, and redriven once by a key with that scope', async () => {
  await using gateway = await gatewayFixture();
  const first = await deadLetter(gateway, 'one');
  const second = await deadLetter(gateway, 'two');
  const page = await gateway.get('/v1/dead-letters?kind=segmentation&code=DATASET_EMPTY&limit=1');
  expect(page).toMatchObject({ status: 200, body: { deadLetters: [{ runKey: second, code: 'DATASET_EMPTY' }] } });
  const rest = await gateway.get(`/v1/dead-letters?limit=1&after=${encodeURIComponent(String(page.body.next))}`);
  expect(rest.body).toMatchObject({ deadLetters: [{ runKey: first }] });
  expect((await gateway.get('/v1/dead-letters?code=INTERNAL')).body).toEqual({ deadLetters: [] });
  expect((await gateway.get(`/v1/dead-letters/${first}`)).body).toMatchObject({
    attempts: 1,
    claims: 1,
    input: { in: 'job' },
  });
  const stranger = await gateway.key(['jobs:read', 'jobs:redrive'], 'other');
  expect((await gateway.get(`/v1/dead-letters/${first}`, stranger)).status).toBe(404);
  const reader = await gateway.key(['jobs:read']);
  expect((await gateway.post('/v1/dead-letters/redrive', { runKeys: [first] }, reader)).body.code).toBe(
    'AUTH_SCOPE_MISSING',
  );
  const redriver = await gateway.key(['jobs:redrive']);
  const answers = [];
  for (let turn = 0; turn < 2; turn++)
    answers.push((await gateway.post('/v1/dead-letters/redrive', { runKeys: [first] }, redriver)).body);
  expect(answers).toMatchObject([{ results: [{ outcome: 'redriven' }] }, { results: [{ outcome: 'running' }] }]);
  const ended = new Promise<unknown>((resolve) =>
    gateway.worker('segmentation', () => ({})).once('completed', resolve),
  );
  expect(await ended).toMatchObject({ data: { runKey: first }, attemptsMade: 1 });
});

test('the client lists, shows and redrives dead letters through the gateway', async () => {
  await using gateway = await gatewayFixture();
  const runKey = await deadLetter(gateway, 'one');
  const url = await gateway.app.listen({ port: 0, host: '127.0.0.1' });
  const key = await gateway.key(['jobs:read', 'jobs:redrive']);
  await using millrace = connect({ redis: redisUrl, prefix: gateway.services.prefix, gateway: { url, key } });
  expect(await millrace.deadLetters.list({ kind: 'segmentation', since: new Date(0), limit: 10 })).toMatchObject([
    { runKey, code: 'DATASET_EMPTY' },
  ]);
  expect(await millrace.deadLetters.list({ since: Date.now() + 60_000 })).toEqual([]);
  expect((await millrace.deadLetters.show(runKey)).runKey).toBe(runKey);
  await expect(millrace.deadLetters.show(`${runKey}0`)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const told: number[] = [];
  const report = await millrace.deadLetters.redrive(
    { code: 'DATASET_EMPTY' },
    { onProgress: (r) => told.push(r.redriven) },
  );
  expect(report).toEqual({ redriven: 1, running: 0, refused: [] });
  expect(told).toEqual([1]);
  expect(await millrace.deadLetters.redrive([runKey])).toMatchObject({ redriven: 0, running: 1 });
});

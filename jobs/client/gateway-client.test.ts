/** Reads and claims through a gateway, with a plain HTTP server as the other side. */
import { hash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { GatewayClient } from './gateway-client.ts';
import { buildMillrace } from './millrace.ts';
import { connectInMemory } from './testing.ts';
import { MemoryTransport } from './memory-transport.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

async function gateway(answer: Answer) {
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    client: new GatewayClient({ url, key: 'mk_test' }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const RECOMMENDED = {
  requestId: 'q1',
  user: 'a/b',
  release: 'v1',
  model: 'm1',
  policy: 'top',
  origin: 'model' as const,
  items: [{ item: 'i1', title: 'Googly school', score: 0.5, position: 1 }],
};

describe('the gateway as the client sees it', () => {
  it('is asked with the bearer key and answers typed recommendations and segments', async () => {
    const asked: string[] = [];
    await using there = await gateway((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      const segments = { user: 'a/b', release: 'v1', segment: null };
      response.end(JSON.stringify(request.url?.includes('segments') ? segments : RECOMMENDED));
    });
    expect(await there.client.recommendations('a/b', 5)).toEqual(RECOMMENDED);
    expect(await there.client.segments('a/b')).toEqual({ user: 'a/b', release: 'v1', segment: null });
    expect(asked).toEqual([
      'GET /v1/recommendations/a%2Fb?k=5 Bearer mk_test',
      'GET /v1/segments/a%2Fb Bearer mk_test',
    ]);
  });

  it('passes its own error codes on', async () => {
    const error = new AppError('NOT_PUBLISHED');
    await using there = await gateway((_, response) => {
      response.writeHead(error.status).end(JSON.stringify(error));
    });
    await expect(there.client.recommendations('u')).rejects.toMatchObject({
      code: 'NOT_PUBLISHED',
      message: error.message,
    });
  });

  it('is SERVICE_UNAVAILABLE when it answers nonsense, or nothing, and never shows the key', async () => {
    await using there = await gateway((request, response) => {
      if (request.url?.includes('cut')) request.socket.destroy();
      else response.writeHead(request.url?.includes('bad') ? 502 : 200).end('<html>');
    });
    for (const user of ['bad', 'odd', 'cut']) {
      const error = await there.client.recommendations(user).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { address: there.url.slice(7) } });
      expect(JSON.stringify(error)).not.toContain('mk_test');
    }
  });

  it('stores inputs above 64 KiB, so that the job carries a claim', async () => {
    let body = '';
    let tell: (sent: string) => string = (sent) => hash('sha256', sent);
    await using there = await gateway(async (request, response) => {
      body = await text(request);
      response.end(JSON.stringify({ id: 'c1', sha256: tell(body), bytes: body.length }));
    });
    const ring = sealRing(randomBytes(32).toString('hex'));
    const transport = new MemoryTransport(ring, {}, 'main');
    const jobs: unknown[] = [];
    transport.add = async (_, made) => void jobs.push(...made.map(({ data }) => data));
    const core = { transport, tenant: 'main', ring, gateway: there.client, nowMs: Date.now };
    const params = { noise: randomBytes(60_000).toString('hex') };
    const millrace = buildMillrace(core);
    await millrace.embeddingTraining.enqueue({ dataset: 'd', params });
    expect(jobs).toMatchObject([{ claim: { id: 'c1', sha256: hash('sha256', body), bytes: body.length } }]);
    expect(JSON.parse(body)).toMatchObject({ dataset: 'd', params });
    tell = () => hash('sha256', 'something else');
    await expect(millrace.embeddingTraining.enqueue({ dataset: 'd', params })).rejects.toMatchObject({
      code: 'CLAIM_NOT_FOUND',
    });
    await expect(
      buildMillrace({ ...core, gateway: undefined }).embeddingTraining.enqueue({ dataset: 'd', params }),
    ).rejects.toMatchObject({ code: 'CLAIM_NEEDS_GATEWAY' });
    expect(jobs).toHaveLength(1);
  });

  it('must be configured for reads', async () => {
    const ring = sealRing(randomBytes(32).toString('hex'));
    const transport = new MemoryTransport(ring, {}, 'main');
    const millrace = buildMillrace({ transport, tenant: 'main', ring, gateway: undefined, nowMs: Date.now });
    await expect(millrace.recommendations.get('u')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(connectInMemory().recommendations.get('u')).rejects.toMatchObject({ code: 'NOT_PUBLISHED' });
  });
});

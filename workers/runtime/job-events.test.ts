import { describe, expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { testServices } from '../../test/services.ts';
import { contractOf, failureOf, probe, start } from './runtime-fixture.ts';

function listen() {
  const telemetry = new Telemetry();
  const heard: { name: string; fields: Readonly<Record<string, unknown>> }[] = [];
  telemetry.subscribe((name, fields) => void heard.push({ name, fields }));
  return { telemetry, heard, names: () => heard.map(({ name }) => name) };
}

describe('the stream hears of a job', () => {
  test.each([
    ['none', ['job.started', 'job.completed']],
    ['record', ['job.started', 'job.committed', 'job.completed']],
    ['dataset', ['job.started', 'job.claimed', 'job.committed', 'job.completed']],
  ] as const)('of class %s, in the order of its verbs', async (effect, names) => {
    await using services = await testServices();
    const stream = listen();
    const host = await start(services, probe(contractOf(effect)).processor, { telemetry: stream.telemetry });
    const { done, runKey, job } = await host.enqueue(5);
    await done();
    expect(stream.names()).toEqual(names);
    for (const { fields } of stream.heard)
      expect(fields).toMatchObject({ kind: `probe-${effect}`, runKey, jobId: job.id });
    expect(stream.heard.at(-1)?.fields).toMatchObject({ effect, attempt: 1, seconds: expect.any(Number) });
  });

  test('that is retried and then given up, with the code and never the words of a foreign error', async () => {
    await using services = await testServices();
    const stream = listen();
    const { processor } = probe(contractOf('dataset', { attemptsMax: 2, personal: true }), {
      compute: async () => {
        throw new TypeError('cannot read Asha Rao');
      },
    });
    const host = await start(services, processor, { telemetry: stream.telemetry });
    await failureOf((await host.enqueue(5)).done());
    expect(stream.names()).toEqual([
      'job.started',
      'job.claimed',
      'job.retried',
      'job.started',
      'job.claimed',
      'job.dead-lettered',
    ]);
    expect(stream.heard.at(-1)?.fields).toMatchObject({ code: 'INTERNAL', attempt: 2 });
    expect(JSON.stringify(stream.heard)).not.toContain('Asha');
  });

  test('that is cancelled, and one that is put off', async () => {
    await using services = await testServices();
    const stream = listen();
    const begun = Promise.withResolvers<void>();
    let puts = 1;
    const { processor } = probe(contractOf('dataset'), {
      compute: async (n, { signal }) => {
        if (n === 1) {
          if (puts-- > 0) throw new AppError('WORKER_STOPPING');
          return 1;
        }
        begun.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return 0;
      },
    });
    const host = await start(services, processor, { telemetry: stream.telemetry });
    await (await host.enqueue(1)).done();
    expect(stream.names()).toContain('job.deferred');
    const { done, runKey } = await host.enqueue(2);
    await begun.promise;
    await host.cancels.cancel(runKey);
    expect(await failureOf(done())).toMatchObject({ code: 'CANCELLED' });
    expect(stream.names().at(-1)).toBe('job.cancelled');
  });
});

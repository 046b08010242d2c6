/** Owns the proof that one trace leads from a caller through queue and executor into a thread, and that the metrics are what the docs list. */
import { context, propagation, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../jobs/client/index.ts';
import { buildGateway } from '../jobs/gateway/build.ts';
import { CONTRACTS } from '../jobs/registry.ts';
import { jobIdOf, runKeyOf } from '../shared/contract-kit/names.ts';
import { sealRing } from '../shared/contract-kit/seal.ts';
import { AppError } from '../shared/errors.ts';
import { EVENTS, type EventName } from '../shared/telemetry/events.ts';
import { EVENT_METRICS, GAUGES, PROCESS_METRICS } from '../shared/telemetry/metrics.ts';
import { openProcessTelemetry, type ProcessTelemetry } from '../shared/telemetry/open-telemetry.ts';
import { Telemetry } from '../shared/telemetry/stream.ts';
import { Enqueuer } from '../workers/runtime/enqueuer.ts';
import { startHost } from '../workers/runtime/host.ts';
import { silentLog, type TestServices, testServices } from './services.ts';

const promName = (name: string): string => name.replaceAll('.', '_');
const METRICS = { ...EVENT_METRICS, ...PROCESS_METRICS };
/** What docs/telemetry.md lists, as Prometheus writes it. */
const DOCUMENTED = new Set([
  ...Object.entries(METRICS).map(([name, { type }]) => promName(name) + (type === 'counter' ? '_total' : '')),
  ...Object.keys(GAUGES).map(promName),
]);
/** All from the code: none can hold what people or tenants are called. */
const LABELS = new Set(
  `kind outcome task why pipeline state ok port operation server le cpu_mode
   messaging_system messaging_destination_name messaging_operation_name error_type
   bullmq_queue_name bullmq_queue_jobs_state bullmq_job_name
   http_request_method http_route http_response_status_code`.split(/\s+/),
);

const exporter = new InMemorySpanExporter();
let observed: ProcessTelemetry;

beforeAll(async () => {
  observed = await openProcessTelemetry({ name: 'test', spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
});
afterAll(() => observed[Symbol.asyncDispose]());

/** As the documentation of `connect` says. */
const currentTrace = (): string | undefined => {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
};

const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId;

test('one trace leads from the caller through the queue and the verbs into the thread; metrics count the same job', async () => {
  await using services = await testServices();
  const { telemetry, meter, metrics } = observed;
  await using host = await startHost({
    config: services.config,
    log: silentLog,
    kinds: ['ingestion', 'feature-build'],
    telemetry,
    meter,
  });
  expect(host.pools.map(({ kind }) => kind)).toEqual(['ingestion', 'feature-build']);
  const { redisUrl, prefix, sealKeys } = services.config;
  await using client = connect({ redis: redisUrl, prefix, seal: sealKeys, trace: currentTrace });
  const consents = [{ user: 'asha', purposes: ['segmentation' as const], source: 'shop', at: 1 }];
  await (await client.ingestion.enqueue({ source: 'shop', consents })).done();
  const events = [{ type: 'click' as const, user: 'asha', item: 'a', occurredAt: 2 }];
  await (await client.ingestion.enqueue({ source: 'shop', events, allowUnknownItems: true })).done();
  const { dataset } = await (await client.ingestion.enqueue({ compact: {} })).done();
  const caller = trace.getTracer('caller').startSpan('checkout');
  await context.with(trace.setSpan(context.active(), caller), async () => {
    await (await client.featureBuild.enqueue({ dataset: dataset?.version ?? '' })).done();
  });
  caller.end();

  const { traceId, spanId } = caller.spanContext();
  const spans = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
  const named = (name: string): ReadableSpan => {
    const found = spans.find((span) => span.name.startsWith(name));
    if (found === undefined) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(', ')}`);
    return found;
  };
  const attempt = named('process feature-build');
  expect(parentOf(attempt)).toBe(spanId);
  expect(attempt.attributes).toMatchObject({
    'messaging.system': 'bullmq',
    'messaging.destination.name': 'feature-build',
    'messaging.operation.type': 'process',
    'bullmq.queue.name': 'feature-build',
    'bullmq.job.attempts.made': 0,
  });
  for (const verb of ['claim', 'load', 'compute', 'write', 'commit'])
    expect([verb, parentOf(named(verb))]).toEqual([verb, attempt.spanContext().spanId]);
  const kernel = named('kernel ');
  const verbs = new Map(spans.map((span) => [span.spanContext().spanId, span.name]));
  expect(['load', 'compute', 'write']).toContain(verbs.get(parentOf(kernel) ?? ''));
  expect(kernel.attributes['thread.id']).toBeGreaterThan(0);

  const text = await metrics();
  const lines = text.split('\n');
  const counted = (name: string, ...labels: string[]) =>
    lines.find((line) => line.startsWith(`${name}{`) && labels.every((label) => line.includes(label)))?.split('} ')[1];
  expect(counted('messaging_process_duration_count', 'messaging_destination_name="feature-build"')).toBe('1');
  expect(counted('millrace_attempts_total', 'kind="ingestion"', 'outcome="completed"')).toBe('3');
  expect(counted('bullmq_queue_jobs', 'bullmq_queue_name="ingestion"', 'state="completed"')).toBe('3');
  expect(counted('millrace_queue_oldest_age', 'kind="feature-build"')).toBe('0');
  const types = lines.flatMap((line) => /^# TYPE (\S+) /.exec(line)?.[1] ?? []);
  expect(types.filter((name) => !DOCUMENTED.has(name))).toEqual([]);
  const labels = new Set([...text.matchAll(/([a-z_]+)="/g)].map(([, label]) => label!));
  expect([...labels].filter((label) => !LABELS.has(label))).toEqual([]);
  expect(text).not.toMatch(/asha|shop|"main/);
});

test('every metric that the documentation lists can be there, and every event is counted or only logged', async () => {
  await using own = await openProcessTelemetry({ name: 'test', environment: {} });
  const sample = { text: 'x', number: 1, flag: true, error: new AppError('INTERNAL').toJSON() };
  for (const [name, { fields }] of Object.entries(EVENTS)) {
    const given = Object.entries(fields).map(([field, type]) => [
      field,
      sample[type.replace('?', '') as keyof typeof sample],
    ]);
    own.telemetry.emit(name as EventName, Object.fromEntries(given));
  }
  const text = await own.metrics();
  const types = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!));
  const measured = new Set(Object.keys(GAUGES).map(promName));
  expect([...DOCUMENTED].filter((name) => !types.has(name) && !measured.has(name))).toEqual([]);
});

test.each([
  [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER'],
  [{ OTEL_METRICS_EXPORTER: 'prometheus' }, 'OTEL_METRICS_EXPORTER'],
])('an exporter that is not built in is refused by its variable', async (environment, variable) => {
  await expect(openProcessTelemetry({ name: 'test', environment })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    details: { problems: [variable] },
  });
});

describe('the trace of a caller of the gateway', () => {
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const SPAN = 'b7ad6b7169203331';

  /** Posts a record with a traceparent; the trace that its job carries, and what the stream heard. */
  async function post(services: TestServices, telemetry: Telemetry) {
    const heard: unknown[] = [];
    onTestFinished(telemetry.subscribe((name, fields) => void heard.push({ name, ...fields })));
    const { store, config, prefix, redis } = services;
    const app = await buildGateway({ store, config, telemetry });
    onTestFinished(() => app.close());
    const { secret } = await store.apiKeys.create('main', 'test', ['events:write']);
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/items',
      headers: { authorization: `Bearer ${secret}`, traceparent: `00-${TRACE}-${SPAN}-01` },
      payload: { source: 'shop', items: [{ id: 'a', title: 'A' }] },
    });
    expect(answer.statusCode).toBe(202);
    const queue = new Queue('ingestion', { connection: redis, prefix });
    onTestFinished(() => queue.close());
    const [job] = await queue.getJobs(['waiting', 'prioritized']);
    return { trace: job?.data.trace as string, heard };
  }

  test('goes on into the job where the gateway makes no spans', async () => {
    await using services = await testServices();
    const { trace: carried, heard } = await post(services, new Telemetry());
    expect(carried).toBe(`00-${TRACE}-${SPAN}-01`);
    expect(heard).toMatchObject([
      { name: 'job.enqueued', kind: 'ingestion', by: 'gateway' },
      { name: 'http.request', server: 'gateway', method: 'POST', route: '/v1/items', status: 202 },
    ]);
  });

  test('leads through a span of the request where it does', async () => {
    await using services = await testServices();
    const { trace: carried } = await post(services, observed.telemetry);
    const request = exporter.getFinishedSpans().find(({ name }) => name === 'POST /v1/items');
    expect(request?.spanContext().traceId).toBe(TRACE);
    expect(request?.parentSpanContext?.spanId).toBe(SPAN);
    expect(carried).toBe(`00-${TRACE}-${request?.spanContext().spanId}-01`);
  });
});

test('what a run causes belongs to its trace: the runtime enqueues with the span at hand', async () => {
  await using services = await testServices();
  const { redis, prefix, store, config } = services;
  const { telemetry } = observed;
  const ring = sealRing(config.sealKeys);
  await using enqueuer = new Enqueuer({ redis, prefix, contracts: CONTRACTS, claims: store.claims, ring, telemetry });
  const input = { source: 'shop', items: [{ id: 'a', title: 'A' }] };
  let current: string | undefined;
  await telemetry.within({ name: 'follow' }, async () => {
    current = telemetry.spans?.current();
    await enqueuer.enqueue('ingestion', input, { tenant: 'main', key: 'within', asOf: 1 });
  });
  await enqueuer.enqueue('ingestion', input, { tenant: 'main', key: 'outside', asOf: 1 });
  expect(current).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  const traceOf = async (key: string) =>
    (await enqueuer.queue('ingestion').getJob(jobIdOf(runKeyOf('main', 'ingestion', key))))?.data.trace as unknown;
  expect([await traceOf('within'), await traceOf('outside')]).toEqual([current, undefined]);
});

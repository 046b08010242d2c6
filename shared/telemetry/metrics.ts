/**
 * Owns what is counted and timed of the stream: OpenTelemetry's messaging conventions, the names of bullmq-otel beside them, and our own for what
 * neither has. Labels are kinds, codes, routes and names from the code: bounded, and never a tenant or a person.
 */
import type { Attributes, Histogram, Meter } from '@opentelemetry/api';
import type { EventFields, EventName } from './events.ts';
import type { Subscriber } from './stream.ts';

/** Upper ends in seconds: from an enqueue's milliseconds to a training's hour. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

/** Every metric that comes from events, with its unit and what it says; docs/telemetry.md lists them. */
export const EVENT_METRICS = {
  'messaging.process.duration': {
    type: 'histogram',
    unit: 's',
    what: 'one attempt at a job, by queue and, if it failed, code',
  },
  'messaging.client.consumed.messages': { type: 'counter', unit: '{message}', what: 'attempts begun' },
  'messaging.client.sent.messages': { type: 'counter', unit: '{message}', what: 'jobs that this process enqueued' },
  'bullmq.jobs.completed': { type: 'counter', unit: '1', what: 'jobs with a result' },
  'bullmq.jobs.failed': { type: 'counter', unit: '1', what: 'jobs that failed for good' },
  'bullmq.jobs.retried': { type: 'counter', unit: '1', what: 'attempts that will be tried again' },
  'bullmq.jobs.delayed': { type: 'counter', unit: '1', what: 'jobs put off' },
  'bullmq.job.duration': { type: 'histogram', unit: 'ms', what: 'one attempt at a job, as bullmq-otel gives it' },
  'millrace.attempts': { type: 'counter', unit: '{attempt}', what: 'attempts ended, by kind and how' },
  'millrace.job.wait': { type: 'histogram', unit: 's', what: 'from being due to being begun, first attempts' },
  'millrace.run.compute': { type: 'histogram', unit: 's', what: 'load, compute and write of committed runs' },
  'millrace.task.duration': { type: 'histogram', unit: 's', what: 'one task in a thread' },
  'millrace.task.queue': { type: 'histogram', unit: 's', what: 'a task waiting for a thread' },
  'millrace.threads.replaced': { type: 'counter', unit: '{replacement}', what: 'threads replaced, by why' },
  'millrace.pipeline.duration': { type: 'histogram', unit: 's', what: 'a pipeline run, by name and end' },
  'millrace.sweep.duration': { type: 'histogram', unit: 's', what: 'one sweep' },
  'millrace.collected': { type: 'counter', unit: '{document}', what: 'documents that collection removed, by what' },
  'millrace.collection.duration': { type: 'histogram', unit: 's', what: 'one pass of collection' },
  'millrace.store.operation.duration': { type: 'histogram', unit: 's', what: 'one call of a port of the store' },
  'http.server.request.duration': { type: 'histogram', unit: 's', what: 'one request, by route and status' },
} as const;

/** What is measured of the queues when somebody asks. */
export const GAUGES = {
  'bullmq.queue.jobs': {
    unit: '{jobs}',
    what: 'jobs in the queue, by state; the same from every worker: take the maximum',
  },
  'millrace.queue.oldest.age': {
    unit: 's',
    what: 'how long the job that is next in line could have begun; 0 while paused; likewise',
  },
  'millrace.pool.saturation': {
    unit: '1',
    what: 'jobs at work by what this process takes at once, by kind; take the average',
  },
} as const;
export type GaugeName = keyof typeof GAUGES;

/** What is measured of the process when somebody asks. */
export const PROCESS_METRICS = {
  'process.memory.usage': { type: 'gauge', unit: 'By', what: 'resident memory of the process' },
  'process.cpu.time': { type: 'counter', unit: 's', what: 'processor time, by mode' },
} as const;

type MetricName = keyof typeof EVENT_METRICS;

interface Count {
  readonly attributes: Attributes;
  n: number;
}

/** Different sets of labels of one counter. They come from the code, so more would be a mistake of ours. */
const COUNTS_MAX = 2_000;

/**
 * Counters are kept here and only told when asked for: a counter of OpenTelemetry sorts and joins its labels each time, which costs more than all
 * else that happens to a job without work.
 */
class Instruments {
  readonly #counts = new Map<string, Map<string, Count>>();
  readonly #histograms = new Map<string, Histogram>();

  constructor(meter: Meter) {
    for (const [name, { type, unit, what: description }] of Object.entries(EVENT_METRICS))
      if (type === 'counter') {
        const counts = new Map<string, Count>();
        this.#counts.set(name, counts);
        meter.createObservableCounter(name, { unit, description }).addCallback((result) => {
          for (const { attributes, n } of counts.values()) result.observe(n, attributes);
        });
      } else {
        const explicitBucketBoundaries = unit === 'ms' ? SECONDS.map((second) => second * 1000) : SECONDS;
        const advice = { explicitBucketBoundaries };
        this.#histograms.set(name, meter.createHistogram(name, { unit, description, advice }));
      }
  }

  /** `key` names the labels among those of the counter; they are made once. */
  add(name: MetricName, key: string, attributes: () => Attributes, n = 1): void {
    const counts = this.#counts.get(name);
    const count = counts?.get(key);
    if (count !== undefined) count.n += n;
    else if (counts !== undefined && counts.size < COUNTS_MAX) counts.set(key, { attributes: attributes(), n });
  }

  record(name: MetricName, value: number, attributes: Attributes): void {
    this.#histograms.get(name)?.record(value, attributes);
  }
}

type Handlers = { readonly [N in EventName]?: (fields: EventFields<N>) => void };

const ENDS = {
  'job.completed': 'bullmq.jobs.completed',
  'job.repeated': undefined,
  'job.retried': 'bullmq.jobs.retried',
  'job.deferred': 'bullmq.jobs.delayed',
  'job.lost': undefined,
  'job.failed': 'bullmq.jobs.failed',
  'job.cancelled': 'bullmq.jobs.failed',
  'job.expired': 'bullmq.jobs.failed',
  'job.dead-lettered': 'bullmq.jobs.failed',
} as const satisfies { readonly [N in EventName]?: MetricName | undefined };

interface Ended {
  readonly kind: string;
  readonly seconds: number;
  readonly code?: string;
}

/** Attributes of a queue, made once a kind. */
function queueAttributes() {
  const made = new Map<string, { readonly messaging: Attributes; readonly bullmq: Attributes }>();
  return (kind: string) => {
    let found = made.get(kind);
    if (found === undefined) {
      const messaging = {
        'messaging.system': 'bullmq',
        'messaging.destination.name': kind,
        'messaging.operation.name': 'process',
      };
      found = { messaging, bullmq: { 'bullmq.queue.name': kind, 'bullmq.job.name': kind } };
      made.set(kind, found);
    }
    return found;
  };
}

function jobHandlers(instruments: Instruments): Handlers {
  const queue = queueAttributes();
  const ended = (name: keyof typeof ENDS, { kind, seconds, code }: Ended): void => {
    const { messaging, bullmq } = queue(kind);
    const failed = code === undefined ? messaging : { ...messaging, 'error.type': code };
    instruments.record('messaging.process.duration', seconds, failed);
    instruments.record('bullmq.job.duration', seconds * 1000, bullmq);
    instruments.add('millrace.attempts', `${kind} ${name}`, () => ({ kind, outcome: name.slice('job.'.length) }));
    const count = ENDS[name];
    if (count !== undefined) instruments.add(count, kind, () => bullmq);
  };
  const names = Object.keys(ENDS) as (keyof typeof ENDS)[];
  return {
    ...Object.fromEntries(names.map((name) => [name, (fields: Ended) => ended(name, fields)])),
    'job.enqueued': ({ kind }) =>
      instruments.add('messaging.client.sent.messages', kind, () => ({
        ...queue(kind).messaging,
        'messaging.operation.name': 'send',
      })),
    'job.started': ({ kind, waitSeconds }) => {
      instruments.add('messaging.client.consumed.messages', kind, () => queue(kind).messaging);
      if (waitSeconds !== undefined) instruments.record('millrace.job.wait', waitSeconds, { kind });
    },
    'job.committed': ({ kind, computeSeconds }) => instruments.record('millrace.run.compute', computeSeconds, { kind }),
  };
}

function otherHandlers(instruments: Instruments): Handlers {
  return {
    'task.ended': ({ task, kind = 'none', seconds, queueSeconds, code }) => {
      const attributes = { task, kind, ...(code === undefined ? {} : { 'error.type': code }) };
      instruments.record('millrace.task.duration', seconds, attributes);
      instruments.record('millrace.task.queue', queueSeconds, { kind });
    },
    'threads.replaced': ({ why }) => instruments.add('millrace.threads.replaced', why, () => ({ why })),
    'pipeline.ended': ({ pipeline, state, seconds }) =>
      instruments.record('millrace.pipeline.duration', seconds, { pipeline, state }),
    'sweep.ended': ({ seconds, ok }) => instruments.record('millrace.sweep.duration', seconds, { ok }),
    'collection.ended': ({ seconds, whole, heldBy, ...removed }) => {
      instruments.record('millrace.collection.duration', seconds, { whole, held: heldBy !== undefined });
      for (const [what, n] of Object.entries(removed)) instruments.add('millrace.collected', what, () => ({ what }), n);
    },
    'store.operation': ({ port, operation, seconds, code }) =>
      instruments.record('millrace.store.operation.duration', seconds, {
        port,
        operation,
        ...(code === undefined ? {} : { 'error.type': code }),
      }),
    'http.request': ({ server, method, route, status, seconds }) =>
      instruments.record('http.server.request.duration', seconds, {
        server,
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': status,
      }),
  };
}

export function countEvents(meter: Meter): Subscriber {
  const instruments = new Instruments(meter);
  const handlers: Handlers = { ...jobHandlers(instruments), ...otherHandlers(instruments) };
  return (name, fields) => handlers[name]?.(fields);
}

const describe = (name: keyof typeof PROCESS_METRICS) => {
  const { unit, what: description } = PROCESS_METRICS[name];
  return { unit, description };
};

/** What the process itself takes. */
export function measureProcess(meter: Meter): void {
  meter
    .createObservableGauge('process.memory.usage', describe('process.memory.usage'))
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter.createObservableCounter('process.cpu.time', describe('process.cpu.time')).addCallback((result) => {
    const { user, system } = process.cpuUsage();
    result.observe(user / 1e6, { 'cpu.mode': 'user' });
    result.observe(system / 1e6, { 'cpu.mode': 'system' });
  });
}

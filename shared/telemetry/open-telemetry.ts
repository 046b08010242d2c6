/**
 * Owns the telemetry of one process: the stream with everybody who listens. Metrics are always kept for /metrics; traces, and metrics
 * by OTLP, leave the process only when the environment says so, by OpenTelemetry's own variables. The exporters are loaded only then.
 */
import { context, type Meter, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { type IMetricReader, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { AppError } from '../errors.ts';
import { countEvents, measureProcess } from './metrics.ts';
import { openTelemetrySpans } from './spans.ts';
import { Telemetry } from './stream.ts';

export interface ProcessTelemetry extends AsyncDisposable {
  readonly telemetry: Telemetry;
  /** For what is measured when somebody asks, not when it happens. */
  readonly meter: Meter;
  /** The text of /metrics, in the Prometheus format. */
  readonly metrics: () => Promise<string>;
}

export interface TelemetryOptions {
  /** Such as `worker`; `service.name` is `millrace-worker` unless OTEL_SERVICE_NAME says otherwise. */
  readonly name: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** In place of what the environment says; tests bring an exporter in memory. */
  readonly spanProcessors?: readonly SpanProcessor[];
}

/** How long the last spans and figures may take to leave when the process ends. */
const FLUSH_MS_MAX = 5_000;

/** Which exporter a variable names; the OTLP one also when only its address is set. */
function exporterOf(signal: 'TRACES' | 'METRICS', environment: TelemetryOptions['environment'] = {}): 'otlp' | 'none' {
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return 'none';
  const name = `OTEL_${signal}_EXPORTER`;
  const named = environment[name];
  if (named === 'otlp' || named === 'none') return named;
  if (named !== undefined && named !== '')
    throw new AppError('CONFIG_INVALID', {
      message: `${name} is "${named}": it may be otlp or none.`,
      details: { problems: [name] },
    });
  const address = environment.OTEL_EXPORTER_OTLP_ENDPOINT ?? environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`];
  return address === undefined || address === '' ? 'none' : 'otlp';
}

async function spanProcessorsOf({ spanProcessors, environment }: TelemetryOptions): Promise<readonly SpanProcessor[]> {
  if (spanProcessors !== undefined) return spanProcessors;
  if (exporterOf('TRACES', environment) === 'none') return [];
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })];
}

async function readersOf(environment: TelemetryOptions['environment']): Promise<IMetricReader[]> {
  if (exporterOf('METRICS', environment) === 'none') return [];
  const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-http');
  return [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })];
}

/** To be called once a process, before anything is opened. Throws CONFIG_INVALID for exporters that are not there. */
export async function openProcessTelemetry(options: TelemetryOptions): Promise<ProcessTelemetry> {
  const { name, environment } = options;
  const named = resourceFromAttributes({ 'service.name': `millrace-${name}`, 'service.namespace': 'millrace' });
  const resource = defaultResource()
    .merge(named)
    .merge(detectResources({ detectors: [envDetector] }));
  const spanProcessors = await spanProcessorsOf(options);
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const meters = new MeterProvider({ resource, readers: [prometheus, ...(await readersOf(environment))] });
  const tracers = spanProcessors.length === 0 ? undefined : registerTraces(resource, spanProcessors);
  const meter = meters.getMeter('millrace');
  const telemetry = new Telemetry(tracers === undefined ? undefined : openTelemetrySpans());
  telemetry.subscribe(countEvents(meter));
  measureProcess(meter);
  const serializer = new PrometheusSerializer('', false, undefined, true, true);
  return {
    telemetry,
    meter,
    metrics: async () => serializer.serialize((await prometheus.collect()).resourceMetrics),
    async [Symbol.asyncDispose]() {
      const late = new Promise((resolve) => setTimeout(resolve, FLUSH_MS_MAX).unref());
      await Promise.race([Promise.allSettled([tracers?.shutdown(), meters.shutdown()]), late]);
    },
  };
}

function registerTraces(
  resource: ReturnType<typeof defaultResource>,
  spanProcessors: readonly SpanProcessor[],
): TracerProvider {
  const provider = new TracerProvider({ resource, spanProcessors: [...spanProcessors] });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return provider;
}

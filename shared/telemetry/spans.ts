/** Owns spans by way of OpenTelemetry's interface: whatever provider the process has registered gets them. */
import { type Context, context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { OpenSpan, Span, Spans } from './stream.ts';

const KINDS = {
  consumer: SpanKind.CONSUMER,
  server: SpanKind.SERVER,
  internal: SpanKind.INTERNAL,
} as const;

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The context that a W3C traceparent names; one that names nothing is left alone, as the recommendation says. */
function contextOf(parent: string | undefined): Context {
  if (parent === undefined) return context.active();
  const [, traceId, spanId, flags] = TRACEPARENT.exec(parent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
  });
}

function traceparentOf(within: Context): string | undefined {
  const active = trace.getSpanContext(within);
  if (active === undefined) return undefined;
  return `00-${active.traceId}-${active.spanId}-${active.traceFlags.toString(16).padStart(2, '0')}`;
}

export function openTelemetrySpans(): Spans {
  const tracer = trace.getTracer('millrace');
  const begin = ({ name, kind = 'internal', parent, attributes = {} }: Span, startTime?: number) => {
    const around = contextOf(parent);
    const options = { kind: KINDS[kind], attributes, ...(startTime === undefined ? {} : { startTime }) };
    const span = tracer.startSpan(name, options, around);
    const end = (code: string | undefined, endTime?: number): void => {
      if (code !== undefined) {
        // The code and nothing else: words may quote what they choked on.
        span.setAttribute('error.type', code);
        span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      }
      span.end(endTime);
    };
    return { within: trace.setSpan(around, span), end };
  };
  return {
    open(span): OpenSpan {
      const { within, end } = begin(span);
      return { enter: (work) => context.with(within, work), end };
    },
    current: () => traceparentOf(context.active()),
    past(span, startedAt, endedAt, code) {
      begin(span, startedAt).end(code, endedAt);
    },
  };
}

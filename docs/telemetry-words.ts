/** Owns the words of docs/telemetry.md that are not lists of the code. */

export const TELEMETRY_HEAD = [
  'Whoever does something says so in one stream of events (`shared/telemetry/stream.ts`); logs, metrics and traces only listen. No event, metric or span holds',
  'anything personal: run keys end in a hash, failures are told by code, and what a foreign error says is told only where the input of its kind is not personal.',
  '',
  '- **Logs**: one JSON line an event on standard error, at the level below (`MILLRACE_LOG`).',
  '- **Metrics**: `/metrics` of the health port, in the Prometheus format; by OTLP too when asked for.',
  '- **Traces**: off unless OpenTelemetry’s own variables ask for them: `OTEL_EXPORTER_OTLP_ENDPOINT`, or `OTEL_TRACES_EXPORTER=otlp` (`none` turns them off), likewise',
  '  `OTEL_METRICS_EXPORTER`; `OTEL_SDK_DISABLED=true` turns both off. `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and the other `OTEL_EXPORTER_OTLP_*` are read as',
  '  OpenTelemetry says. Only OTLP over HTTP is built in.',
  '',
  '## One trace',
  '',
  '```',
  'caller’s span                     connect({ trace }) of the client, or the header traceparent at the gateway',
  '  POST /v1/jobs/:kind  (server)   gateway only',
  '  process <kind>       (consumer) one attempt; messaging.* and bullmq.* attributes',
  '    claim load compute write commit follow',
  '      kernel <module>#<function>  one task, timed in its thread',
  '  process <kind>                  what the run caused: the next steps, what a commit asks for',
  '```',
  '',
  'The envelope carries the W3C traceparent; `tracestate` is not carried. The client depends on nothing for it: `connect({ trace })` takes a function that gives the',
  'current traceparent. Each attempt is a span of its own under the same parent. Without spans of its own the gateway hands the header on.',
];

export const METRICS_HEAD = [
  'In the Prometheus format dots are underscores, counters end in `_total`. Names of the messaging conventions and of bullmq-otel are theirs. Labels are kinds, codes, routes and',
  'names from the code, so their number is bounded; no label is a tenant or a person. Scale workers by `millrace_queue_oldest_age` and `millrace_pool_saturation`, not by lists in',
  'Redis: a paused queue keeps its jobs there.',
];

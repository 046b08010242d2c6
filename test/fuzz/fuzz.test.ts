/**
 * Malformed events, files and HTTP requests: every one is answered with a code, every record is accounted for, and nothing crashes.
 * Some 100,000 cases: 80,000 records in batches, 18,000 lines of 300 files, 4,000 mapping tables, 1,200 requests. MILLRACE_FUZZ=10 makes ten times as
 * many, with a seed of its own; without it the cases are always the same.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkBatch, openBatch } from '../../jobs/client/batch-parts.ts';
import { type GatewayFixture, gatewayFixture } from '../../jobs/gateway/gateway-fixture.ts';
import { logRulesSchema, openAccessLog } from '../../shared/sources/access-log/index.ts';
import { openActivityStreams } from '../../shared/sources/activitystreams/index.ts';
import { openEventsFile } from '../../shared/sources/events-file/index.ts';
import { EVENT_FIELDS, EVENT_TYPES } from '../../shared/contract-kit/event-fields.ts';
import { eventMappingSchema, mappedEvent } from '../../shared/sources/mapping.ts';
import { AppError, ERROR_CODES } from '../../shared/errors.ts';

const TIMES = Number(process.env.MILLRACE_FUZZ ?? 0);
const runs = (base: number): { numRuns: number; seed?: number } =>
  TIMES > 0 ? { numRuns: base * TIMES } : { numRuns: base, seed: 20_260_101 };
const NOW = Date.UTC(2026, 0, 1);
const RECORDS_A_RUN = 50;
const TIMEOUT_MS = 240_000 * Math.max(1, TIMES);

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    '\u{D800}',
    '__proto__',
    'constructor',
    -0,
    1e308,
    Number.MAX_SAFE_INTEGER,
    '9'.repeat(400),
    [],
    {},
  ),
);
const member = fc.oneof(odd, fc.constantFrom(...EVENT_TYPES, 'ann', 'v1', 80, NOW - 1, '2025-01-02T03:04:05Z'));
const sound = fc.record({
  type: fc.constantFrom('click', 'save', 'share'),
  user: fc.constantFrom('ann', 'ben'),
  item: fc.constantFrom('v1', 'v2'),
  occurredAt: fc.integer({ min: NOW - 1e9, max: NOW }),
});
const nearly = fc.dictionary(
  fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...EVENT_FIELDS) }, fc.string()),
  member,
  { maxKeys: 8 },
);
const record = fc.oneof(
  { weight: 1, arbitrary: sound },
  { weight: 4, arbitrary: nearly },
  { weight: 1, arbitrary: odd },
);

function codeOf(body: string): unknown {
  try {
    return (JSON.parse(body) as { code?: unknown }).code;
  } catch {
    return undefined;
  }
}

const isCode = (code: unknown): boolean => typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await gatewayFixture({ requestsPerMinuteMax: 1_000_000_000 });
  await gateway.app.ready();
});
afterAll(() => gateway[Symbol.asyncDispose]());

test('every record of a batch is either handed over or refused with its place and a code', {
  timeout: TIMEOUT_MS,
}, () => {
  const records = fc.array(record, { minLength: RECORDS_A_RUN, maxLength: RECORDS_A_RUN });
  fc.assert(
    fc.property(records, (events) => {
      const { texts, indices, rejected } = checkBatch(openBatch({ source: 'web', events }), NOW);
      expect(texts).toHaveLength(indices.length);
      const places = [...indices, ...rejected.map(({ index }) => index)].sort((a, b) => a - b);
      expect(places).toEqual(events.map((_, index) => index));
      for (const { code, reason } of rejected) expect(isCode(code) && reason !== '').toBe(true);
    }),
    runs(1_600),
  );
});

test('no mapping table whatever makes a record disappear', { timeout: TIMEOUT_MS }, () => {
  const table = fc.record({ fields: fc.dictionary(fc.string({ minLength: 1 }), fc.constantFrom('', ...EVENT_FIELDS)) });
  fc.assert(
    fc.property(table, record, (given, value) => {
      const parsed = eventMappingSchema.safeParse(given);
      const made = parsed.success ? mappedEvent(value, parsed.data) : value;
      expect(typeof made).toBe(typeof value);
    }),
    runs(4_000),
  );
});

async function all(rows: AsyncIterable<object>): Promise<object[]> {
  return Array.fromAsync(rows);
}

const LINES_A_FILE = 60;
const RULES = logRulesSchema.parse([{ path: '/watch/:item', type: 'view', value: 100 }]);
const LOG_LINE = '::1 - ann [10/Oct/2025:13:55:36 +0000] "GET /watch/v1 HTTP/1.1" 200 5 "-" "curl"';
const line = fc.oneof(
  record.map((value) => JSON.stringify(value)),
  fc.string(),
  fc.constantFrom(
    '',
    '{',
    '"',
    'a,b\r',
    '\u{FEFF}x',
    LOG_LINE,
    LOG_LINE.slice(0, 40),
    'type,user,item,occurredAt',
    'click,ann,v1,5',
  ),
);

test('every line of a file whatever is an event, is told with its place, or is passed over by a rule', {
  timeout: TIMEOUT_MS,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-fuzz-'));
  const open = { source: 'fuzz', nowMs: NOW };
  const readers = [
    ['f.jsonl', async (path: string) => (await openEventsFile(path, open)).rows()],
    ['f.csv', async (path: string) => (await openEventsFile(path, open)).rows()],
    ['f.log', async (path: string) => (await openAccessLog(path, { ...open, rules: RULES })).rows()],
    ['g.jsonl', async (path: string) => (await openActivityStreams(path, open)).records()],
  ] as const;
  const file = fc.array(line, { minLength: LINES_A_FILE, maxLength: LINES_A_FILE });
  try {
    await fc.assert(
      fc.asyncProperty(file, fc.constantFrom(...readers), fc.nat(3), async (lines, [name, read], how) => {
        const text = Buffer.from(lines.join('\n'));
        const zipped = gzipSync(text);
        // Plain, gzip, gzip that was cut off, and plain bytes that call themselves gzip.
        const bytes = [text, zipped, zipped.subarray(0, zipped.length / 2), text][how]!;
        const path = join(dir, how === 0 ? name : `${name}.gz`);
        await writeFile(path, bytes);
        const outcome = await all(await read(path)).catch((thrown: unknown) => {
          if (thrown instanceof AppError) return thrown.code;
          throw thrown;
        });
        expect(outcome === 'FILE_MALFORMED' || Array.isArray(outcome)).toBe(true);
      }),
      runs(300),
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/** Every route that the documentation names, but those that wait for something. */
function routes(): { method: string; path: string }[] {
  const { paths } = gateway.app.swagger() as { paths: Record<string, Record<string, unknown>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
  );
}

test('every HTTP request whatever is answered with a success or a code, never with a failure of ours', {
  timeout: TIMEOUT_MS,
}, async () => {
  const known = routes();
  expect(known.length).toBeGreaterThan(15);
  const word = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.constantFrom('ingestion', 'main', '..', '%00', '%', 'a'.repeat(300)),
  );
  const frame = fc.record(
    {
      source: fc.oneof(fc.constant('web'), odd),
      events: fc.oneof(fc.array(record, { maxLength: 5 }), odd),
      key: odd,
      answers: fc.array(record),
      type: member,
    },
    { requiredKeys: [] },
  );
  const payload = fc.oneof(
    frame.map((value) => JSON.stringify(value)),
    record.map((value) => JSON.stringify(value)),
    fc.string(),
    fc.constantFrom('', '{', 'null', '[]', '{"__proto__":1}', '['.repeat(5_000)),
  );
  const types = fc.constantFrom(
    'application/json',
    'text/plain',
    'application/activity+json',
    'application/xml',
    'multipart/form-data',
    '',
  );
  const request = fc.record({ route: fc.constantFrom(...known), word, payload, type: types, query: word });
  await fc.assert(
    fc.asyncProperty(request, async ({ route, word, payload, type, query }) => {
      const path = route.path.replaceAll(/\{[^}]+\}/g, () => encodeURIComponent(word.toWellFormed()));
      const withBody = route.method === 'GET' || route.method === 'HEAD' ? {} : { payload };
      const answer = await gateway.app.inject({
        method: route.method as 'GET',
        url: `${path}?k=${gateway.secret}&q=${encodeURIComponent(query.toWellFormed())}`,
        headers: { authorization: `Bearer ${gateway.secret}`, ...(type === '' ? {} : { 'content-type': type }) },
        ...withBody,
      });
      const where = `${route.method} ${route.path} ${type} ${payload.slice(0, 200)}: ${answer.statusCode} ${answer.body.slice(0, 200)}`;
      const isFine = answer.statusCode < 400 || (answer.statusCode < 500 && isCode(codeOf(answer.body)));
      expect(isFine ? '' : where).toBe('');
    }),
    runs(1_200),
  );
  expect((await gateway.get('/v1/healthz')).status).toBe(200);
});

/** Access logs as Apache and nginx write them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { logRulesSchema, openAccessLog } from './index.ts';
import { deviceOf, readLogLine } from './line.ts';
import { ruleMatcher } from './rules.ts';

const RULES = logRulesSchema.parse([
  { path: '/watch/:item', type: 'view', value: 100 },
  { path: '/api/like?v=:item&u=:user', type: 'like', method: 'POST' },
  { path: '/search?q=:text', type: 'search' },
]);
const COMMON = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /watch/v1 HTTP/1.0" 200 2326';
const PHONE = 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Mobile Safari/537.36';

test('a line of the common format, and of the combined one with a quoted quote in it', () => {
  const atMs = Date.UTC(2000, 9, 10, 20, 55, 36);
  expect(readLogLine(COMMON)).toEqual({ user: 'frank', atMs, method: 'GET', target: '/watch/v1', status: 200 });
  const combined = `::1 - mary ann [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/2.0" 304 - "https://e.org/\\"x\\"" "${PHONE}" 0.012`;
  expect(readLogLine(combined)).toMatchObject({ user: 'mary ann', agent: PHONE, status: 304 });
  expect(readLogLine('::1 - - [10/Oct/2000:13:55:36 -0700] "\\x16\\x03\\x01" 400 0')).toBeUndefined();
  expect(readLogLine('::1 - - [31/Feb/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1')).toMatchObject({ reason: /time/ });
});

test('rules name what a request means; what none of them matches means nothing', () => {
  const match = ruleMatcher(RULES);
  const asked = (target: string, method = 'GET', status = 200) => match({ atMs: 0, method, target, status });
  expect(asked('/watch/caf%C3%A9')).toEqual({ type: 'view', value: 100, item: 'café' });
  expect(asked('/api/like?u=ann&v=v2', 'POST')).toEqual({ type: 'like', item: 'v2', user: 'ann' });
  expect(asked('/search?q=cats+in+space&page=2')).toEqual({ type: 'search', text: 'cats in space' });
  for (const [target, method, status] of [
    ['/watch/v1', 'HEAD', 200],
    ['/watch/v1', 'GET', 404],
    ['/watch/', 'GET', 200],
    ['/watch/%zz', 'GET', 200],
    ['/watch/v1/x', 'GET', 200],
    ['/api/like?v=v2', 'POST', 200],
  ] as const)
    expect(asked(target, method, status)).toBeUndefined();
});

test('rules that name what no event has are refused', () => {
  expect(logRulesSchema.safeParse([{ path: '/x/:ip', type: 'view' }]).success).toBe(false);
  expect(logRulesSchema.safeParse([{ path: 'x', type: 'view' }]).success).toBe(false);
});

test('agents become kinds of devices', () => {
  const agents = [
    PHONE,
    'Mozilla/5.0 (iPad; CPU OS 17)',
    'Mozilla/5.0 (SMART-TV; Tizen)',
    'Mozilla/5.0 (Windows NT 10.0)',
    'curl/8',
  ];
  expect(agents.map(deviceOf)).toEqual(['phone', 'tablet', 'tv', 'desktop', 'other']);
});

test('a log is read line by line: events, malformed lines with their place, and nothing of anybody unnamed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-log-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'access.log.gz');
  const nobody = COMMON.replace('frank', '-');
  await writeFile(path, gzipSync([COMMON, nobody, 'garbage', '', COMMON.replace('watch', 'img')].join('\n')));
  const log = await openAccessLog(path, { source: 'access-log', nowMs: Date.now(), rules: RULES });
  const rows = await Array.fromAsync(log.rows());
  expect(rows).toMatchObject([
    { line: 1, event: { type: 'view', user: 'frank', item: 'v1', device: 'unknown' } },
    { line: 3, error: { code: 'FILE_MALFORMED' } },
  ]);
  expect(JSON.stringify(rows)).not.toContain('127.0.0.1');
});

test('no line whatever stops the reader, and none takes long', () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom(' ', '"', '\\', '[', ']', '-', COMMON, '10/Oct/2000:13:55:36 -0700', '200', '\\x'),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
      readLogLine(parts.join(''));
    }),
    { numRuns: 3_000 },
  );
  const startedMs = performance.now();
  for (const unit of [' ', '"', '\\', '- ', '\\"'])
    readLogLine(`h i u [10/Oct/2000:13:55:36 -0700] "${unit.repeat(200_000)}`);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});

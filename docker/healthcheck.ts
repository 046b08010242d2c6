/**
 * Owns the health check of a container: `node docker/healthcheck.ts gateway|dashboard|worker` ends with 0 when
 * the process beside it answers. A worker has no port: its connections to Redis must have been used lately.
 */
import { Redis } from 'ioredis';

/** BullMQ fetches every 5 s when idle and renews locks every few seconds when busy. */
const IDLE_SECONDS_MAX = 30;
const ANSWER_MS_MAX = 5_000;

const PATHS: Readonly<Record<string, { variable: string; path: string }>> = {
  gateway: { variable: 'MILLRACE_GATEWAY_PORT', path: '/v1/healthz' },
  dashboard: { variable: 'MILLRACE_DASHBOARD_PORT', path: '/healthz' },
};

async function answers(port: string | undefined, path: string): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  return answer.ok;
}

/** One field of a line of CLIENT LIST: `id=7 addr=10.0.0.2:5312 ... idle=3 ...`. */
const field = (line: string, name: string): string => new RegExp(`(?:^| )${name}=(\\S*)`).exec(line)?.[1] ?? '';
const hostOf = (line: string): string => field(line, 'addr').replace(/:\d+$/, '');

/** Whether another process of this container used its connection to Redis lately. Containers have an address each. */
async function worksOnRedis(url: string): Promise<boolean> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, connectTimeout: ANSWER_MS_MAX });
  try {
    const me = await redis.client('INFO');
    const others = String(await redis.client('LIST'))
      .split('\n')
      .filter((line) => hostOf(line) === hostOf(me) && field(line, 'id') !== field(me, 'id'));
    return others.some((line) => Number(field(line, 'idle')) <= IDLE_SECONDS_MAX);
  } finally {
    redis.disconnect();
  }
}

const target = process.argv[2] ?? '';
const http = PATHS[target];
try {
  const healthy = http
    ? await answers(process.env[http.variable], http.path)
    : target === 'worker' && (await worksOnRedis(process.env.REDIS_URL ?? ''));
  process.exitCode = healthy ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

/**
 * Owns the health check of a container: ends with 0 when the process beside it says that it is well. A worker is asked whether it lives, a
 * server whether it can serve: `node docker/healthcheck.ts [live|ready]`.
 */
const ANSWER_MS_MAX = 5_000;

const probe = process.argv[2] === 'ready' ? 'readyz' : 'livez';
try {
  const { MILLRACE_HEALTH_PORT: port } = process.env;
  const answer = await fetch(`http://127.0.0.1:${port}/${probe}`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  console.log(await answer.text());
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

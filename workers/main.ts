/** Owns one worker process: some pools, and a clean end. `MILLRACE_KINDS` names the kinds, comma-separated; absent: all. */
import { JOB_KINDS, isJobKind, type JobKind } from '../jobs/registry.ts';
import { readConfig } from '../shared/config.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import { serveHealth } from '../shared/http/health-server.ts';
import { stopOnSignal } from '../shared/stop.ts';
import { endOnUncaught } from '../shared/telemetry/fatal.ts';
import { Health } from '../shared/telemetry/health.ts';
import { openProcessTelemetry } from '../shared/telemetry/open-telemetry.ts';
import { openLog } from '../shared/telemetry/log.ts';
import { startHost } from './runtime/host.ts';

function kindsOf(text: string | undefined): readonly JobKind[] {
  const names = (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const unknown = names.filter((name) => !isJobKind(name));
  if (unknown.length > 0)
    throw new AppError('KIND_UNKNOWN', {
      message: `MILLRACE_KINDS names unknown kinds: ${unknown.join(', ')}.`,
      details: { known: JOB_KINDS },
    });
  return names.length === 0 ? JOB_KINDS : (names as JobKind[]);
}

async function main(): Promise<void> {
  const config = readConfig();
  const log = openLog(config.log, { process: 'worker', pid: process.pid });
  const kinds = kindsOf(process.env.MILLRACE_KINDS);
  const observed = await openProcessTelemetry({ name: 'worker', environment: process.env });
  const { telemetry, metrics, meter } = observed;
  const health = new Health();
  const asked = await serveHealth({ config, health, metrics });
  const schedules = process.env.MILLRACE_SCHEDULES !== 'off';
  const host = await startHost({ config, log, kinds, schedules, health, telemetry, meter });
  stopOnSignal({
    limitMs: config.stopMs,
    stop: async () => {
      health.stopping();
      log.info({ pools: host.pools.length }, 'worker stopping: no new jobs, those at work are finished');
      await host[Symbol.asyncDispose]();
      await observed[Symbol.asyncDispose]();
    },
    late: () => log.warn({ limitMs: config.stopMs }, 'the worker ends with work undone: others take it up'),
  });
  health.started();
  log.info({ kinds, health: asked.address }, 'worker ready');
  console.log(JSON.stringify({ ready: 'worker', kinds, health: asked.address }));
}

endOnUncaught();
try {
  await main();
} catch (thrown) {
  const error = toAppError(thrown);
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

/** Owns one worker process: some pools, and a clean end. `MILLRACE_KINDS` names the kinds, comma-separated; absent: all. */
import { JOB_KINDS, isJobKind, type JobKind } from '../jobs/registry.ts';
import { readConfig } from '../shared/config.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import { endOnUncaught } from '../shared/telemetry/fatal.ts';
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
  await using host = await startHost({ config, log, kinds, schedules: process.env.MILLRACE_SCHEDULES !== 'off' });
  log.info({ kinds }, 'worker ready');
  console.log(JSON.stringify({ ready: 'worker', kinds }));
  await new Promise<void>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve());
    process.once('disconnect', () => resolve()); // the process that started this one is gone
  });
  log.info({ pools: host.pools.length }, 'worker stopping: no new jobs, those at work are finished');
}

endOnUncaught();
try {
  await main();
  process.exit(0);
} catch (thrown) {
  const error = toAppError(thrown);
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

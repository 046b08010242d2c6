/** Owns waiting for a job: where no worker is there to take it the command says so and goes on waiting, and a bar shows how far it is. */
import { Queue } from 'bullmq';
import { RedisConnection } from '../client/redis-connection.ts';
import type { JobProgress } from '../client/job-handle.ts';
import type { JobKind } from '../registry.ts';
import { progressBar, tailOf } from './progress-bar.ts';
import type { Session } from './session.ts';

/** Notes that no worker listens to the queue of a kind. Throws SERVICE_UNAVAILABLE when Redis is away. */
export async function noteMissingWorkers({ config, output }: Session, kind: JobKind): Promise<void> {
  const connection = new RedisConnection(config.redisUrl, config.redisTls);
  try {
    const queue = new Queue(kind, { connection: await connection.ready(), prefix: config.prefix });
    if ((await queue.getWorkersCount()) === 0)
      output.note(
        `No worker takes ${kind} jobs at the moment: they wait until one is started, with \`npm start\` or \`millrace up\`.`,
      );
  } finally {
    connection.close();
  }
}

interface Followed<T> {
  progress(): AsyncIterable<JobProgress>;
  done(options: { readonly signal: AbortSignal }): Promise<T>;
}

/** The output of a job that was enqueued, with a bar until then. */
export async function followJob<T>(session: Session, kind: JobKind, title: string, job: Followed<T>): Promise<T> {
  const { output, signal } = session;
  await noteMissingWorkers(session, kind);
  const bar = progressBar({ title, silent: output.json });
  const watching = (async () => {
    for await (const progress of job.progress()) bar.update(progress.done, progress.total, tailOf(progress));
  })();
  const done = await job.done({ signal });
  await watching;
  bar.end('done');
  return done;
}

/** Owns the word to somebody who waits for nobody: where no worker is there to take a job, the command says so and goes on waiting. */
import { Queue } from 'bullmq';
import { RedisConnection } from '../client/redis-connection.ts';
import type { JobKind } from '../registry.ts';
import type { Session } from './session.ts';

/** Notes that no worker listens to the queue of a kind. Throws SERVICE_UNAVAILABLE when Redis is away. */
export async function noteMissingWorkers({ config, output }: Session, kind: JobKind): Promise<void> {
  const connection = new RedisConnection(config.redisUrl);
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

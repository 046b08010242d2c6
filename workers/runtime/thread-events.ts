/** Owns what the stream hears of the threads: each task with the trace that asked for it, and each replacement. */
import type { PoolObserver } from '../../shared/compute/pool.ts';
import type { Telemetry } from '../../shared/telemetry/stream.ts';

export function threadEvents(telemetry: Telemetry): PoolObserver {
  return {
    trace: () => telemetry.spans?.current(),
    task({ task, scope, thread, submittedAt, startedAt, endedAt, trace, code }) {
      if (trace !== undefined)
        telemetry.spans?.past(
          {
            name: `kernel ${task}`,
            parent: trace,
            attributes: { 'thread.id': thread, 'millrace.task': task, ...(scope && { 'millrace.kind': scope }) },
          },
          startedAt,
          endedAt,
          code,
        );
      if (!telemetry.heard) return;
      const seconds = (endedAt - startedAt) / 1000;
      const queueSeconds = Math.max(0, startedAt - submittedAt) / 1000;
      telemetry.emit('task.ended', { task, kind: scope, thread, seconds, queueSeconds, ok: code === undefined, code });
    },
    replaced: (why, { tasks, heldMb }) => telemetry.emit('threads.replaced', { why, tasks, memoryMb: heldMb }),
  };
}

/** Owns the way of progress from a processor to watchers: at most ten writes a second a job, the newest one always last. */
import type { Job } from 'bullmq';
import type { OnProgress } from '../../shared/compute/task.ts';

const INTERVAL_MS = 100;

type Progress = Parameters<OnProgress>[0];

/** Progress is news, not state: a failed write is dropped, the next one is as good. */
export function progressReporter(job: Pick<Job, 'updateProgress'>, also: (progress: Progress) => void): OnProgress {
  let lastMs = 0;
  let pending: Progress | undefined;
  let timer: NodeJS.Timeout | undefined;
  const send = (progress: Progress): void => {
    lastMs = Date.now();
    job.updateProgress({ ...progress }).catch(() => {});
    also(progress);
  };
  return (progress) => {
    pending = progress;
    const waitMs = lastMs + INTERVAL_MS - Date.now();
    if (waitMs <= 0 || progress.done >= progress.total) {
      clearTimeout(timer);
      timer = undefined;
      pending = undefined;
      send(progress);
      return;
    }
    timer ??= setTimeout(() => {
      timer = undefined;
      if (pending !== undefined) send(pending);
      pending = undefined;
    }, waitMs).unref();
  };
}

/** Owns how a pipeline run looks on the command line: one bar for the run, a closing line with the seconds of each step. */
import type { StartedPipeline } from '../client/index.ts';
import { duration } from './output.ts';
import { progressBar } from './progress-bar.ts';

const NAMES_SHOWN_MAX = 4;

export interface StepTimes {
  readonly [step: string]: number;
}

/** Waits for a run with progress; rejects with what failed it. Returns milliseconds per step. */
export async function followPipeline(
  run: StartedPipeline,
  options: { readonly title: string; readonly silent: boolean; readonly signal: AbortSignal },
): Promise<StepTimes> {
  const { title, silent, signal } = options;
  const bar = progressBar({ title, silent });
  const times: Record<string, number> = {};
  const watching = (async () => {
    for await (const { steps, counts } of run.progress()) {
      const all = Object.entries(steps);
      const ended = all.filter(([, step]) => step.state === 'committed');
      for (const [name, step] of ended)
        if (typeof step.startedAt === 'number' && typeof step.endedAt === 'number')
          times[name] = step.endedAt - step.startedAt;
      const atWork = all.filter(([, step]) => step.state === 'enqueued').map(([name]) => name);
      const inner = all.reduce(
        (sum, [, { progress }]) =>
          sum + (progress == null ? 0 : Math.min(1, progress.done / Math.max(1, progress.total))),
        0,
      );
      bar.update(
        (counts?.ended ?? ended.length) + inner,
        counts?.all ?? all.length,
        atWork.slice(0, NAMES_SHOWN_MAX).join(', '),
      );
    }
  })();
  await run.done({ signal });
  await watching;
  bar.end(
    Object.entries(times)
      .map(([name, ms]) => `${name} ${duration(ms)}`)
      .join(' | '),
  );
  return times;
}

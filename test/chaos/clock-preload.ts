/** Owns the clock of a worker process of a chaos run: loaded before everything else, it shifts what `Date` says by as much as the harness asks. */
import type { HarnessMessage } from './points.ts';

const trueNow = Date.now.bind(Date);
let shiftMs = 0;

const now = (): number => trueNow() + shiftMs;
Date.now = now;
globalThis.Date = new Proxy(Date, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
  apply: (target) => new target(now()).toString(),
});

process.on('message', (message: HarnessMessage) => {
  if (message.type !== 'clock') return;
  shiftMs = message.shiftMs;
  if (shiftMs !== 0) process.send?.({ type: 'clock' });
});
// The channel alone must not keep a process up that has nothing to do.
process.channel?.unref();

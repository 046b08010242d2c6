/**
 * Owns the long run of a log: a gzipped access log of a million lines goes in as a person imports it, with two kills on the way, and is in whole and once.
 * `--full`: ten million. `--events N`, `--plain`: not gzipped.
 */
import { parseArgs } from 'node:util';
import { asUser } from '../end-to-end/as-a-user.ts';
import { importWithStops, writeLog } from '../end-to-end/log-import.ts';
import { machine } from './interleave.ts';

const EVENTS = 1_000_000;
const EVENTS_FULL = 10_000_000;
/** Shares of the log that are let through before a kill. */
const SHARES = [0.3, 0.4];

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string' },
      full: { type: 'boolean', default: false },
      plain: { type: 'boolean', default: false },
    },
  });
  const events = Number(values.events ?? (values.full ? EVENTS_FULL : EVENTS));
  if (!Number.isSafeInteger(events) || events < 60_000) throw new Error('USAGE: --events takes at least 60000');
  console.log(`log of ${events} events on ${machine()}`);
  await using user = await asUser();
  await user.worker();
  const log = await writeLog(user.folder, events, !values.plain);
  const started = performance.now();
  const { stops, last } = await importWithStops(
    user,
    log,
    SHARES.map((share) => share * events),
  );
  const seconds = (performance.now() - started) / 1000;
  const stored = await user.services.store.events.count('main');
  for (const [n, stop] of stops.entries()) {
    const truth = ((stop.stored / events) * 100).toFixed(1);
    console.log(
      `killed ${n + 1}: the bar had shown ${stop.shown * 100} %, ${truth} % were stored; began after line ${stop.goesOnAfter}`,
    );
  }
  console.log(`last: began after line ${last.goesOnAfter}, ended with ${last.code}`);
  console.log(
    `${stored} stored in ${seconds.toFixed(1)} s, ${Math.round(events / seconds)} events a second, kills included`,
  );
  const isHeld = stored === events && last.code === 0 && stops.every((stop) => stop.stored >= stop.shown * events);
  console.log(isHeld ? 'HELD: every line once, and the bar told no more than was stored' : 'BROKEN');
  if (!isHeld) process.exitCode = 1;
}

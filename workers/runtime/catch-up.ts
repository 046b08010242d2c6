/** Owns what becomes of ticks that are due: which run, and which are left out. Numbers in, decisions out. */
import { LATE_MS } from '../../jobs/schedules.ts';
import { ticksOf } from '../../shared/contract-kit/cron.ts';
import type { ScheduleRecord, TickDecision } from '../../shared/contract-kit/envelope.ts';

/** Ticks further back are not looked for: no policy wants them, and a month of every minute is read in one go. */
export const DAYS_BACK_MAX = 31;
const BACK_MS_MAX = DAYS_BACK_MAX * 24 * 3600_000;
const DUE_MAX = DAYS_BACK_MAX * 24 * 60;

/** The ticks after `cursor` up to `nowMs`, ascending. */
export function dueTicks(
  { cron, timeZone, declaredAt }: Pick<ScheduleRecord, 'cron' | 'timeZone' | 'declaredAt'>,
  cursor: number,
  nowMs: number,
): number[] {
  const from = Math.max(cursor, declaredAt, nowMs - BACK_MS_MAX);
  const due: number[] = [];
  for (let last = from; due.length < DUE_MAX; ) {
    // In growing pieces: usually one tick is due, after downtime many.
    const piece = ticksOf(cron, timeZone, last, Math.max(1, due.length)).filter((tick) => tick <= nowMs);
    due.push(...piece);
    last = piece.at(-1) ?? nowMs;
    if (piece.length === 0) break;
  }
  return due;
}

/**
 * Each due tick with what becomes of it. At their time all run; of the missed ones `skip` runs none, `all` the newest up to its
 * bound, and `latest` the newest tick of all, which may be one that is at its time.
 */
export function decide(
  due: readonly number[],
  { catchUp, catchUpMax }: Pick<ScheduleRecord, 'catchUp' | 'catchUpMax'>,
  nowMs: number,
): Omit<TickDecision, 'run'>[] {
  const missed = due.filter((tick) => tick < nowMs - LATE_MS).length;
  const wanted = { skip: 0, latest: missed === due.length ? 1 : 0, all: catchUpMax }[catchUp];
  return due.map((tick, index) => {
    if (index >= missed) return { tick, did: 'on-time' };
    return { tick, did: index >= missed - wanted ? 'caught-up' : 'skipped' };
  });
}

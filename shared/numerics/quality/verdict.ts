/** Owns what makes traces and groups a verdict: limits, and the reasons that a verdict gives. */
import { type Link, RING_ACCOUNTS_MIN, type Ring } from './co-actions.ts';
import { TRACES, type Trace } from './traces.ts';

/** Raised whenever a limit or a trace changes its meaning; kept beside every verdict. */
export const QUALITY_RULES_VERSION = 2;

/**
 * Above its limit a trace is no longer a person's. Each is about one and a half times (entropies: one and a quarter) the most that any
 * person of the tuning worlds of `npm run bench -- quality -- --tune` reached, so that people livelier than the simulated ones have room.
 * They were set on people and on the families metronome, burst, sweeper, replayer and ring alone; all others were left out.
 */
export const TRACE_LIMITS: Readonly<Record<Trace, number>> = {
  regularity: 0.18,
  order: 0.5,
  burst: Math.log1p(22),
  sweep: 0.06,
  copied: 0.05,
  repetition: 0.27,
  devotion: 0.44,
  sleepless: 0.135,
  sameness: 0.78,
  extremity: 0.55,
};

/** Upper quartile of the traces of people in the tuning worlds. */
export const TRACE_USUAL: Readonly<Record<Trace, number>> = {
  regularity: 0.03,
  order: 0.28,
  burst: 2.08,
  sweep: 0.001,
  copied: 0,
  repetition: 0.015,
  devotion: 0.072,
  sleepless: 0.003,
  sameness: 0.22,
  extremity: 0.044,
};
/** Where the third quarter of accounts begins to be linked so much, a ring has to be linked this many times as much on top. */
const USUAL_LINKS = 3;
/** Fewer accounts with a figure say nothing of what is usual. */
export const USUAL_ACCOUNTS_MIN = 40;

function upperQuartile(figures: readonly number[]): number {
  return Float64Array.from(figures).sort()[Math.floor(0.75 * figures.length)]!;
}

/**
 * The limits on a platform: those above, moved up with what three quarters of its own accounts do. Music is played again and again, and
 * people who rate films do so by the dozen a minute: what is usual is no trace. Never lower, so that bots cannot lower them for others.
 */
export function limitsFor(traces: ArrayLike<number>): Record<Trace, number> {
  const width = TRACES.length;
  const limits = { ...TRACE_LIMITS };
  for (const [t, trace] of TRACES.entries()) {
    const figures: number[] = [];
    for (let n = t; n < traces.length; n += width) if (!Number.isNaN(traces[n]!)) figures.push(traces[n]!);
    if (figures.length < USUAL_ACCOUNTS_MIN) continue;
    const moved = upperQuartile(figures) + (TRACE_LIMITS[trace] - TRACE_USUAL[trace]);
    limits[trace] = Math.max(TRACE_LIMITS[trace], moved);
  }
  return limits;
}

/** A group is coordinated when its links reach `shareMin` over at least `cellsMin` common cells, and it is as dense as `densityMin`. */
export const RING_LIMITS = { shareMin: 0.075, densityMin: 0.5, cellsMin: 5 } as const;

/** The limits of rings on a platform, moved up with how strongly its accounts are linked anyway. */
export function ringLimitsFor(links: readonly (readonly Link[])[]): { shareMin: number; densityMin: number } {
  const { densityMin, shareMin } = RING_LIMITS;
  // A ring has three accounts: each of them has two links at least.
  const second = links.map((own) => own[RING_ACCOUNTS_MIN - 2]?.share ?? 0);
  const usual = second.length < USUAL_ACCOUNTS_MIN ? 0 : upperQuartile(second);
  return { densityMin, shareMin: shareMin + USUAL_LINKS * usual };
}

export interface Reason {
  readonly trace: Trace | 'ring';
  readonly figure: number;
  readonly limit: number;
  /** Of a ring: how many accounts it has. */
  readonly accounts?: number;
}

export interface AccountVerdict {
  /** Number of the account. */
  readonly account: number;
  readonly reasons: readonly Reason[];
}

/** Accounts that are not people, ascending, each with every reason. `traces`: accounts x TRACES, row-major. */
export function judge(traces: ArrayLike<number>, rings: readonly Ring[]): AccountVerdict[] {
  const limits = limitsFor(traces);
  const reasons = new Map<number, Reason[]>();
  const note = (account: number, reason: Reason): void => {
    const known = reasons.get(account);
    if (known === undefined) reasons.set(account, [reason]);
    else known.push(reason);
  };
  for (let n = 0; n < traces.length; n++) {
    const trace = TRACES[n % TRACES.length]!;
    const figure = traces[n]!;
    // NaN, too little evidence, is above nothing.
    if (figure > limits[trace]) note(Math.floor(n / TRACES.length), { trace, figure, limit: limits[trace] });
  }
  for (const { accounts, share } of rings)
    for (const account of accounts)
      note(account, { trace: 'ring', figure: share, limit: RING_LIMITS.shareMin, accounts: accounts.length });
  return [...reasons].sort(([a], [b]) => a - b).map(([account, own]) => ({ account, reasons: own }));
}

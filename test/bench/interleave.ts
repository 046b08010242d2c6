/**
 * Owns how speed is compared: peer and ours in turn in one run, the order alternating, medians of the ratios of
 * neighbours, with CPU seconds and peak memory beside. A machine that is busy slows both sides of a pair.
 */
import { cpus, totalmem } from 'node:os';

/** One measured piece of work: how much was done, in the unit of the comparison. */
export type Work = () => Promise<{
  readonly units: number;
  /** What the work measured itself; all three where it ran in a process of its own. */
  readonly seconds?: number;
  readonly cpuSeconds?: number;
  readonly peakMb?: number;
}>;

export interface Side {
  readonly name: string;
  readonly work: Work;
}

interface Measured {
  readonly rate: number;
  readonly cpuSeconds: number;
  readonly peakMb: number;
}

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly pairs: number;
  readonly of: Measure;
  /** Median of ours/peer, and the quartiles. */
  readonly ratio: number;
  readonly quartiles: readonly [number, number];
  readonly ours: Summary;
  readonly peer: Summary;
  /** What must be reached; absent: the figure is for information. */
  readonly target?: number;
  /** A third side, the median of ours/beside, and what that must reach. */
  readonly beside?: Summary & {
    readonly ratio: number;
    readonly target?: number;
    /** Median of ours to what peer and beside would do one after the other: what ours can be held to that does the work of both. */
    readonly inTurn: number;
  };
}

/**
 * What a ratio is of: units a second (more is better), seconds a unit (less is better), or the seconds that ours adds to those of the side
 * beside it (less is better).
 */
export type Measure = 'rate' | 'time' | 'added';

interface Summary {
  readonly name: string;
  readonly rate: number;
  readonly cpuSecondsPer1000: number;
  readonly peakMb: number;
}

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

function quantile(values: readonly number[], q: number): number {
  const ordered = sorted(values);
  const at = (ordered.length - 1) * q;
  const [low, high] = [ordered[Math.floor(at)] ?? Number.NaN, ordered[Math.ceil(at)] ?? Number.NaN];
  return low + (high - low) * (at - Math.floor(at));
}

async function measure(work: Work): Promise<Measured & { readonly units: number }> {
  globalThis.gc?.();
  let peak = process.memoryUsage.rss();
  const sampler = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  const cpu = process.cpuUsage();
  const started = performance.now();
  const { units, seconds = (performance.now() - started) / 1000, cpuSeconds, peakMb } = await work();
  const used = process.cpuUsage(cpu);
  clearInterval(sampler);
  return {
    units,
    rate: units / seconds,
    cpuSeconds: cpuSeconds ?? (used.user + used.system) / 1e6,
    peakMb: peakMb ?? Math.max(peak, process.memoryUsage.rss()) / 2 ** 20,
  };
}

function summary(name: string, runs: readonly (Measured & { readonly units: number })[]): Summary {
  return {
    name,
    rate: quantile(
      runs.map(({ rate }) => rate),
      0.5,
    ),
    cpuSecondsPer1000: quantile(
      runs.map(({ cpuSeconds, units }) => (cpuSeconds / units) * 1000),
      0.5,
    ),
    peakMb: Math.max(...runs.map(({ peakMb }) => peakMb)),
  };
}

export interface InterleaveOptions {
  readonly name: string;
  readonly unit: string;
  readonly pairs?: number;
  readonly warmUp?: number;
  readonly of?: Measure;
  readonly target?: number;
  readonly ours: Side;
  readonly peer: Side;
  readonly beside?: Side & { readonly target?: number };
}

type Run = Measured & { readonly units: number };

/** Runs all sides `pairs` times after `warmUp` times that do not count; the order of the sides alternates. Gives the runs of each. */
async function inTurn(name: string, sides: readonly Side[], pairs: number, warmUp: number): Promise<Run[][]> {
  const runs: Run[][] = sides.map(() => []);
  for (let pair = -warmUp; pair < pairs; pair++) {
    const order = [...sides.keys()];
    if (pair % 2 !== 0) order.reverse();
    for (const at of order) {
      const run = await measure((sides[at] as Side).work);
      if (pair >= 0) runs[at]?.push(run);
    }
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K  ${name}: pair ${pair + 1} of ${pairs}`);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K');
  return runs;
}

/** Ratios of neighbours, by what they are of. */
function ratiosOf(of: Measure, ours: readonly Run[], peer: readonly Run[], beside: readonly Run[]): number[] {
  return ours.map(({ rate }, at) => {
    const theirs = peer[at]?.rate ?? Number.NaN;
    if (of === 'rate') return rate / theirs;
    return of === 'time' ? theirs / rate : (1 / rate - 1 / (beside[at]?.rate ?? Number.NaN)) * theirs;
  });
}

function compared(
  {
    name,
    of,
    ours,
    peer,
    target,
    unit,
  }: Pick<InterleaveOptions, 'name' | 'unit' | 'ours' | 'peer'> & { of: Measure; target: number | undefined },
  oursRuns: readonly Run[],
  peerRuns: readonly Run[],
  besideRuns: readonly Run[],
): Comparison {
  const ratios = ratiosOf(of, oursRuns, peerRuns, besideRuns);
  return {
    name,
    unit,
    pairs: oursRuns.length,
    of,
    ratio: quantile(ratios, 0.5),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    ours: summary(ours.name, oursRuns),
    peer: summary(peer.name, peerRuns),
    ...(target === undefined ? {} : { target }),
  };
}

/** Several of ours, each with the title of its comparison, beside the same runs of one peer: a long peer runs but once for all. */
export async function interleaveSeveral({
  of,
  ours,
  pairs,
  peer,
  unit,
}: {
  readonly unit: string;
  readonly pairs: number;
  readonly of: Exclude<Measure, 'added'>;
  readonly ours: readonly (Side & { readonly title: string; readonly target?: number | undefined })[];
  readonly peer: Side;
}): Promise<Comparison[]> {
  const [peerRuns = [], ...runs] = await inTurn(peer.name, [peer, ...ours], pairs, 0);
  return ours.map((side, n) =>
    compared({ name: side.title, unit, of, target: side.target, ours: side, peer }, runs[n]!, peerRuns, []),
  );
}

/** Runs `pairs` pairs (with a side beside them: threes) after `warmUp` ones that do not count. */
export async function interleave({
  name,
  unit,
  pairs = 11,
  warmUp = 2,
  of = 'rate',
  target,
  ours,
  peer,
  beside,
}: InterleaveOptions): Promise<Comparison> {
  const sides = beside === undefined ? [ours, peer] : [ours, peer, beside];
  const [oursRuns = [], peerRuns = [], besideRuns = []] = await inTurn(name, sides, pairs, warmUp);
  return {
    ...compared({ name, unit, of, target, ours, peer }, oursRuns, peerRuns, besideRuns),
    ...(beside === undefined
      ? {}
      : {
          beside: {
            ...summary(beside.name, besideRuns),
            ratio: quantile(ratiosOf('rate', oursRuns, besideRuns, []), 0.5),
            inTurn: quantile(
              ratiosOf('rate', oursRuns, peerRuns, []).map(
                (toPeer, at) => toPeer + (oursRuns[at] as Run).rate / (besideRuns[at] as Run).rate,
              ),
              0.5,
            ),
            ...(beside.target === undefined ? {} : { target: beside.target }),
          },
        }),
  };
}

const round = (value: number, digits = 0): string =>
  value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });

function line({ name, rate, cpuSecondsPer1000, peakMb }: Summary, unit: string, of: Measure): string {
  const speed =
    of !== 'time'
      ? `${round(rate).padStart(9)} ${unit}/s   ${round(cpuSecondsPer1000, 3)} CPU s per 1,000`
      : `${round(1 / rate, 3).padStart(9)} s per ${unit}   ${round(cpuSecondsPer1000 / 1000, 3)} CPU s`;
  return `    ${name.padEnd(36)} ${speed}   peak ${round(peakMb)} MB`;
}

/** Prints a comparison for people; the whole run's JSON comes last. */
export function report(comparison: Comparison): void {
  const { name, unit, pairs, of, ratio, quartiles, target, ours, peer, beside } = comparison;
  console.log(
    `\n  ${name}: ${WORDS[of]} ratio ${round(ratio, 3)} (quartiles ${quartiles.map((q) => round(q, 3)).join(' to ')}, ${pairs} pairs)${verdict(target, of === 'rate', ratio)}`,
  );
  console.log(line(ours, unit, of));
  console.log(line(peer, unit, of));
  if (beside !== undefined)
    console.log(
      `${line(beside, unit, of)}   ratio to it ${round(beside.ratio, 3)}${verdict(beside.target, true, beside.ratio)}`,
    );
}

function verdict(target: number | undefined, isMoreBetter: boolean, ratio: number): string {
  if (target === undefined) return '';
  return `   target ${target}: ${(isMoreBetter ? ratio >= target : ratio <= target) ? 'reached' : 'MISSED'}`;
}

const WORDS: Readonly<Record<Measure, string>> = { rate: 'rate', time: 'time', added: 'time added,' };

export function machine(): string {
  return `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}

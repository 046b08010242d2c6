/** Owns how a chaos run is told: its figures, its violations, and the last line. */
import type { Violation, ViolationSort } from './check.ts';
import { FAULTS, type FaultName } from './faults.ts';
import type { ChaosReport } from './run.ts';

const VIOLATIONS_SHOWN = 20;

export function countOf({ violations }: ChaosReport, sort: ViolationSort): number {
  return violations.filter((violation) => violation.sort === sort).length;
}

export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

export const inSeconds = (ms: number | undefined): string => (ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`);

export function faultsOf({ dealt, fleet, strikes }: ChaosReport): string {
  const freezes = fleet.freezes + strikes.filter(({ blow }) => blow === 'freeze').length;
  const own: Readonly<Partial<Record<FaultName, number>>> = {
    kill: fleet.kills,
    freeze: freezes,
    'clock-step': fleet.clockSteps,
  };
  const counts = FAULTS.map((name) => [own[name] ?? dealt[name], name] as const);
  return counts.flatMap(([n, name]) => (n === 0 ? [] : [`${n} ${name}`])).join(', ') || 'none';
}

/** Places at which jobs were struck, how often each. */
export function placesOf({ strikes }: ChaosReport): string {
  const places = Map.groupBy(strikes, ({ at, blow }) => `${blow} ${at}`);
  return [...places].map(([place, { length }]) => `${length} ${place}`).join(', ') || 'none';
}

/** Faults that were not dealt, with the reason if there was one other than that nobody asked for them. */
export function skippedOf(report: ChaosReport): string {
  const told = faultsOf(report);
  const missing = FAULTS.filter((name) => !told.includes(` ${name}`));
  const words = missing.map((name) => {
    const reason = report.skipped.get(name);
    return reason === undefined ? name : `${name} (${reason})`;
  });
  return words.join(', ') || 'none';
}

/** Jobs that Redis forgot: acknowledged shortly before a failover, or before it was emptied. */
export function forgottenOf({ forgotten, failovers, dealt }: ChaosReport): string {
  return `${forgotten} direct adds, in ${failovers} failovers and ${dealt['redis-emptied']} emptied Redis servers`;
}

const WORST_FIRST: readonly ViolationSort[] = ['doubled', 'lost', 'stuck'];
const worstFirst = (a: Violation, b: Violation): number => WORST_FIRST.indexOf(a.sort) - WORST_FIRST.indexOf(b.sort);

/** What happened, line by line. */
export function tellRun(report: ChaosReport): string[] {
  const { recoveriesMs, states, violations, settledMs, fleet } = report;
  const ended = Object.entries(states).map(([state, n]) => `${n} ${state}`);
  return [
    `  faults     ${faultsOf(report)}`,
    `  struck     at places of a run: ${placesOf(report)}${report.missed.length === 0 ? '' : `; ${report.missed.length} not met`}`,
    `  not dealt  ${skippedOf(report)}`,
    `  ended      ${ended.join(', ')}; quiet ${inSeconds(settledMs)} after the last fault`,
    `  forgotten  by Redis: ${forgottenOf(report)}`,
    `  re-run     after SIGKILL: ${recoveriesMs.length} jobs, median ${inSeconds(percentile(recoveriesMs, 0.5))}, longest ${inSeconds(percentile(recoveriesMs, 1))}`,
    ...(fleet.crashes === 0 ? [] : [`  crashes    ${fleet.crashes} worker processes ended by themselves`]),
    ...violations
      .toSorted(worstFirst)
      .slice(0, VIOLATIONS_SHOWN)
      .map(({ sort, what }) => `  ${sort.padEnd(9)}  ${what}`),
    ...(violations.length > VIOLATIONS_SHOWN ? [`  and ${violations.length - VIOLATIONS_SHOWN} more`] : []),
  ];
}

/** The last line. */
export function verdictOf(seed: number, report: ChaosReport): string {
  const [lost, doubled, stuck] = (['lost', 'doubled', 'stuck'] as const).map((sort) => countOf(report, sort));
  const word = report.violations.length === 0 ? 'PASS' : 'FAIL';
  return `${word} seed ${seed}: ${report.fleet.kills} kills, ${report.jobs} jobs, ${lost} lost, ${doubled} doubled, ${stuck} stuck`;
}

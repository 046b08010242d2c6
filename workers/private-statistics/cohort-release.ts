/**
 * Owns figures without noise: told of groups of enough people, and remembered with who was in them, so that a later figure about almost the same people is
 * refused. What is remembered is a version of its own: blocks under keys like everything about people, gone with an erasure.
 */
import { AppError } from '../../shared/errors.ts';
import type { DatasetVersion } from '../../shared/store/ports.ts';
import { arrayOf } from '../reading/dataset.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { Told } from './asked.ts';
import { type Cohorts, onlyGroups, peopleOf, suppressedOf } from './cohorts.ts';
import type { OverlapRequest } from './overlaps.task.ts';
import type { Tallied } from './processor.ts';

const TASKS = new URL('./overlaps.task.ts', import.meta.url).href;
/** Earlier figures that are looked at, the newest. */
const COMPARED_MAX = 100;
/** Runs whose figures were told, or may be yet. */
const COUNTS: ReadonlySet<string> = new Set(['running', 'committed']);

export async function tellCohorts(tallied: Tallied, context: RunContext): Promise<Told> {
  const { input, names, tally } = tallied;
  const { statistic, cohortMin, by, release, contribution } = input;
  const all: Cohorts = { members: tally.members, start: tally.memberStart };
  const hidden = new Set(suppressedOf(all, cohortMin));
  const shown = names.map((_, group) => group).filter((group) => !hidden.has(group));
  if (shown.length === 0) throw new AppError('COHORT_TOO_SMALL', { details: { cohortMin } });
  const told = onlyGroups(all, shown);
  // Written before the others are looked at: of two at once at least one sees the other.
  const { version } = await remember(tallied, told, context);
  const earlier = await findOverlap(told, { statistic, least: cohortMin, version }, context);
  if (earlier !== undefined) throw new AppError('COHORT_OVERLAPS', { details: { release: earlier } });
  const unit = statistic === 'sum' ? contribution.grid : 1;
  const figures = { events: tally.events, sum: tally.steps, people: tally.people }[statistic];
  return {
    release,
    statistic,
    by,
    groups: shown.map((group) => ({
      group: names[group]!,
      value: figures[group]! * unit,
      low: null,
      high: null,
      people: tally.people[group]!,
    })),
    suppressed: names.filter((_, group) => hidden.has(group)),
    protection: 'cohort',
    spent: null,
    noise: null,
    cohortMin,
    consentEpoch: context.consentEpoch,
    at: context.clock.now(),
    version,
  };
}

async function remember({ input, asOf }: Tallied, cohorts: Cohorts, context: RunContext): Promise<DatasetVersion> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion } = context;
  const { dataset, segments, statistic, release } = input;
  const groups = cohorts.start.length - 1;
  const draft = await store.versions.draft(tenant, runKey, fence, groups, [
    { name: 'members', data: cohorts.members },
    { name: 'start', data: cohorts.start },
  ]);
  const people = Array.from({ length: groups }, (_, group) => peopleOf(cohorts, group));
  return store.versions.write({
    ...draft,
    tenant,
    kind: 'statistics',
    runKey,
    fence,
    asOf,
    consentEpoch,
    inputs: [dataset, ...(segments === undefined ? [] : [segments])],
    codeVersion,
    meta: { statistic, release, people },
  });
}

/** Name of the release that is about almost the same people; undefined: none is. */
async function findOverlap(
  now: Cohorts,
  { statistic, least, version }: { readonly statistic: string; readonly least: number; readonly version: string },
  { store, tenant, pool, signal, runKey }: RunContext,
): Promise<string | undefined> {
  const before: OverlapRequest['before'][number][] = [];
  const releases: string[] = [];
  for (const found of await store.versions.latest(tenant, 'statistics', COMPARED_MAX)) {
    if (found.version === version || found.runKey === runKey || found.meta['statistic'] !== statistic) continue;
    const run = await store.ledger.read(found.runKey);
    if (run !== undefined && !COUNTS.has(run.state)) continue;
    releases.push(String(found.meta['release']));
    if (found.state === 'erased') before.push({ people: found.meta['people'] as number[] });
    else {
      const arrays = await store.versions.arrays(tenant, found);
      before.push({
        cohorts: { members: arrayOf(arrays, 'members', Uint8Array), start: arrayOf(arrays, 'start', Int32Array) },
      });
    }
  }
  if (before.length === 0) return undefined;
  const payload: OverlapRequest = { now, before, least };
  const [place] = await pool.runPhase<number>([{ module: TASKS, name: 'findOverlap', payload }], signal);
  return releases[place!];
}

/**
 * Owns the audit of recommendations: how they treat groups of people and groups of items, with cell counts and bootstrap intervals.
 * Pure and synchronous; run it in a thread through audit.task.ts. Complexity: people * replicates * (attributes + 1) * columns.
 */
import type { AttributeAudit, AuditReport, Estimate } from '../../contract-kit/audit-report.ts';
import { type AuditInput, COLUMNS, exposureColumns, personColumns, rowOf } from './audit-columns.ts';
import {
  ACROSS_FIGURES,
  AGAINST_FIGURES,
  type CellSums,
  cellSums,
  denominatorOf,
  INEQUALITY_FIGURES,
  itemGroupFigures,
  type NamedCell,
  PEOPLE_FIGURES,
  servedCell,
} from './audit-figures.ts';
import { type PeopleColumns, percentileInterval, resample, sumCells } from './bootstrap.ts';
import { MINIMUM_CELL, notEstimable, valueOf } from './estimate.ts';
import { equityOfAttention, itemExposure } from './exposure.ts';
import { fourFifthsScreen } from './four-fifths.ts';
import { gini } from './inequality.ts';
import { coverage } from './popularity-bias.ts';

export type { AuditInput } from './audit-columns.ts';

/** The audit as one task of a compute pool: `pool.runPhase([{ module: AUDIT_TASK, name: 'audit', payload: input }], signal)`. */
export const AUDIT_TASK: string = new URL('./audit.task.ts', import.meta.url).href;

const LEVEL = 0.95;
/** Bounds on work: replicates shrink to fit, and the report says how many there were. */
const DRAWS_MAX = 2e8;
const SUMS_MAX = 2e7;

/** Point sums and the sums of every replicate, over the same cells. */
interface Resampled<Sums> {
  readonly point: Sums;
  readonly replicates: readonly Sums[];
  readonly level: number;
}

type People = Resampled<readonly CellSums[]>;

/**
 * Audits lists against profiles and a holdout.
 *
 * People are compared by being served (at least one relevant item in the list; people without relevant items are not judged)
 * and by (person, unseen item) pairs (recommended against relevant). Groups below the minimum cell are counted and not judged;
 * intervals are percentile bootstraps over people. Coverage, Gini and equity of attention carry none: resampling people can
 * only lose items, so its percentiles lie to one side of the figure.
 */
export function auditRecommendations(input: AuditInput): AuditReport {
  const { minimumCell = MINIMUM_CELL, level = LEVEL, seed } = input;
  const people = input.profiles.rows;
  const cells = cellsOf(input);
  const columns: PeopleColumns = {
    people,
    columns: COLUMNS.length,
    data: personColumns(input),
    cells: cells.names.length,
    memberships: cells.attributes.length + 1,
    cellOf: cells.cellOf,
  };
  const exposure = exposureColumns(input);
  const replicates = replicatesFor(input, columns.cells * columns.columns + exposure.width);
  const everybody = { people, columns: exposure.width, data: exposure.data, cells: 1, memberships: 1 };
  const seenColumns = { ...everybody, cellOf: new Int32Array(people) };
  const resampled = resample([columns, seenColumns], { replicates, seed, keys: input.userKeys });
  const sums = byCell(withReplicates(columns, resampled[0]!, level));
  const seen = withReplicates(seenColumns, resampled[1]!, level);
  return {
    format: 1,
    people,
    items: input.itemPopularity.length,
    k: input.k,
    minimumCell,
    bootstrap: { replicates, level, seed },
    overall: overall(input, sums, minimumCell),
    attributes: cells.attributes.map((attribute) => auditAttribute(attribute, cells, sums, minimumCell)),
    itemGroups: auditItemGroups(input, seen, minimumCell),
  };
}

function replicatesFor({ bootstrap, profiles }: AuditInput, width: number): number {
  const most = Math.min(DRAWS_MAX / Math.max(1, profiles.rows), SUMS_MAX / width);
  return Math.min(bootstrap, Math.max(100, Math.floor(most)));
}

function withReplicates(columns: PeopleColumns, all: Float64Array, level: number): Resampled<Float64Array> {
  const point = sumCells(columns);
  const replicates = Array.from({ length: all.length / Math.max(1, point.length) }, (_, n) =>
    all.subarray(n * point.length, (n + 1) * point.length),
  );
  return { point, replicates, level };
}

function byCell({ point, replicates, level }: Resampled<Float64Array>): People {
  return { point: cellSums(point), replicates: replicates.map(cellSums), level };
}

/** The point estimate with its interval. */
function withInterval<Sums>({ point, replicates, level }: Resampled<Sums>, figure: (sums: Sums) => Estimate): Estimate {
  const estimate = figure(point);
  if (!estimate.estimable || replicates.length === 0) return estimate;
  const interval = percentileInterval(
    replicates.map((sums) => valueOf(figure(sums))),
    level,
  );
  return { ...estimate, interval };
}

interface Cells {
  readonly attributes: readonly string[];
  /** Cell 0 is everybody; then the groups of each attribute, by name. */
  readonly names: readonly { readonly attribute: string; readonly group: string }[];
  readonly cellOf: Int32Array;
}

function cellsOf({ groups, profiles }: AuditInput): Cells {
  const attributes = Object.keys(groups).sort();
  const names = [{ attribute: '', group: '' }];
  const memberships = attributes.length + 1;
  const cellOf = new Int32Array(profiles.rows * memberships).fill(-1);
  for (let user = 0; user < profiles.rows; user++) cellOf[user * memberships] = 0;
  attributes.forEach((attribute, at) => {
    const labels = groups[attribute]!;
    const known = [...new Set(labels.filter((label) => label !== null))].sort();
    const first = names.length;
    names.push(...known.map((group) => ({ attribute, group })));
    const cellByLabel = new Map(known.map((group, n) => [group, first + n]));
    labels.forEach((label, user) => {
      if (label !== null) cellOf[user * memberships + at + 1] = cellByLabel.get(label)!;
    });
  });
  return { attributes, names, cellOf };
}

function auditAttribute(attribute: string, cells: Cells, sums: People, minimumCell: number): AttributeAudit {
  const own = cells.names.flatMap((name, cell) => (name.attribute === attribute ? [{ group: name.group, cell }] : []));
  const judgedIn = ({ cell }: CellName) => sums.point[cell]!.judged;
  const judged = own.filter((name) => judgedIn(name) >= minimumCell);
  const reference = judged.toSorted((a, b) => judgedIn(b) - judgedIn(a))[0];
  const metrics = Object.entries(ACROSS_FIGURES).map(([name, figure]) => {
    // Each figure asks for the minimum in its own denominator: lists have a popularity where nobody can be judged yet.
    const column = denominatorOf(name);
    const takingPart = own.filter(({ cell }) => sums.point[cell]![column] >= minimumCell);
    const named = (from: readonly CellSums[]): NamedCell[] =>
      takingPart.map(({ group, cell }) => ({ group, sums: from[cell]! }));
    return [name, withInterval(sums, (from) => figure(named(from)))] as const;
  });
  const labelled = own.reduce((sum, { cell }) => sum + sums.point[cell]!.people, 0);
  return {
    attribute,
    reference: reference?.group ?? null,
    unlabelled: sums.point[0]!.people - labelled,
    groups: own.map(({ group, cell }) => ({
      group,
      people: sums.point[cell]!.people,
      largeEnough: sums.point[cell]!.people >= minimumCell,
      metrics: groupMetrics({ group, cell }, reference, sums, minimumCell),
    })),
    metrics: Object.fromEntries(metrics),
    fourFifths: fourFifthsScreen(
      own.map(({ group, cell }) => servedCell(group, sums.point[cell]!)),
      { minimumCell },
    ),
  };
}

interface CellName {
  readonly group: string;
  readonly cell: number;
}

function groupMetrics(
  own: CellName,
  reference: CellName | undefined,
  sums: People,
  minimumCell: number,
): Record<string, Estimate> {
  const metrics: Record<string, Estimate> = peopleMetrics(own.cell, sums, minimumCell);
  if (reference === undefined || reference.cell === own.cell) return metrics;
  const at = (from: readonly CellSums[], { group, cell }: CellName): NamedCell => ({ group, sums: from[cell]! });
  for (const [name, figure] of Object.entries(AGAINST_FIGURES)) {
    const { judged } = sums.point[own.cell]!;
    metrics[name] =
      judged < minimumCell
        ? tooSmall(minimumCell, { judged })
        : withInterval(sums, (from) => figure(at(from, own), at(from, reference)));
  }
  return metrics;
}

/** Figures of one cell of people; each needs the minimum cell in its own denominator. */
function peopleMetrics(cell: number, sums: People, minimumCell: number): Record<string, Estimate> {
  const metrics = Object.entries(PEOPLE_FIGURES).map(([name, figure]) => {
    const estimate = withInterval(sums, (from) => figure(from[cell]!));
    return [name, enough(estimate, minimumCell)] as const;
  });
  return Object.fromEntries(metrics);
}

/** A figure over fewer people (or items) than the minimum is withheld, its count is not. */
function enough(estimate: Estimate, minimumCell: number): Estimate {
  return Math.min(...Object.values(estimate.n)) < minimumCell ? tooSmall(minimumCell, estimate.n) : estimate;
}

function tooSmall(minimumCell: number, n: Readonly<Record<string, number>>): Estimate {
  return notEstimable(`fewer than ${minimumCell}`, n);
}

function overall(input: AuditInput, sums: People, minimumCell: number): Record<string, Estimate> {
  const { lists, k, relevant, itemPopularity } = input;
  const items = itemPopularity.length;
  const attention = itemExposure(lists, k, items);
  const wanted = new Float64Array(items);
  for (let user = 0; user < relevant.rows; user++) for (const item of rowOf(relevant, user)) wanted[item]!++;
  const inequality = Object.entries(INEQUALITY_FIGURES).map(
    ([name, figure]) =>
      [
        name,
        enough(
          withInterval(sums, (from) => figure(from[0]!)),
          minimumCell,
        ),
      ] as const,
  );
  return {
    ...peopleMetrics(0, sums, minimumCell),
    ...Object.fromEntries(inequality),
    coverage: coverage({ items: lists, k }, items),
    gini: gini(attention),
    equityOfAttention: equityOfAttention(attention, wanted),
  };
}

function auditItemGroups(
  input: AuditInput,
  seen: Resampled<Float64Array>,
  minimumCell: number,
): AuditReport['itemGroups'] {
  const items = input.itemPopularity.length;
  return Object.entries(input.itemGroups).map(([group, members], at) => {
    const figures = (sums: Float64Array) => itemGroupFigures(sums, at, members.length, items);
    const names = ['exposureShare', 'exposureParityDifference', 'treatmentRatio'] as const;
    const metrics = names.map((name) => {
      const estimate = withInterval(seen, (sums) => figures(sums)[name]);
      return [name, enough(estimate, minimumCell)] as const;
    });
    return { group, items: members.length, metrics: Object.fromEntries(metrics) };
  });
}

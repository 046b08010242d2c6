/** Owns what `millrace evaluate` prints: tables for people, and one JSON object, alone with `--json`, else as the last line. */
import type { Dataset } from '../../shared/numerics/evaluation/dataset.ts';
import type { Difference } from '../../shared/numerics/evaluation/compare.ts';
import type { Evaluation, Measured, Trial } from '../../shared/numerics/evaluation/evaluate-model.ts';
import type { EvaluateTask } from './evaluate-task.ts';
import { table } from './output.ts';

export interface Evaluated {
  readonly measured: Measured;
  /** One, or those of a cross-validation. */
  readonly folds: readonly Measured[];
  readonly trials?: readonly Trial[] | undefined;
}

export interface Compared extends Evaluated {
  /** The first model minus this one. */
  readonly differences: readonly Difference[];
}

const TRIALS_SHOWN_MAX = 10;
const FIGURES = ['recall', 'ndcg', 'map', 'mrr', 'precision', 'hitRate', 'coverage'] as const;

export function printResult(
  first: Evaluated,
  against: Compared | undefined,
  tasks: readonly EvaluateTask[],
  json: boolean,
): void {
  const { dataset, final } = tasks[0]!;
  const { explanations } = first.measured.evaluation;
  const facts = {
    ...factsOf(first),
    items: dataset.itemIds.length,
    interactions: final.train.interactions.indices.length,
    ...(explanations === undefined ? {} : { explanations: named(explanations, dataset) }),
    newUsers: final.newcomers?.test.users.length ?? 0,
    ...(against === undefined ? {} : { against: { ...factsOf(against), differences: against.differences } }),
  };
  if (!json) {
    const { evaluation } = first.measured;
    console.log(
      `${evaluation.model} on ${facts.interactions} interactions of ${facts.items} items, ${evaluation.users} users to test`,
    );
    for (const line of [...figureLines(evaluation, against), ...breakdownLines(evaluation)]) console.log(line);
    for (const line of [...sourceLines(evaluation), ...explanationLines(evaluation, dataset)]) console.log(line);
    if (first.folds.length > 1) console.log(foldLine(first.folds));
    for (const one of against === undefined ? [first] : [first, against])
      console.log(ranLines(one.measured.evaluation));
  }
  console.log(JSON.stringify(facts));
}

/** By the ids of the files. */
function named(explanations: NonNullable<Evaluation['explanations']>, { itemIds, userIds }: Dataset) {
  return explanations.map(({ branches, items, user }) => ({
    user: userIds[user],
    branches,
    items: items.map(({ item, ...rest }) => ({ item: itemIds[item], ...rest })),
  }));
}

function factsOf({ folds, measured, trials }: Evaluated) {
  const shown = trials?.slice(0, TRIALS_SHOWN_MAX).map(({ params, ndcg, recall }) => ({ params, ndcg, recall }));
  return {
    ...measured.evaluation,
    ...(folds.length === 1
      ? {}
      : { folds: folds.map(({ evaluation: { ndcg, recall, users } }) => ({ users, ndcg, recall })) }),
    ...(shown === undefined ? {} : { trials: shown }),
  };
}

const range = (interval: readonly [number, number] | undefined, sign = false): string =>
  interval === undefined ? '' : interval.map((end) => `${sign && end > 0 ? '+' : ''}${end.toFixed(4)}`).join(' .. ');

/** A row a figure: ours with its interval, and where there is a second model, its figure and the paired difference. */
function figureLines(evaluation: Evaluation, against: Compared | undefined): string[] {
  const intervals: Partial<Record<string, readonly [number, number]>> = evaluation.intervals;
  const other = against?.measured.evaluation;
  const rows = FIGURES.map((name) => {
    const own = [`  ${name}@${evaluation.k}`, evaluation[name].toFixed(4), range(intervals[name])];
    return other === undefined ? own : own.concat(pairedCells(name, evaluation, other, against!.differences));
  });
  const names = ['', evaluation.model, '95 % interval'];
  const head = other === undefined ? [] : [[...names, other.model, 'difference', 'paired 95 % interval', '']];
  return table([...head, ...rows]).map((line) => line.trimEnd());
}

function pairedCells(
  name: (typeof FIGURES)[number],
  own: Evaluation,
  other: Evaluation,
  differences: readonly Difference[],
): string[] {
  const paired = differences.find(({ metric }) => metric === name);
  const difference = own[name] - other[name];
  const verdict = paired === undefined ? '' : VERDICTS.find(({ holds }) => holds(paired.interval))!.words;
  return [
    other[name].toFixed(4),
    `${difference > 0 ? '+' : ''}${difference.toFixed(4)}`,
    range(paired?.interval, true),
    verdict,
  ];
}

const VERDICTS = [
  { holds: ([low]: readonly [number, number]) => low > 0, words: 'better' },
  { holds: ([, high]: readonly [number, number]) => high < 0, words: 'worse' },
  { holds: () => true, words: 'no difference shown' },
];

function breakdownLines({ breakdown, k }: Evaluation): string[] {
  const known = (value: number | null, digits: number) => (value === null ? 'not estimable' : value.toFixed(digits));
  const { byPopularity, gini, groups, novelty, popularity, tailShare } = breakdown;
  const shown = `  shown: novelty ${known(novelty, 2)} bits, ${known(popularity, 1)} people an item, share outside the head ${known(tailShare, 4)}, Gini ${known(gini, 4)}`;
  const items = byPopularity
    .filter(({ wanted }) => wanted > 0)
    .map((row) => ['  to find', row.name, `${row.wanted}`, `recall@${k} ${known(row.recall, 4)}`]);
  const people = groups.map((row) => [
    '  people',
    row.name,
    `${row.users}`,
    `recall@${k} ${row.recall.toFixed(4)}  ndcg@${k} ${row.ndcg.toFixed(4)}`,
  ]);
  return [shown, ...table([...items, ...people])];
}

const signed = (value: number): string => `${value > 0 ? '+' : ''}${value.toFixed(4)}`;

/** Is a source a net gain, and for whom? */
function sourceLines({ k, sources = [] }: Evaluation): string[] {
  return sources.flatMap(({ gain, gate, groups, name, permutation, weight }) => [
    `  source ${name}: ndcg@${k} ${signed(gain.difference)} (${range(gain.interval, true)}), mean weight ${weight.toFixed(3)}, gate ${gate}, rows permuted ${signed(-permutation)}`,
    ...table(
      groups.map((row) => [
        '    people',
        row.name,
        `${row.users}`,
        signed(row.difference),
        row.weight === undefined ? '' : `mean weight ${row.weight.toFixed(3)}`,
        `rows permuted ${signed(-row.permutation)}`,
      ]),
    ),
  ]);
}

/** Why somebody is shown what they are shown: of each item its score, the part of each branch, and what the score loses without it. */
function explanationLines({ explanations = [] }: Evaluation, { itemIds, userIds }: Dataset): string[] {
  return explanations.flatMap(({ branches, items, user }) => [
    `  for ${userIds[user]}:`,
    ...table(
      branches.map(({ by, listChanged, name, weight }) => [
        `    ${name}`,
        `weight ${weight.toFixed(3)}`,
        `${(100 * listChanged).toFixed(0)} % of the list goes by ${by}`,
      ]),
    ),
    ...table([
      ['    item', 'score', ...branches.flatMap(({ name }) => [name, 'without'])],
      ...items.map(({ branches: parts, item, score }) => [
        `    ${itemIds[item]}`,
        score.toFixed(3),
        ...parts.flatMap(({ importance, part }) => [part.toFixed(3), signed(-importance)]),
      ]),
    ]),
  ]);
}

function foldLine(folds: readonly Measured[]): string {
  const values = folds.map(({ evaluation }) => evaluation.ndcg.toFixed(4));
  return `  ndcg of the ${folds.length} folds: ${values.join(' ')}`;
}

function ranLines({ engine, model, params, scoreSeconds, threads, trainSeconds }: Evaluation): string {
  const times = `trained in ${trainSeconds.toFixed(2)} s, ranked in ${scoreSeconds.toFixed(2)} s`;
  return `  ${times} (${threads} threads, ${engine})\n  --model ${model} --params '${JSON.stringify(params)}'`;
}

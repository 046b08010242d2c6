/**
 * Sentiment against what people said: accuracy and correlation on files of `id <tab> mean rating -4..4 <tab> text`, texts that people call neither (below
 * .5 in size) left out. The data (of the PyPI package vaderSentiment, MIT) is not in the project.
 *
 * Usage: node test/reference/sentiment.ts tweets_GroundTruth.txt movieReviewSnippets_GroundTruth.txt ...
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { sentimentOf } from '../../shared/numerics/text/sentiment.ts';

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  const product = (x: readonly number[], y: readonly number[], mx: number, my: number): number =>
    mean(x.map((value, n) => (value - mx) * (y[n]! - my)));
  return product(a, b, meanA, meanB) / Math.sqrt(product(a, a, meanA, meanA) * product(b, b, meanB, meanB));
}

for (const path of process.argv.slice(2)) {
  const rows = readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.split('\t'))
    .filter((cells) => cells.length >= 3)
    .map(([, rating, ...text]) => ({ rating: Number(rating), ...sentimentOf(text.join(' ')) }));
  const told = rows.filter(({ rating }) => Math.abs(rating) >= 0.5);
  const read = told.filter(({ isRead }) => isRead);
  const right = read.filter(({ rating, value }) => Math.sign(value) === Math.sign(rating)).length;
  const neutral = read.filter(({ value }) => value === 0).length;
  const all = rows.filter(({ isRead }) => isRead);
  const r = correlation(
    all.map(({ rating }) => rating),
    all.map(({ value }) => value),
  );
  const percent = (part: number, of: number): string => `${((100 * part) / of).toFixed(1)} %`;
  process.stdout.write(
    `${basename(path)}: ${told.length} texts, ${percent(read.length, told.length)} read; of these ${percent(right, read.length)} right, ${percent(neutral, read.length)} called neither; r ${r.toFixed(2)}\n`,
  );
}

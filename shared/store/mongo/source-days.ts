/** Owns adding up what was counted of batches, by source and day. */
import type { SourceDay } from '../../numerics/quality/source-report.ts';
import type { BatchQuality } from '../ports.ts';

const add = (a: readonly number[], b: readonly number[]): number[] =>
  Array.from({ length: Math.max(a.length, b.length) }, (_, n) => (a[n] ?? 0) + (b[n] ?? 0));

function addCounts(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const sums: Record<string, number> = { ...a };
  for (const [name, many] of Object.entries(b)) sums[name] = (sums[name] ?? 0) + many;
  return sums;
}

/** Batches go in, days come out: one a source and day in memory. */
export class SourceDays {
  readonly #days = new Map<string, SourceDay>();

  add(source: string, receivedAt: number, quality: BatchQuality): void {
    const day = new Date(receivedAt).toISOString().slice(0, 10);
    const name = `${source} ${day}`;
    const known = this.#days.get(name);
    const { received, passed, duplicates, late, filled, refused, types, values } = quality;
    this.#days.set(
      name,
      known === undefined
        ? { source, day, batches: 1, received, passed, duplicates, late, filled, refused, types, values }
        : {
            source,
            day,
            batches: known.batches + 1,
            received: known.received + received,
            passed: known.passed + passed,
            duplicates: known.duplicates + duplicates,
            late: known.late + late,
            filled: addCounts(known.filled, filled) as unknown as SourceDay['filled'],
            refused: addCounts(known.refused, refused),
            types: add(known.types, types),
            values: add(known.values, values),
          },
    );
  }

  all(): SourceDay[] {
    return [...this.#days.values()].sort((a, b) => a.source.localeCompare(b.source) || a.day.localeCompare(b.day));
  }
}

/**
 * Owns how an audit's report is read for showing. The report is the content of an audit version; this reader takes what
 * it knows of it and falls back on the headline findings, which every audit has by contract.
 */
import { z } from 'zod';

export interface AuditFigure {
  readonly group: string | undefined;
  readonly n: number | undefined;
  /** Null: not estimable, for the reason given where there is one. */
  readonly value: number | null;
  readonly reason: string | undefined;
  readonly low: number | undefined;
  readonly high: number | undefined;
  readonly flagged: boolean;
  /** Range that the figures of one metric span, for drawing. */
  readonly unit: { readonly min: number; readonly max: number } | undefined;
}

export interface AuditSection {
  readonly metric: string;
  readonly attribute: string | undefined;
  /** Judged on what the model was not shown, not on the published lists. */
  readonly onHoldout: boolean;
  /** The headline in words. */
  readonly says: string | undefined;
  readonly figures: readonly AuditFigure[];
}

const numberOrNull = z.number().nullable();
const intervalSchema = z.union([
  z.tuple([numberOrNull, numberOrNull]),
  z.object({ low: numberOrNull, high: numberOrNull }).transform(({ low, high }) => [low, high] as const),
]);
const cellSchema = z.object({
  group: z.string(),
  n: z.number(),
  value: numberOrNull,
  interval: intervalSchema.nullable().optional(),
});
const entrySchema = z.object({
  metric: z.string(),
  attribute: z.string().nullable().optional(),
  value: numberOrNull.optional(),
  reason: z.string().optional(),
  basis: z.string().optional(),
  n: z.number().optional(),
  interval: intervalSchema.nullable().optional(),
  flagged: z.boolean().optional(),
  says: z.string().optional(),
  groups: z.array(cellSchema).optional(),
});
const reportSchema = z.union([
  z.array(entrySchema),
  z.object({ metrics: z.array(entrySchema) }).transform((report) => report.metrics),
]);

type Entry = z.output<typeof entrySchema>;
export interface Finding {
  readonly metric: string;
  readonly attribute: string | null;
  readonly value: number | null;
  readonly flagged: boolean;
}

function figuresOf(entry: Entry, flagged: boolean): AuditFigure[] {
  const bounds = (interval: readonly [number | null, number | null] | null | undefined) => ({
    low: interval?.[0] ?? undefined,
    high: interval?.[1] ?? undefined,
  });
  const cells = (entry.groups ?? []).map(({ group, n, value, interval }) => {
    const { low, high } = bounds(interval);
    return { group, n, value, low, high, reason: undefined };
  });
  const ends = cells.flatMap(({ value, low, high }) => [value, low, high]).filter((end) => typeof end === 'number');
  const min = Math.min(...ends, 0);
  const max = Math.max(...ends);
  const unit = max > min ? { min, max } : undefined;
  const overall = {
    group: cells.length > 0 ? 'difference' : undefined,
    n: entry.n,
    value: entry.value ?? null,
    reason: entry.reason,
  };
  return [
    ...cells.map((cell) => Object.assign(cell, { flagged: false, unit })),
    ...(entry.value === undefined ? [] : [{ ...overall, ...bounds(entry.interval), flagged, unit: undefined }]),
  ];
}

/** Sections of the report, in its order; of an unknown or absent report the findings alone. */
export function auditFigures(report: unknown, findings: readonly Finding[]): AuditSection[] {
  const parsed = reportSchema.safeParse(report);
  const isFlagged = (entry: Entry): boolean =>
    entry.flagged ??
    findings.some(
      ({ metric, attribute, flagged }) => flagged && metric === entry.metric && attribute === (entry.attribute ?? null),
    );
  const entries: Entry[] = parsed.success ? parsed.data : findings.map((finding) => ({ ...finding }));
  return entries.map((entry) => ({
    metric: entry.metric,
    attribute: entry.attribute ?? undefined,
    onHoldout: entry.basis === 'holdout',
    says: entry.says,
    figures: figuresOf(entry, isFlagged(entry)),
  }));
}

/** Owns reading the reports of all sources of a tenant from the store, for whoever shows them. */
import { type Alert, ALERTS, sourceReports, type SourceReport } from '../numerics/quality/source-report.ts';
import { sourceOf } from '../sources/registry.ts';
import type { Store } from './ports.ts';

const DAY_MS = 86_400_000;
/** Days that those shown are held against. */
const BEFORE_DAYS = 28;
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The last `days` days of every source that anything came from. */
export async function readSourceReports(
  store: Store,
  tenant: string,
  now: number,
  days: number,
): Promise<SourceReport[]> {
  const since = Math.floor(now / DAY_MS) * DAY_MS - (days - 1) * DAY_MS;
  const read = await store.lineage.days(tenant, since - BEFORE_DAYS * DAY_MS);
  const reports = sourceReports(read, (source) => sourceOf(source).reliability, dayOf(now));
  return reports
    .map((report) => ({ ...report, days: report.days.filter(({ day }) => day >= dayOf(since)) }))
    .filter((report) => report.days.length > 0);
}

export interface SourceAlert {
  readonly source: string;
  readonly day: string;
  readonly alert: Alert;
  readonly says: string;
}

/** What leapt today or yesterday. */
export async function sourceAlerts(store: Store, tenant: string, now: number): Promise<SourceAlert[]> {
  const reports = await readSourceReports(store, tenant, now, 2);
  return reports.flatMap(({ source, days }) =>
    days.flatMap(({ day, alerts }) => alerts.map((alert) => ({ source, day, alert, says: ALERTS[alert] }))),
  );
}

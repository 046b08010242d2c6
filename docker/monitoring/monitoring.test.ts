import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { EVENT_METRICS, GAUGES, PROCESS_METRICS } from '../../shared/telemetry/metrics.ts';

const readText = (name: string) => readFile(join(import.meta.dirname, name), 'utf8');

/** Every series that a process can give, as Prometheus stores it. */
const SERIES = new Set([
  'up',
  ...Object.entries({ ...EVENT_METRICS, ...PROCESS_METRICS }).flatMap(([name, { type }]) => {
    const plain = name.replaceAll('.', '_');
    if (type === 'histogram') return ['bucket', 'sum', 'count'].map((suffix) => `${plain}_${suffix}`);
    return type === 'counter' ? [`${plain}_total`] : [plain];
  }),
  ...Object.keys(GAUGES).map((name) => name.replaceAll('.', '_')),
]);

/** The series that a query reads: names that are neither functions nor labels. */
function seriesOf(query: string): string[] {
  const bare = query.replaceAll(/\{[^}]*\}|\[[^\]]*\]|"[^"]*"/g, '').replaceAll(/\b(by|on|without)\s*\([^)]*\)/g, ' ');
  return [...bare.matchAll(/[a-z_]{2,}(?!\s*\(|[a-z_])/g)].map(([name]) => name).filter((name) => name !== 'by');
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}
interface Dashboard {
  readonly uid: string;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly targets: readonly { expr: string }[];
  }[];
}

test('alerts, dashboard and scaling ask for series that the processes give, and for nothing else', async () => {
  const alerts = parse(await readText('alerts.yaml')) as { groups: { rules: Rule[] }[] };
  const dashboard = JSON.parse(await readText('grafana-dashboard.json')) as Dashboard;
  const keda = parse(await readText('keda.yaml')) as { spec: { triggers: { metadata: { query: string } }[] } };
  const rules = alerts.groups.flatMap((group) => group.rules);
  const queries = [
    ...rules.map(({ expr }) => expr),
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...keda.spec.triggers.map(({ metadata }) => metadata.query),
  ];
  expect(seriesOf('sum by (kind) (rate(nothing_total{a="b"}[5m])) > 2')).toEqual(['nothing_total']);
  expect(queries.length).toBeGreaterThanOrEqual(18);
  const asked = queries.map((query) => ({ query, series: seriesOf(query) }));
  expect(asked.filter(({ series }) => series.length === 0)).toEqual([]);
  expect(asked.filter(({ series }) => series.some((name) => !SERIES.has(name)))).toEqual([]);
  for (const { labels, annotations } of rules) {
    expect(labels.severity).toMatch(/^(page|ticket)$/);
    expect(annotations.summary.length).toBeGreaterThan(20);
  }
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});

test('Prometheus looks for every process of the compose file on its health port', async () => {
  const { scrape_configs: scrapes, rule_files: rules } = parse(await readText('prometheus.yaml')) as {
    scrape_configs: { job_name: string; dns_sd_configs: { names: string[]; port: number }[] }[];
    rule_files: string[];
  };
  const compose = parse(await readText('../compose.yaml'), { merge: true }) as {
    services: Record<string, { environment?: Record<string, string>; networks: string[] }>;
  };
  const ours = Object.entries(compose.services).filter(([, { environment }]) => environment?.MILLRACE_HEALTH_PORT);
  expect(scrapes.map(({ job_name: name }) => name)).toEqual(ours.map(([name]) => `millrace-${name}`));
  for (const [name, { environment, networks }] of ours) {
    const scrape = scrapes.find(({ job_name: job }) => job === `millrace-${name}`);
    expect(scrape?.dns_sd_configs).toMatchObject([{ names: [name], port: Number(environment?.MILLRACE_HEALTH_PORT) }]);
    expect([environment?.MILLRACE_HEALTH_HOST, networks[0]]).toEqual(['0.0.0.0', 'stores']);
  }
  for (const file of rules) expect((await readText(file)).length).toBeGreaterThan(0);
});

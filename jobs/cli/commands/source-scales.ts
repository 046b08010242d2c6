/** Owns `millrace source scales`: what people of each source count up to, month by month, so that a platform that counts differently is seen. */
import type { Command } from 'commander';
import { scaleOf } from '../../../shared/numerics/signals/robust-scale.ts';
import type { Store } from '../../../shared/store/ports.ts';
import type { Cli } from '../cli.ts';
import { count, table } from '../output.ts';

const KEY_BYTES = 16;

interface ScaleRow {
  readonly source: string;
  /** UTC. */
  readonly month: string;
  readonly people: number;
  readonly events: number;
  /** Events a person; half of them have more. */
  readonly median: number;
  readonly spread: number;
  /** Median over that of the month before; absent for the first. */
  readonly change?: number;
}

/** Events of each person by source and month: one number a person, source and month in memory. */
async function countsOf(store: Store, tenant: string): Promise<Map<string, Map<string, number>>> {
  const groups = new Map<string, Map<string, number>>();
  for await (const { rows, subject, source, sources, occurredAt } of store.events.all(tenant))
    for (let row = 0; row < rows; row++) {
      const month = new Date(occurredAt[row]!).toISOString().slice(0, 7);
      const group = `${sources[source[row]!]!} ${month}`;
      const person = Buffer.from(subject.slice(row * KEY_BYTES, row * KEY_BYTES + KEY_BYTES)).toString('latin1');
      const people = groups.get(group) ?? new Map<string, number>();
      people.set(person, (people.get(person) ?? 0) + 1);
      groups.set(group, people);
    }
  return groups;
}

export async function sourceScales(store: Store, tenant: string): Promise<ScaleRow[]> {
  const groups = await countsOf(store, tenant);
  const rows: ScaleRow[] = [];
  for (const name of [...groups.keys()].sort()) {
    const [source = '', month = ''] = name.split(' ');
    const counts = Float64Array.from(groups.get(name)!.values());
    const { figures: people, median, spread } = scaleOf(counts);
    const before = rows.at(-1);
    const change = before?.source === source ? { change: median / before.median } : {};
    rows.push({ source, month, people, events: counts.reduce((a, b) => a + b, 0), median, spread, ...change });
  }
  return rows;
}

const figure = (value: number): string => value.toFixed(2);

export function registerSourceScales(source: Command, run: Cli['run']): void {
  source
    .command('scales')
    .description('events a person by source and month: median, robust spread, and how the median has changed')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const rows = await sourceScales(await store(), config.tenant);
        const head = ['source', 'month', 'people', 'events', 'median', 'spread', 'change'];
        const lines = rows.map(({ source, month, people, events, median, spread, change }) => [
          source,
          month,
          count(people),
          count(events),
          figure(median),
          figure(spread),
          change === undefined ? '' : `x ${figure(change)}`,
        ]);
        output.result(rows, () => (rows.length === 0 ? 'No event is stored.' : table([head, ...lines])));
      }),
    );
}

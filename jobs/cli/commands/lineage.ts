/** Owns `millrace lineage export`: what was told of runs, as OpenLineage, a line an event. */
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import type { LineageEvent } from '../../../shared/store/ports.ts';
import type { Cli } from '../cli.ts';
import type { Session } from '../session.ts';

const PAGE = 1_000;

/** A moment in ISO 8601, or a span back from now like `24h` or `7d`. Throws USAGE. */
function momentOf(given: string, now: number): number {
  const [, many, unit] = /^(\d{1,6})([hd])$/.exec(given) ?? [];
  const at = many === undefined ? Date.parse(given) : now - Number(many) * (unit === 'h' ? 3600_000 : 24 * 3600_000);
  if (!Number.isNaN(at)) return at;
  throw new AppError('USAGE', { message: `"${given}" is no moment: 2026-01-31, 2026-01-31T12:00:00Z, 24h or 7d.` });
}

async function* eventsSince({ config, store }: Session, sinceMs: number): AsyncGenerator<LineageEvent> {
  const { lineageEvents } = await store();
  let after: string | undefined;
  do {
    const query = after === undefined ? { sinceMs } : { sinceMs, after };
    const page = await lineageEvents.list(config.tenant, query, PAGE);
    yield* page.events;
    after = page.next;
  } while (after !== undefined);
}

export function registerLineage({ program, run }: Cli): void {
  const lineage = program.command('lineage').description('what was told of runs, as OpenLineage');
  lineage
    .command('export')
    .description(
      'events of runs as OpenLineage 2-0-2 on standard output, a line each, in the order in which they were kept',
    )
    .option('--since <moment>', 'kept from then on: 2026-01-31, 2026-01-31T12:00:00Z, 24h or 7d back', '24h')
    .action(({ since }: { since: string }, command: Command) =>
      run(command, async (session) => {
        const { output } = session;
        const sinceMs = momentOf(since, Date.now());
        let events = 0;
        for await (const { text } of eventsSince(session, sinceMs)) {
          events += 1;
          // With or without --json: each line is a document.
          process.stdout.write(`${text}\n`);
        }
        output.note(`${events} events since ${new Date(sinceMs).toISOString()}.`);
      }),
    );
}

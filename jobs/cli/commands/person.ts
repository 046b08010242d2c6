/** Owns `millrace person`: what people ask of their data, and the reports of erasures. `show` tells data of one person in the clear. */
import type { Command } from 'commander';
import { PURPOSES, type Purpose, purposeSchema } from '../../../shared/contract-kit/purposes.ts';
import { AppError } from '../../../shared/errors.ts';
import { isSignedBy } from '../../../shared/governance/signing.ts';
import { type HeldEvent, type PersonData, personData } from '../../../shared/store/person-data.ts';
import type { SignedErasureReport } from '../../../shared/store/ports.ts';
import type { InputOf, OutputOf } from '../../registry.ts';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { count, table } from '../output.ts';
import type { Session } from '../session.ts';
import { followJob } from '../waiting.ts';
import { registerPersonConsents } from './person-consents.ts';

const SHOWN_EVENTS = 10;
const when = (ms: number): string => new Date(ms).toISOString();

/** Enqueues and waits for the end, with a bar. */
async function carryOut(session: Session, input: InputOf<'governance'>): Promise<OutputOf<'governance'>> {
  return followJob(session, 'governance', input.act, await session.client().governance.enqueue(input));
}

function eventLine({ occurredAt, type, item, value, source, text }: HeldEvent): string[] {
  return [when(occurredAt), type, item ?? '', value === undefined ? '' : String(value), source, text ?? ''];
}

function personLines(held: PersonData): string[] {
  if (held.isErased) return ['Erased: nothing is held, and nothing goes in until they come back.'];
  const { person, consents, events, recommendations, segment, shown } = held;
  return [
    person === undefined ? 'No envelope.' : `Envelope: ${JSON.stringify(person)}`,
    `Consents: ${consents.length === 0 ? 'none' : ''}`,
    ...consents.map(
      ({ state, purposes, source, basis, at }) =>
        `  ${when(at)}  ${state}: ${purposes.join(', ')} (${source === '*' ? 'every source' : source}), ${basis}`,
    ),
    `Events: ${count(events.length)}${events.length > SHOWN_EVENTS ? `, the last ${SHOWN_EVENTS} (--json shows all)` : ''}`,
    ...table(events.slice(-SHOWN_EVENTS).map(eventLine)),
    `Recommended: ${recommendations?.map(({ item }) => item).join(', ') ?? 'nothing of their own'}`,
    `Segment: ${segment ?? 'none'}`,
    `Shown: ${count(shown.length)} lists`,
  ];
}

function reportLines({ report, signature, publicKey }: SignedErasureReport): string[] {
  const { id, person, requestedAt, finishedAt, artefacts, versions, retraining } = report;
  const seconds = ((finishedAt - requestedAt) / 1000).toFixed(1);
  return [
    `Erasure ${id} of ${person}: asked for ${when(requestedAt)}, done after ${seconds} s.`,
    ...table([
      ['place', 'checked', 'removed', 'left'],
      ...artefacts.map(({ artefact, checked, removed, left }) => [
        artefact,
        count(checked),
        count(removed),
        count(left),
      ]),
    ]),
    `Versions that can be read no more: ${versions.length === 0 ? 'none' : versions.join(', ')}`,
    retraining === undefined
      ? 'No model had learned from them.'
      : `Models are trained anew, together with what others asked for: ${retraining}`,
    `Signature (Ed25519): ${isSignedBy(report, signature, publicKey) ? 'valid' : 'NOT VALID'}`,
  ];
}

export function registerPerson({ program, run }: Cli): void {
  const person = program.command('person').description('what people ask of their data');
  person
    .command('show <user>')
    .description('everything that is held about a person, in the clear')
    .action((user: string, _options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const held = await personData(await store(), config.tenant, user);
        output.result(held, () => personLines(held));
      }),
    );
  person
    .command('erase <user>')
    .description('take a person out of everything, for good, and train models anew without them')
    .requiredOption('--yes', 'it cannot be undone')
    .action((user: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const done = await carryOut(session, { act: 'erase', user });
        const { report, events = 0, versions = 0, payloads = 0 } = done;
        session.output.result(done, () => [
          `Erased: ${count(events)} events, ${count(versions)} versions, ${count(payloads)} inputs of jobs.`,
          `The signed report: millrace person report ${report}`,
        ]);
      }),
    );
  person
    .command('withdraw <user>')
    .description('stop purposes, or opt out of a source; what nothing justifies any more is removed')
    .option('--purpose <names...>', `${PURPOSES.join(', ')}; absent: all`)
    .option('--source <name>', 'of one source only')
    .action((user: string, options: { purpose?: string[]; source?: string }, command: Command) =>
      run(command, async (session) => {
        const { purpose, source } = options;
        const done = await carryOut(session, {
          act: 'withdraw',
          user,
          ...(purpose && { purposes: purpose.map(purposeOf) }),
          ...(source && { source }),
        });
        session.output.result(done, () => [`Withdrawn; ${count(done.events ?? 0)} events were removed.`]);
      }),
    );
  person
    .command('readmit <user>')
    .description('take back somebody who was erased; they are asked for every purpose anew')
    .action((user: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const done = await carryOut(session, { act: 'readmit', user });
        session.output.result(done, () => ['They may come back: consents and events go in again.']);
      }),
    );
  registerPersonConsents(person, run);
  registerReports(person, run);
}

function registerReports(person: Command, run: Cli['run']): void {
  person
    .command('report <id>')
    .description('the signed report of an erasure: every place that was looked at')
    .action((id: string, _options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const found = await (await store()).erasures.read(config.tenant, id);
        if (found === undefined) throw new AppError('NOT_FOUND', { message: `There is no report ${id}.` });
        output.result(found, () => reportLines(found));
      }),
    );
  person
    .command('reports')
    .description('erasures, newest first')
    .option('--limit <n>', 'at most so many', wholeNumber(1, 1_000), 20)
    .action((options: { limit: number }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const erasures = await (await store()).erasures.list(config.tenant, options.limit);
        output.result({ erasures }, () =>
          erasures.length === 0
            ? ['Nobody was erased.']
            : table(erasures.map(({ report }) => [report.id, when(report.finishedAt), report.person])),
        );
      }),
    );
}

function purposeOf(name: string): Purpose {
  const parsed = purposeSchema.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new AppError('USAGE', { message: `"${name}" is no purpose; there are ${PURPOSES.join(', ')}.` });
}

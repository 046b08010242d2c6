/** Owns `millrace trace`: the way of a person's signals to what is served, or from an item of their list back. Shows data of one person in the clear. */
import type { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { traceCandidate, type Traced, type TracedCandidate, type TracedSignal, traceSignals } from '../tracing.ts';

function signalLines({ source, collectedAt, consents, batches }: TracedSignal): string[] {
  return [
    `├─ source     ${source.name}: ${source.licence} (${source.reliability}). ${source.terms}`,
    `├─ collected  ${collectedAt}`,
    ...(consents.length === 0 ? ['├─ consent    none on record'] : consents.map((word) => `├─ consent    ${word}`)),
    ...batches.map(
      ({ run, receivedAt, events, consentEpoch, schema }) =>
        `├─ batch      ${run}, ${new Date(receivedAt).toISOString()}, ${events} events${schema === undefined ? '' : `, schema ${schema}`}, consent epoch ${consentEpoch}`,
    ),
  ];
}

const headOf = ({ type, item, occurredAt }: TracedSignal): string =>
  `${type}${item === undefined ? '' : ` of ${item}`}, ${occurredAt}`;

const versionLine = ({ version, kind, from }: Traced['versions'][number]): string =>
  `├─ ${kind.padEnd(10)} ${version}${from.length === 0 ? '' : ` from ${from.join(', ')}`}`;

function linesOf(one: Traced): string[] {
  const { versions, releases } = one;
  return [
    headOf(one),
    ...signalLines(one),
    ...versions.map(versionLine),
    ...(releases.length === 0
      ? ['└─ in no release']
      : releases.map(
          ({ version, live }, n) =>
            `${n === releases.length - 1 ? '└─' : '├─'} release    ${version}${live ? ' (live)' : ''}`,
        )),
    '',
  ];
}

function candidateLines(one: TracedCandidate): string[] {
  const { user, item, title, position, origin, because, release, versions, signals } = one;
  const reason = because === undefined ? '' : `, because of ${because}`;
  return [
    `${title} (${item}), place ${position} for ${user}${origin === 'popularity' ? ', as for every newcomer' : reason}`,
    `├─ release    ${release} (live)`,
    ...versions.map(versionLine),
    `└─ ${signals.length === 0 ? 'rests on no signal of this person' : `rests on ${signals.length} signals of this person that are shown:`}`,
    ...signals.flatMap((signal) => ['', headOf(signal), ...signalLines(signal)]),
  ];
}

export function registerTrace({ program, run }: Cli): void {
  program
    .command('trace <user>')
    .description('the way of what a person did: source, terms, consent, batch, what was made from it and served')
    .option('--last <n>', 'how many of the latest signals', wholeNumber(1, 1_000), 5)
    .option('--candidate <item>', 'back from an item of the person’s list to the receipts that it rests on')
    .action((user: string, { last, candidate }: { last: number; candidate?: string }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        if (candidate === undefined) {
          const traced = await traceSignals(await store(), config.tenant, user, last);
          output.result(traced, () => traced.flatMap(linesOf));
        } else {
          const traced = await traceCandidate(await store(), config.tenant, user, candidate, last);
          output.result(traced, () => candidateLines(traced));
        }
      }),
    );
}

/** Owns `millrace person consents`, `consent` and `receipts`: what a person agreed to, agreeing for them, and the signed proof of it. */
import { type Command, Option } from 'commander';
import { CONSENT_BASES, PURPOSES } from '../../../shared/contract-kit/purposes.ts';
import { AppError } from '../../../shared/errors.ts';
import { isGenuine, type SignedReceipt, signedReceiptSchema } from '../../../shared/governance/consent-receipt.ts';
import { type ConsentsOfPerson, giveConsentSchema } from '../../client/consents.ts';
import { issuesOf } from '../../client/make-job.ts';
import { consentsOf, giveConsent } from '../../gateway/consents.ts';
import { jsonObject, moment, purposeList, readText } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT, table } from '../output.ts';

const when = (ms: number): string => new Date(ms).toISOString();
const sourceText = (source: string): string => (source === '*' ? 'every source' : source);

function linesOf({ standing, history, receipts, isErased }: ConsentsOfPerson): string[] {
  if (isErased) return ['Erased: nothing is held, and nothing goes in until they come back.'];
  if (history.length === 0) return ['They have said nothing: every purpose is refused.'];
  return [
    'What stands:',
    ...standing.map(({ source, allowed, ended }) => {
      const over = ended.length === 0 ? '' : `; ended: ${ended.join(', ')}`;
      return `  ${sourceText(source)}: ${allowed.length === 0 ? 'nothing' : allowed.join(', ')}${over}`;
    }),
    'What was said:',
    ...history.map(
      ({ at, state, purposes, source, basis, until }) =>
        `  ${when(at)}  ${state}: ${purposes.join(', ')} (${sourceText(source)}), ${basis}${until === undefined ? '' : `, until ${when(until)}`}`,
    ),
    `Receipts: ${receipts.length}`,
  ];
}

interface GiveOptions {
  readonly purposes: string;
  readonly source?: string;
  readonly basis: string;
  readonly until?: number;
  readonly language?: string;
}

function registerGive(person: Command, run: Cli['run']): void {
  person
    .command('consent <user>')
    .description('record that a person consents, and print the signed receipt that is theirs')
    .option('--purposes <list>', `for what: ${PURPOSES.join(',')}`, PURPOSES.join(','))
    .option('--source <name>', 'of one source only')
    .addOption(new Option('--basis <basis>', 'on what ground').choices(CONSENT_BASES.slice(0, 3)).default('consent'))
    .option('--until <moment>', 'when it ends: ISO 8601', moment)
    .option('--language <tag>', 'of the notice that they were shown')
    .action((user: string, options: GiveOptions, command: Command) =>
      run(command, async ({ config: { tenant }, output, store }) => {
        const parsed = giveConsentSchema.safeParse({ ...options, purposes: purposeList(options.purposes) });
        if (!parsed.success) throw new AppError('INPUT_INVALID', { details: { issues: issuesOf(parsed.error) } });
        const desk = { store: await store(), tenant, now: Date.now, by: 'service' as const };
        const given = await giveConsent(desk, user, parsed.data);
        output.result(given, () => JSON.stringify(given.receipt, undefined, 2));
      }),
    );
}

/** The receipt in a file: as the gateway answered it, or alone. */
async function receiptIn(path: string): Promise<SignedReceipt> {
  const object = jsonObject(await readText(path), path);
  const parsed = signedReceiptSchema.safeParse('signature' in object ? object : object['receipt']);
  if (parsed.success) return parsed.data;
  throw new AppError('INPUT_INVALID', {
    message: `${path} holds no signed receipt.`,
    details: { issues: issuesOf(parsed.error) },
  });
}

export function registerPersonConsents(person: Command, run: Cli['run']): void {
  person
    .command('consents <user>')
    .description('what a person consented to: what stands, and everything that was said')
    .action((user: string, _options: unknown, command: Command) =>
      run(command, async ({ config: { tenant }, output, store }) => {
        const found = await consentsOf({ store: await store(), tenant }, user);
        output.result(found, () => linesOf(found));
      }),
    );
  registerGive(person, run);
  person
    .command('receipts <user>')
    .description('the signed receipts of a person, and whether each is as it was signed')
    .option('--verify <file>', 'a receipt that somebody holds, instead of those that are kept')
    .action((user: string, { verify }: { verify?: string }, command: Command) =>
      run(command, async ({ config: { tenant }, output, store }) => {
        const { receipts, people } = await store();
        const [subject] = people.keys(tenant, [user]);
        const all = verify === undefined ? await receipts.of(tenant, subject!) : [await receiptIn(verify)];
        const key = receipts.publicKey();
        const checked = all.map((signed) => ({ ...signed, genuine: isGenuine(signed, key) }));
        output.result({ receipts: checked }, () =>
          checked.length === 0
            ? ['They hold no receipt.']
            : table(
                checked.map(({ receipt, genuine }) => [
                  receipt['dct:identifier'],
                  receipt['dct:created'],
                  genuine ? 'genuine' : 'NOT GENUINE',
                ]),
              ),
        );
        if (checked.some(({ genuine }) => !genuine)) process.exitCode = EXIT.refused;
      }),
    );
}

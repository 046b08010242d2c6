/** Owns `millrace prompt` and `millrace effects`: whom to ask for feedback now, and what the answers of a person changed. */
import { type Command, Option } from 'commander';
import { PromptDesk } from '../../gateway/prompts.ts';
import { type EffectsResponse, PROMPT_NOTES, type PromptNote, type PromptResponse } from '../../client/responses.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';

const when = (ms: number): string => new Date(ms).toISOString();

function promptLines({ user, prompt, because }: PromptResponse): string[] {
  if (prompt === null) return [`${user} is not to be asked now: ${because ?? 'no-moment'}.`];
  const { item, title, ask, after, at, until } = prompt;
  return [
    `Ask ${user} for ${ask} of ${title ?? item} (${item}), after the ${after} of ${when(at)}; until ${when(until)}.`,
  ];
}

const COUNTS = {
  for: 'counts for it',
  against: 'takes back what was said for it',
  none: 'is measured only',
} as const;

function effectLines({ answers, before, after }: EffectsResponse): string[] {
  if (answers.length === 0) return ['No answers.'];
  const place = (at: number | null): string => (at === null ? 'not in the list' : `place ${at}`);
  const told = answers.flatMap(({ type, item, at, effect, release, position }) => [
    `${type}${item === undefined ? '' : ` of ${item}`}, ${when(at)}: ${COUNTS[effect.counts]}${effect.counts === 'for' ? `, weight ${effect.weight}` : ''}${effect.shownAgain ? '' : '; not shown again'}`,
    `  ${release === null ? 'from the next refresh on' : `since release ${release}`}${position === undefined ? '' : `; before ${place(position.before)}, now ${place(position.after)}`}`,
  ]);
  const rows = Array.from({ length: Math.max(before.length, after.length) }, (_, n) => [
    String(n + 1),
    before[n]?.title ?? '',
    after[n]?.title ?? '',
  ]);
  return rows.length === 0 ? told : [...told, '', ...table([['', 'before', 'since'], ...rows])];
}

export function registerPrompts({ program, run }: Cli): void {
  program
    .command('prompt <user>')
    .description('the question that this person may be asked now, and why there is none')
    .addOption(new Option('--note <what>', 'what was done with it').choices(PROMPT_NOTES))
    .action((user: string, { note }: { note?: PromptNote }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const desk = new PromptDesk(await store(), Date.now);
        const told = await (note === undefined ? desk.next(config.tenant, user) : desk.note(config.tenant, user, note));
        output.result(told, () => promptLines(told));
      }),
    );
  program
    .command('effects <user>')
    .description('what the answers of this person changed: weights, what is not shown again, the list before and since')
    .action((user: string, _options: object, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const told = await new PromptDesk(await store(), Date.now).effects(config.tenant, user);
        output.result(told, () => effectLines(told));
      }),
    );
}

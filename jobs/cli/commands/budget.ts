/** Owns `millrace budget` and `millrace question`: how much may be told of people in a period, and what may be asked on their devices. */
import type { Command } from 'commander';
import { ANSWER_EPSILON_MAX, CHOICES_MAX } from '../../../shared/contract-kit/randomised-response.ts';
import { AppError } from '../../../shared/errors.ts';
import {
  DELTA_TOLD,
  picoAllowed,
  PICO,
  RHO_MAX,
  rhoFor,
} from '../../../shared/governance/differential-privacy/accountant.ts';
import { type BudgetFacts, budgetFacts } from '../../../shared/governance/differential-privacy/budget-facts.ts';
import type { BudgetTerms } from '../../../shared/store/ports.ts';
import { releaseNameSchema } from '../../private-statistics/contract.ts';
import { aboveZero, wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';

const DAY_MS = 24 * 3600_000;
const ENTRIES_SHOWN = 20;

interface SetOptions {
  readonly epsilon?: number;
  readonly delta: number;
  readonly rho?: number;
  readonly days: number;
}

function termsOf({ epsilon, delta, rho, days }: SetOptions): BudgetTerms {
  if ((epsilon === undefined) === (rho === undefined))
    throw new AppError('USAGE', { message: 'A budget is an --epsilon with its --delta, or a --rho.' });
  if (delta >= 1) throw new AppError('USAGE', { message: '--delta is a chance: above 0 and well below 1.' });
  if (rho !== undefined && rho > RHO_MAX)
    throw new AppError('USAGE', { message: `No budget holds more than rho ${RHO_MAX}.` });
  const periodMs = days * DAY_MS;
  if (rho !== undefined) return { totalPico: picoAllowed(rho), periodMs };
  return { totalPico: picoAllowed(rhoFor(epsilon!, delta)), periodMs, epsilon: epsilon!, delta };
}

function lines({ rho, epsilon, delta, periodDays, periodEndsAt }: BudgetFacts): string[] {
  return [
    `Spent: rho ${rho.spent} of ${rho.total}; epsilon ${epsilon.spent.toFixed(4)} of ${epsilon.total.toFixed(4)} at delta ${delta}.`,
    `A period is ${periodDays} days; this one ends at ${new Date(periodEndsAt).toISOString()}.`,
  ];
}

export function registerBudget(cli: Cli): void {
  const { program, run } = cli;
  const budget = program.command('budget').description('how much may be told of people in a period');
  budget
    .command('show')
    .description('what is spent, what is left, and on what it was spent')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const { budgets } = await store();
        const state = await budgets.state(config.tenant, Date.now());
        if (state === undefined) throw new AppError('BUDGET_NOT_SET', { details: { tenant: config.tenant } });
        const entries = await budgets.history(config.tenant, ENTRIES_SHOWN);
        const facts = budgetFacts(state);
        output.result({ ...facts, entries }, () => [
          ...lines(facts),
          ...table(
            entries.map(({ at, release, pico = 0 }) => [
              new Date(at).toISOString(),
              release ?? '(terms set)',
              release === undefined ? '' : `rho ${pico / PICO}`,
            ]),
          ),
        ]);
      }),
    );
  budget
    .command('set')
    .description('the total of a period; what was spent stays spent')
    .option('--epsilon <epsilon>', 'all releases of a period together are (epsilon, delta)-private', aboveZero)
    .option('--delta <delta>', 'with this delta', aboveZero, DELTA_TOLD)
    .option('--rho <rho>', 'instead: the total in zCDP', aboveZero)
    .requiredOption('--days <n>', 'length of a period', wholeNumber(1, 3_660))
    .action((options: SetOptions, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const state = await (await store()).budgets.setTerms(config.tenant, termsOf(options), Date.now());
        const facts = budgetFacts(state);
        output.result(facts, () => lines(facts));
      }),
    );
  registerQuestions(cli);
}

interface DeclareOptions {
  readonly choice: string[];
  readonly epsilon: number;
}

function registerQuestions({ program, run }: Cli): void {
  const question = program.command('question').description('what people are asked under randomised response');
  question
    .command('declare <name>')
    .description('declare a question once and for all; its answers are randomised before they leave a device')
    .requiredOption('--choice <names...>', 'what may be answered, in order')
    .requiredOption('--epsilon <epsilon>', 'how much one answer may say', aboveZero)
    .action((name: string, { choice: choices, epsilon }: DeclareOptions, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const { data: asked } = releaseNameSchema.safeParse(name);
        if (asked === undefined)
          throw new AppError('USAGE', {
            message: 'The name of a question is letters, digits, dashes and underscores.',
          });
        if (choices.length < 2 || choices.length > CHOICES_MAX || new Set(choices).size < choices.length)
          throw new AppError('USAGE', { message: `A question has 2 to ${CHOICES_MAX} different choices.` });
        if (epsilon > ANSWER_EPSILON_MAX)
          throw new AppError('USAGE', {
            message: `An answer of an epsilon above ${ANSWER_EPSILON_MAX} hides nothing.`,
          });
        const declared = { question: asked, choices, epsilon, declaredAt: Date.now() };
        await (await store()).answers.declare(config.tenant, declared);
        output.result(declared, () => `Declared ${asked}: ${choices.join(', ')}, epsilon ${epsilon}.`);
      }),
    );
  question
    .command('list')
    .description('questions that are declared')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const questions = await (await store()).answers.questions(config.tenant);
        output.result({ questions }, () =>
          questions.length === 0
            ? ['No question is declared.']
            : table(
                questions.map(({ question: asked, choices, epsilon }) => [
                  asked,
                  `epsilon ${epsilon}`,
                  choices.join(', '),
                ]),
              ),
        );
      }),
    );
}

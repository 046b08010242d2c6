/**
 * Owns answers that devices have randomised: checked against the question as it is declared, kept of people who allow to be measured. What is not declared, or
 * declared otherwise, is refused: its epsilon would be another than what people are told and estimates are made with.
 */
import { z } from 'zod';
import { ANSWER_EPSILON_MAX, CHOICES_MAX } from '../../shared/contract-kit/randomised-response.ts';
import { AppError } from '../../shared/errors.ts';
import type { PrivateAnswer, Store } from '../../shared/store/ports.ts';
import { releaseNameSchema } from '../private-statistics/contract.ts';

/** Answers of one message. */
export const ANSWERS_MAX = 20;

export const answerSchema = z.strictObject({
  question: releaseNameSchema,
  choice: z
    .int()
    .min(0)
    .max(CHOICES_MAX - 1),
  choices: z.int().min(2).max(CHOICES_MAX),
  epsilon: z.number().positive().max(ANSWER_EPSILON_MAX),
  at: z.int().min(0),
});
export type SentAnswer = z.output<typeof answerSchema>;

export interface SentAnswers {
  readonly user: string;
  readonly source: string;
  readonly answers: readonly SentAnswer[];
}

/** Throws QUESTION_UNKNOWN, ANSWER_INVALID. Of who does not allow it nothing is kept, and nobody is told. */
export async function takeInAnswers(store: Store, tenant: string, sent: SentAnswers, now: number): Promise<void> {
  const { user, source } = sent;
  if (sent.answers.length === 0) return;
  const subject = store.people.keys(tenant, [user])[0]!;
  const answers: PrivateAnswer[] = [];
  for (const { question, choice, choices, epsilon, at } of sent.answers) {
    const declared = await store.answers.question(tenant, question);
    if (declared === undefined) throw new AppError('QUESTION_UNKNOWN', { details: { question } });
    if (declared.epsilon !== epsilon || declared.choices.length !== choices || choice >= choices)
      throw new AppError('ANSWER_INVALID', {
        details: { question, choices: declared.choices.length, epsilon: declared.epsilon },
      });
    answers.push({ question, subject, choice, source, at: Math.min(at, now) });
  }
  const consents = await store.consents.snapshot(tenant, [subject]);
  if (consents.allows(subject, 'measurement', source)) await store.answers.keep(tenant, answers);
}

/** Owns the port of answers that were randomised on people's devices: what may be asked so, and what came in. */
import type { SubjectKey } from './keys.ts';

/** A question whose answers never leave a device as they are. */
export interface PrivateQuestion {
  readonly question: string;
  /** What may be answered, in the order of the answers' numbers. */
  readonly choices: readonly string[];
  /** How little one answer says: its chance under one truth is at most e^epsilon times that under another. */
  readonly epsilon: number;
  readonly declaredAt: number;
}

export interface PrivateAnswer {
  readonly question: string;
  readonly subject: SubjectKey;
  /** What the device said: a number of `choices`, mostly not by chance. */
  readonly choice: number;
  /** Where it came from, whose consent is asked for. */
  readonly source: string;
  readonly at: number;
}

export interface Answers {
  /** Once and for all. Throws QUESTION_CONFLICT where it is declared otherwise. */
  declare(tenant: string, question: PrivateQuestion): Promise<void>;
  question(tenant: string, question: string): Promise<PrivateQuestion | undefined>;
  questions(tenant: string): Promise<PrivateQuestion[]>;
  /** Keeps a person's first answer to each question: a second one would tell more. Returns how many were new. */
  keep(tenant: string, answers: readonly PrivateAnswer[]): Promise<number>;
  /** What a person's devices said. */
  given(tenant: string, subject: SubjectKey): Promise<PrivateAnswer[]>;
  /** Forgets what they said, from one source or (`*`) from all. */
  forget(tenant: string, subject: SubjectKey, source: string): Promise<number>;
  /** All answers to a question. */
  of(tenant: string, question: string): AsyncIterable<PrivateAnswer>;
}

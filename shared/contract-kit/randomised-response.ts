/**
 * Owns randomised response: how a device answers a declared question so that its answer says little of the truth. The pixel and the SDK do the same in a
 * few lines of their own; a test holds them to this. Chances are in units of 2^-32, rounded towards less truth, so epsilon is never more than stated.
 */

const WORD = 2 ** 32;

/** Choices that a question may have, and how much an answer may say. */
export const CHOICES_MAX = 64;
export const ANSWER_EPSILON_MAX = 10;

export interface AnswerChances {
  /** That the answer is the truth. */
  readonly truth: number;
  /** That it is a certain other choice. */
  readonly other: number;
}

/** Words below this give the truth. */
export const truthWords = (choices: number, epsilon: number): number =>
  Math.floor((WORD * Math.exp(epsilon)) / (Math.exp(epsilon) + choices - 1));

export function answerChances(choices: number, epsilon: number): AnswerChances {
  const truth = truthWords(choices, epsilon) / WORD;
  return { truth, other: (1 - truth) / (choices - 1) };
}

/** `words`: two random numbers of 32 bits. */
export function randomisedAnswer(
  truth: number,
  { choices, epsilon }: { readonly choices: number; readonly epsilon: number },
  words: Uint32Array,
): number {
  if (words[0]! < truthWords(choices, epsilon)) return truth;
  const other = Math.floor((words[1]! / WORD) * (choices - 1));
  return other < truth ? other : other + 1;
}

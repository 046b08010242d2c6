/**
 * Owns the last look at what a view would tell of people, whichever view it is and however it was made: names of features, and every word among the facts
 * beside them. A view that makes features of words holds them back where it makes them; one that does not is stopped here, before anything is written.
 */
import { AppError } from '../../shared/errors.ts';
import { type SensitiveInference, sensitiveInferenceOf } from '../../shared/governance/sensitive-inferences.ts';

/** `readShare` and `read_share` are two words. */
const wordsOf = (text: string): string[] =>
  text
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .split(/[^\p{L}]+/u)
    .filter((word) => word !== '');

function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null)
    for (const [name, one] of Object.entries(value)) {
      yield name;
      yield* textsIn(one);
    }
}

/** Throws INFERENCE_BLOCKED, which says what it would have been about, and never the word: it may be somebody's. */
export function holdBackSensitive(view: string, features: readonly string[], facts: object): void {
  const about = new Set<SensitiveInference>();
  for (const text of [...features, ...textsIn(facts)])
    for (const word of wordsOf(text)) {
      const found = sensitiveInferenceOf(word);
      if (found !== undefined) about.add(found);
    }
  if (about.size > 0) throw new AppError('INFERENCE_BLOCKED', { details: { view, about: [...about].sort() } });
}

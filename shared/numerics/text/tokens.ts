/** Owns cutting a text into words and signs: what sentiment, languages and topics are read from. */

/** Longest text that is read, characters. */
const CHARS_MAX = 10_000;
const PIECES = /\p{Extended_Pictographic}|[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*|[!?]+|[.,;:]/gu;
const WORD = /^[\p{L}\p{M}]/u;

export interface Piece {
  /** Lower case, straight apostrophes. */
  readonly text: string;
  readonly kind: 'word' | 'picture' | 'mark';
  /** A word of two letters and more that is written in capitals. */
  readonly isLoud: boolean;
}

export function piecesOf(text: string): Piece[] {
  return [...text.slice(0, CHARS_MAX).matchAll(PIECES)].map(([piece]) => {
    const plain = piece.replaceAll('’', "'").toLowerCase();
    if (!WORD.test(piece)) return { text: plain, kind: /^[!?.,;:]/.test(piece) ? 'mark' : 'picture', isLoud: false };
    return { text: plain, kind: 'word', isLoud: piece.length > 1 && piece === piece.toUpperCase() && piece !== plain };
  });
}

export const wordsOf = (pieces: readonly Piece[]): string[] =>
  pieces.filter(({ kind }) => kind === 'word').map(({ text }) => text);

/**
 * Owns telling English from other languages in short texts, by the words that hold sentences together. It is meant to refuse: what is not
 * clearly English has no sentiment here, rather than a wrong one.
 */

const list = (words: string): ReadonlySet<string> => new Set(words.split(' '));

export const ENGLISH: ReadonlySet<string> = list(
  "the a an and or but if of to in on at for from with without by about as into over after before than then this that these those it its it's is are was were be been being am i i'm i've you you're your he she his her we they them their my me our us not no don't doesn't didn't isn't wasn't can't couldn't won't wouldn't do does did done have has had will would can could should what which who when where why how all any some every more most much many very too so just really only also again there here out up down again because while",
);

/** Small words of other languages, as they are typed; those of romanised Hindi too. What is as common in English is left out. */
const OTHERS: readonly ReadonlySet<string>[] = [
  list(
    'der die das und ist nicht ein eine ich du er sie wir ihr mit von zu den dem im für auf aber sehr auch wie war sind hat habe mir mich es oder noch nur schon',
  ),
  list(
    "le la les des une est et je tu il elle nous vous pas ne que qui dans pour sur avec très mais c'est j'ai ce cette sont du au plus trop",
  ),
  list(
    'el la los las una es y yo tu él ella nosotros no que en para por con muy pero este esta son del al más lo se mi como',
  ),
  list(
    'il lo la gli le una è e io tu lui lei noi non che di in per con molto ma questo questa sono del al più mi come',
  ),
  list('o os as uma é e eu tu ele ela nós não que em para por com muito mas este esta são do da ao mais se meu como'),
  list('de het een en is niet ik je hij zij wij met van voor op maar heel ook dit dat zijn was te er nog wel'),
  list(
    'hai hain ka ki ke ko se mein main nahi nahin bahut acha accha yeh ye woh wo kya kyun aur bhi tha thi ho hua kar raha rahi mera meri tum aap hum bhai yaar',
  ),
];

/** Letters that are not Latin may make up so much. */
const FOREIGN_LETTERS_MAX = 0.2;
/** Without any small word, so many of the words must be in the lexicon. */
const KNOWN_MIN = 0.34;

/** `isKnown`: the lexicon has the word. */
export function isEnglish(words: readonly string[], isKnown: (word: string) => boolean): boolean {
  if (words.length === 0) return false;
  const letters = words.join('');
  if (letters.replaceAll(/\p{Script=Latin}|'/gu, '').length > FOREIGN_LETTERS_MAX * letters.length) return false;
  const count = (set: ReadonlySet<string>): number => words.filter((word) => set.has(word)).length;
  const [english, other] = [count(ENGLISH), Math.max(...OTHERS.map(count))];
  if (english !== other) return english > other;
  return other === 0 && words.filter(isKnown).length >= KNOWN_MIN * words.length;
}

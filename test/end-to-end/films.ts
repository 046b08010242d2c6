/** Owns a made-up folder in the layout of MovieLens 100K: two tastes, seeded, every person and film rated. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RandomStream, randomStream } from '../../shared/random.ts';

export interface Films {
  readonly dir: string;
  readonly people: number;
  readonly films: number;
  readonly ratings: number;
}

const GENRES = 19;
const FIRST_RATING_S = 880_000_000;

/** `perPerson` different films for each person, mostly of the taste that they share with every second person. */
function ratingsOf(draw: RandomStream, person: number, films: number, perPerson: number): string[] {
  const chosen = new Set<number>();
  while (chosen.size < perPerson) {
    const film = 1 + draw.below(films);
    if (film % 2 === person % 2 || draw.uniform() < 0.2) chosen.add(film);
  }
  return [...chosen].map((film, n) => {
    const stars = film % 2 === person % 2 ? 4 + draw.below(2) : 1 + draw.below(3);
    return `${person}\t${film}\t${stars}\t${FIRST_RATING_S + person * 5_000 + n * 60}`;
  });
}

export async function writeFilms(
  folder: string,
  { people = 120, films = 200, perPerson = 30 }: { people?: number; films?: number; perPerson?: number } = {},
): Promise<Films> {
  const dir = join(folder, 'films');
  await mkdir(dir);
  const ids = Array.from({ length: people }, (_, i) => i + 1);
  const ratings = ids.flatMap((person) => ratingsOf(randomStream(7, 'ratings', person), person, films, perPerson));
  const flags = (film: number) => Array.from({ length: GENRES }, (_, g) => (g === 1 + (film % 2) ? 1 : 0)).join('|');
  const titles = Array.from({ length: films }, (_, i) => `${i + 1}|Film ${i + 1} (1995)|01-Jan-1995|||${flags(i + 1)}`);
  const attributes = ids.map((id) => `${id}|${18 + ((id * 7) % 50)}|${id % 3 === 0 ? 'F' : 'M'}|writer|00000`);
  const genres = Array.from({ length: GENRES }, (_, g) => `Genre ${g}|${g}`);
  const files = { 'u.data': ratings, 'u.item': titles, 'u.user': attributes, 'u.genre': genres };
  for (const [name, lines] of Object.entries(files)) await writeFile(join(dir, name), `${lines.join('\n')}\n`);
  return { dir, people, films, ratings: ratings.length };
}

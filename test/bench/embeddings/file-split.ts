/** Owns parting a file of interactions that the user names: a hashed tenth of each person's is held out. */
import { basename } from 'node:path';
import { buildDataset, testItems } from '../../../shared/numerics/evaluation/dataset.ts';
import {
  type InteractionFile,
  partLikings,
  readInteractions,
} from '../../../shared/numerics/evaluation/interaction-file.ts';
import { hashText } from '../../../shared/random.ts';
import type { Split } from './data.ts';

const HELD_OUT = 10;

/** `minValue`: what counts as a liking. */
export async function partFile(path: string, minValue: number): Promise<Split> {
  const { likings } = partLikings(await readInteractions(path), minValue);
  const part = (held: boolean): InteractionFile => {
    const lines = [...likings.users.keys()].filter(
      (n) => ((hashText(`${likings.users[n]} ${likings.items[n]}`) >>> 0) % HELD_OUT === 0) === held,
    );
    return {
      users: lines.map((n) => likings.users[n]!),
      items: lines.map((n) => likings.items[n]!),
      values: Float64Array.from(lines, () => 1),
      times: Float64Array.from(lines, () => Number.NaN),
    };
  };
  const dataset = buildDataset(part(false));
  return { name: basename(path), train: dataset.train.interactions, test: testItems(dataset, part(true)).items };
}

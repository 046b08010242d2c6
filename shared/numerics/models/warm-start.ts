/** Owns which columns of an earlier version's factors a fit may go on from. */
import { AppError } from '../../errors.ts';
import type { Region } from '../engine/memory.ts';
import type { TrainInput, WarmStart } from '../types.ts';
import type { AdoptedRows } from './warm-start.task.ts';

export const ADOPT = new URL('./warm-start.task.ts', import.meta.url).href;

type Place = { readonly region: Region; readonly stride: number };

/**
 * The factors of both sides; with `biases`, the items' last column goes there.
 * @throws AppError MODEL_PARAMS_INVALID when the earlier version has another width.
 */
export function adoptedFactors(
  { factors, itemKeys, userKeys }: WarmStart,
  keys: Pick<TrainInput, 'userKeys' | 'itemKeys'>,
  width: number,
  [users, items]: readonly [Place, Place],
  biases?: Region,
): AdoptedRows[] {
  const wanted = width + (biases === undefined ? 0 : 1);
  if (factors.users.width !== wanted || factors.items.width !== wanted)
    throw new AppError('MODEL_PARAMS_INVALID', {
      message: `The earlier version has ${factors.users.width} columns where ${wanted} are asked for: train from the start, or with its parameters.`,
      details: {
        issues: [{ path: ['factors'], message: `must fit the earlier version (${factors.users.width} columns)` }],
      },
    });
  if (keys.userKeys === undefined || keys.itemKeys === undefined)
    throw new AppError('NUMERICS_INPUT_INVALID', {
      message: 'A warm start finds people and items by their keys, and there are none.',
      details: { array: 'userKeys' },
    });
  const ofUsers = { keys: keys.userKeys, from: factors.users, fromKeys: userKeys };
  const ofItems = { keys: keys.itemKeys, from: factors.items, fromKeys: itemKeys };
  return [
    { ...users, ...ofUsers, columns: [0, width] },
    { ...items, ...ofItems, columns: [0, width] },
    ...(biases === undefined
      ? []
      : [{ region: biases, stride: 1, ...ofItems, columns: [width, width + 1] as [number, number] }]),
  ];
}

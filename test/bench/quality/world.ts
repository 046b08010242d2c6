/** Owns simulated platforms as the columns that quality reads, with the truth beside them. */
import { EVENT_TYPES, type EventType } from '../../../shared/contract-kit/event.ts';
import { type AccountActs, emptyActs, type ItemColumns } from '../../../shared/numerics/quality/acts.ts';
import { simulate, type SimulationOptions } from '../../../shared/sources/simulated/index.ts';

export interface World {
  readonly acts: AccountActs;
  readonly items: ItemColumns;
  /** Family of each account's bot; null: a person. */
  readonly bot: readonly (string | null)[];
  readonly ring: readonly (number | null)[];
}

export const codeOf = (type: EventType): number => EVENT_TYPES.indexOf(type);

/** The acts of a simulated platform; what the platform did (impressions) is left out. */
export function worldOf(options: SimulationOptions): World {
  const simulation = simulate(options);
  const truth = [...simulation.truth.people()];
  const account = new Map(truth.map(({ id }, n) => [id, n]));
  const item = new Map<string, number>();
  const owners = new Map<string, number>();
  const owner: number[] = [];
  const born: number[] = [];
  for (const { id, creator, publishedAt } of simulation.items()) {
    item.set(id, item.size);
    if (!owners.has(creator!)) owners.set(creator!, owners.size);
    owner.push(owners.get(creator!)!);
    born.push(publishedAt!);
  }
  const byBirth = [...born.keys()].sort((a, b) => born[a]! - born[b]! || a - b);
  const place = new Int32Array(item.size);
  for (const [rank, n] of byBirth.entries()) place[n] = rank;
  const own: { item: number; type: number; value: number; at: number }[][] = truth.map(() => []);
  let rows = 0;
  for (const event of simulation.events()) {
    if (event.type === 'impression') continue;
    rows++;
    own[account.get(event.user)!]!.push({
      item: event.item === undefined ? -1 : item.get(event.item)!,
      type: codeOf(event.type),
      value: event.value ?? Number.NaN,
      at: event.occurredAt,
    });
  }
  const acts = emptyActs(truth.length, rows);
  let n = 0;
  for (const [a, list] of own.entries()) {
    for (const act of list) {
      acts.item[n] = act.item;
      acts.type[n] = act.type;
      acts.value[n] = act.value;
      acts.at[n++] = act.at;
    }
    acts.starts[a + 1] = n;
  }
  const items = { items: item.size, place, owner: Int32Array.from(owner) };
  return { acts, items, bot: truth.map(({ bot }) => bot), ring: truth.map(({ ring }) => ring) };
}

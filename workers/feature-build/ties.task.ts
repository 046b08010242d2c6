/** Owns finding ties between people in events, in threads: who had said by then, through which source, that they follow whom; then the network of those that count. */
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { undirected } from '../../shared/numerics/graph/ties.ts';
import { isAbsent, KeyIndex, sharedBytes } from '../../shared/numerics/interactions/key-index.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { sharedInt32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES, type SparseRows } from '../../shared/numerics/types.ts';

export interface TieRequest {
  readonly events: AdmittedEvents;
  /** 16 bytes a row. */
  readonly target: Uint8Array;
  readonly asOf: number;
}

/** Ties that their followers allow: numbers of people, and of sources. */
export interface SaidTies {
  /** 16 bytes a person, followers and followed. */
  readonly keys: Uint8Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly source: Int32Array;
}

/** Ties that had been said and recorded by then. Linear in rows. */
export function findTies({ events, target, asOf }: TieRequest): SaidTies {
  const { columns, runs, sources, allowed } = events;
  const follow = EVENT_TYPES.indexOf('follow');
  const people = new KeyIndex();
  const ties = { from: [] as number[], to: [] as number[], source: [] as number[] };
  for (let s = 0; s < runs.subjects; s++)
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++) {
      const source = columns.source[row]!;
      if (columns.type[row] !== follow || isAbsent(target, row) || allowed[s * sources + source] === 0) continue;
      if (columns.occurredAt[row]! > asOf || columns.recordedAt[row]! > asOf) continue;
      ties.from.push(people.add(runs.keys, s));
      ties.to.push(people.add(target, row));
      ties.source.push(source);
    }
  const count = ties.from.length;
  const keys = sharedBytes(people.size * KEY_BYTES);
  keys.set(people.keys());
  return {
    keys,
    from: sharedInt32(count, ties.from),
    to: sharedInt32(count, ties.to),
    source: sharedInt32(count, ties.source),
  };
}

export interface NetworkRequest extends SaidTies {
  readonly sources: number;
  /** 1 where the person allows the source's use: person x source. */
  readonly allowed: Uint8Array;
}

/** People with a tie that both ends allow, in the order of their keys. */
export interface Network {
  readonly keys: Uint8Array;
  readonly graph: SparseRows;
  readonly following: Int32Array;
  readonly followers: Int32Array;
  /** Ties that go both ways. */
  readonly mutual: Int32Array;
}

/** The network of the ties that count. */
export function layNetwork({ keys, from, to, source, sources, allowed }: NetworkRequest): Network {
  const allows = (person: number, n: number): boolean => allowed[person * sources + source[n]!] === 1;
  const counted = [...from.keys()].filter((n) => from[n] !== to[n] && allows(from[n]!, n) && allows(to[n]!, n));
  const people = new KeyIndex();
  for (const n of counted) {
    people.add(keys, from[n]!);
    people.add(keys, to[n]!);
  }
  const order = people.sorted();
  const rank = new Int32Array(order.length);
  const ordered = sharedBytes(order.length * KEY_BYTES);
  for (const [place, person] of order.entries()) {
    rank[person] = place;
    ordered.set(people.keys().subarray(person * KEY_BYTES, (person + 1) * KEY_BYTES), place * KEY_BYTES);
  }
  // Said by several sources, or several times, a tie is one.
  const said = new Map<number, readonly [number, number]>();
  for (const n of counted) {
    const [a, b] = [rank[people.find(keys, from[n]!)]!, rank[people.find(keys, to[n]!)]!];
    said.set(a * order.length + b, [a, b]);
  }
  return { keys: ordered, ...layTies(order.length, said) };
}

function layTies(people: number, said: ReadonlyMap<number, readonly [number, number]>): Omit<Network, 'keys'> {
  const [following, followers, mutual] = [sharedInt32(people), sharedInt32(people), sharedInt32(people)];
  for (const [a, b] of said.values()) {
    following[a]!++;
    followers[b]!++;
    if (said.has(b * people + a)) mutual[a]!++;
  }
  const ties = [...said.values()];
  const graph = undirected(
    people,
    ties.map(([a]) => a),
    ties.map(([, b]) => b),
  );
  return { graph, following, followers, mutual };
}

/**
 * Owns one party of a secure sum: takes shares, says who has given, and adds up the shares of the people whom all parties agreed on: once a round, of enough
 * people, never of a set that differs from an earlier one of the series by few. It learns nothing of a value: its shares are uniform by themselves.
 *
 * What protects people is that parties are separate: other operators, other stores, who do not put their shares together.
 */
import { addShares, checkScheme, SUM_PRIME } from '../../contract-kit/secure-sum.ts';
import { AppError } from '../../errors.ts';
import type { Store, SumRound } from '../../store/ports.ts';

/** People of one round, and earlier rounds that a set is compared with. */
export const CONTRIBUTORS_MAX = 20_000;
const COMPARED_MAX = 200;

export interface PartyAnswer {
  readonly round: string;
  readonly party: number;
  readonly people: number;
  readonly sum: bigint;
}

export class SumParty {
  readonly #store: Pick<Store, 'sums'>;
  readonly #tenant: string;

  constructor(store: Pick<Store, 'sums'>, tenant: string) {
    this.#store = store;
    this.#tenant = tenant;
  }

  /** Throws INPUT_INVALID, SUM_ROUND_CONFLICT. */
  async open(round: SumRound): Promise<SumRound> {
    checkScheme(round);
    if (!(round.party >= 1 && round.party <= round.parties))
      throw new AppError('INPUT_INVALID', { details: { field: 'party', parties: round.parties } });
    if (BigInt(round.most) * BigInt(CONTRIBUTORS_MAX) >= SUM_PRIME)
      throw new AppError('INPUT_INVALID', {
        message: 'The sum of that many values could be larger than the arithmetic holds.',
        details: { field: 'most' },
      });
    return this.#store.sums.open(this.#tenant, round);
  }

  /** Throws SUM_ROUND_UNKNOWN, SUM_CLOSED, SUM_DUPLICATE. */
  async give(name: string, contributor: string, share: bigint): Promise<void> {
    const round = await this.#round(name);
    if (round.agreed !== undefined) throw new AppError('SUM_CLOSED', { details: { round: name } });
    if (share < 0n || share >= SUM_PRIME) throw new AppError('INPUT_INVALID', { details: { field: 'share' } });
    await this.#store.sums.give(this.#tenant, name, contributor, share);
  }

  async contributors(name: string): Promise<string[]> {
    await this.#round(name);
    return this.#store.sums.contributors(this.#tenant, name);
  }

  /** The party's sum over the agreed people. Asked again for the same people it is the same; for others, SUM_CLOSED. */
  async add(name: string, agreed: readonly string[]): Promise<PartyAnswer> {
    const { sums } = this.#store;
    const round = await this.#round(name);
    const people = [...new Set(agreed)].sort();
    if (people.length < agreed.length) throw new AppError('SUM_DUPLICATE', { details: { round: name } });
    if (people.length < round.cohortMin)
      throw new AppError('COHORT_TOO_SMALL', { details: { cohortMin: round.cohortMin } });
    if (people.length > CONTRIBUTORS_MAX) throw new AppError('INPUT_INVALID', { details: { field: 'people' } });
    const shares = await sums.shares(this.#tenant, name, people);
    if (shares.size < people.length)
      throw new AppError('SUM_INCOMPLETE', { details: { needed: people.length, there: shares.size } });
    const fixed = await sums.fix(this.#tenant, name, people);
    if (fixed.length !== people.length || fixed.some((one, n) => one !== people[n]))
      throw new AppError('SUM_CLOSED', { details: { round: name } });
    // Written before the others are looked at: of two rounds at once at least one sees the other. Who was cut off in between looks again.
    if (round.cleared !== true) await this.#refuseOverlap(round, people);
    return { round: name, party: round.party, people: people.length, sum: addShares(shares.values()) };
  }

  async #refuseOverlap(round: SumRound, people: readonly string[]): Promise<void> {
    const { sums } = this.#store;
    for (const { round: other, agreed = [] } of await sums.fixed(this.#tenant, round.series, COMPARED_MAX)) {
      if (other === round.round) continue;
      const difference = differing(people, agreed);
      if (difference === 0 || difference >= round.cohortMin) continue;
      await sums.unfix(this.#tenant, round.round);
      throw new AppError('COHORT_OVERLAPS', { details: { round: other } });
    }
    await sums.clear(this.#tenant, round.round);
  }

  async #round(name: string): Promise<SumRound> {
    const found = await this.#store.sums.round(this.#tenant, name);
    if (found === undefined) throw new AppError('SUM_ROUND_UNKNOWN', { details: { round: name } });
    return found;
  }
}

/** People in one of two sets alone. */
function differing(a: readonly string[], b: readonly string[]): number {
  const inB = new Set(b);
  const both = a.filter((one) => inB.has(one)).length;
  return a.length + b.length - 2 * both;
}

/** Whom every party has heard of: who dropped out half-way is left out. Ascending. */
export function agreedOn(contributors: readonly (readonly string[])[]): string[] {
  const [first = [], ...others] = contributors.map((list) => new Set(list));
  return [...first].filter((one) => others.every((list) => list.has(one))).sort();
}

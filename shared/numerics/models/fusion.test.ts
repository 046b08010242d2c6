import { describe, expect, test } from 'vitest';
import { measureModel } from '../evaluation/evaluate-model.ts';
import type { TestItems } from '../evaluation/ranking-metrics.ts';
import { fromTriples } from '../sparse.ts';
import type { ExternalSource, SparseRows, TrainInput } from '../types.ts';
import { context, fit, FUSION_PARAMS, ITEMS, ties, USERS, world } from './fusion-fixture.ts';
import { makeProfiles } from './fusion-profile.task.ts';
import { findModel } from './registry.ts';

const task = (input: TrainInput, test: TestItems) => ({ train: input, exclude: input.interactions, test, k: 5 });

describe('fusion', () => {
  test.each(['attention', 'early', 'late'])(
    '%s: ties of people of one taste help, most those with a short history',
    async (fusion) => {
      const { interactions, test: wanted } = world();
      const input = { interactions, sources: [ties('social', true)] };
      const { evaluation } = await measureModel(
        findModel('fusion'),
        { ...FUSION_PARAMS, fusion },
        task(input, wanted),
        context(),
      );
      const [social] = evaluation.sources!;
      expect(social!.gain.interval[0]).toBeGreaterThan(0);
      expect(social!.permutation).toBeGreaterThan(0.02);
      expect(social!.weight).toBeGreaterThan(0.1);
    },
  );

  test('attention leans on ties where the history is short', async () => {
    const { interactions } = world();
    const weights = await (await fit({ interactions, sources: [ties('social', true)] })).weights();
    const mean = (short: boolean) => {
      const people = Array.from({ length: USERS }, (_, user) => user).filter((user) => user % 16 < 8 === short);
      return people.reduce((sum, user) => sum + weights[user * 2 + 1]!, 0) / people.length;
    };
    expect(mean(true)).toBeGreaterThan(mean(false));
  });

  test('noise is shut out or changes next to nothing', async () => {
    const { interactions, test: wanted } = world();
    const input = { interactions, sources: [ties('noise', false)] };
    const { evaluation } = await measureModel(findModel('fusion'), FUSION_PARAMS, task(input, wanted), context());
    expect(Math.abs(evaluation.sources![0]!.permutation)).toBeLessThan(0.01 * evaluation.ndcg + 1e-9);
  });

  test('without its sources it ranks as its base; with every branch masked it gives the popular items', async () => {
    const { interactions } = world();
    const fitted = await fit({ interactions, sources: [ties('social', true)] });
    const options = { k: 5, exclude: interactions };
    const base = await findModel('ease').fit({ interactions }, {}, context());
    expect((await fitted.without(['social']).rank(options)).items).toEqual((await base.rank(options)).items);
    const popular = await findModel('popularity').fit({ interactions }, {}, context());
    const nothing = await fitted.without(['social', 'on-site']).rank(options);
    expect(nothing.items).toEqual((await popular.rank(options)).items);
  });

  test('replacing a branch changes no other; the same source again gives the same lists', async () => {
    const { interactions } = world();
    const [first, second] = [ties('social', true), ties('other', true)];
    const options = { k: 5, exclude: interactions };
    const fitted = await fit({ interactions, sources: [first, second] });
    const again = await (await fitted.replaceSource(first)).rank(options);
    expect(again).toEqual(await fitted.rank(options));
    const replaced = await fitted.replaceSource({ ...ties('noise', false), name: 'social' });
    expect(await replaced.without(['social']).rank(options)).toEqual(await fitted.without(['social']).rank(options));
  });

  test('people who do not allow a source neither get nor give anything by it', () => {
    const { interactions } = world();
    const consents = Uint8Array.from({ length: USERS }, (_, user) => Number(user !== 3));
    const source = { ...ties('social', true), consents };
    const { people, rows } = makeProfiles({ source, interactions, reach: 0.5, neighbours: 100 });
    expect(people[3]).toBe(0);
    expect(rows.indptr[4]).toBe(rows.indptr[3]);
    const only: SparseRows = fromTriples(USERS, ITEMS, [3], [0], [1]);
    const given = makeProfiles({ source, interactions: only, reach: 0.5, neighbours: 100 });
    expect(given.rows.indices).toHaveLength(0);
  });

  test('features bring people near who share rare ones', () => {
    const interactions = fromTriples(4, 4, [0, 1, 2, 3], [0, 1, 2, 3], [1, 1, 1, 1]);
    // Person 0 shares a rare key with 1, and a common one with everybody.
    const rows = fromTriples(4, 2, [0, 1, 0, 1, 2, 3], [0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]);
    const source: ExternalSource = { name: 'tags', kind: 'features', rows };
    const profiles = makeProfiles({ source, interactions, reach: 1, neighbours: 10 });
    const own = profiles.rows;
    const of0 = [...own.indices.subarray(own.indptr[0], own.indptr[1])];
    const values = [...own.values.subarray(own.indptr[0], own.indptr[1])];
    expect(of0[values.indexOf(Math.max(...values))]).toBe(1);
  });

  test('refuses sources that do not fit the people', async () => {
    const { interactions } = world();
    const rows = fromTriples(3, 3, [0], [1], [1]);
    const refused = fit({ interactions, sources: [{ name: 'social', kind: 'ties', rows }] });
    await expect(refused).rejects.toMatchObject({ code: 'NUMERICS_INPUT_INVALID', details: { source: 'social' } });
  });
});

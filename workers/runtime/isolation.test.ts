/** Who runs beside whom, and when a run is parked for what its process died of. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testServices } from '../../test/services.ts';
import { ALONE_MAX, AloneCounts, Isolation } from './isolation.ts';

const never = new AbortController().signal;
const noCounts = { begin: async () => {}, clear: async () => {} } as unknown as AloneCounts;

/** Turns of one process, all asked for at once in that order; each ends a few microtasks after it began. */
async function runTurns(kinds: readonly boolean[]): Promise<{ beside: number; isAlone: boolean; at: number }[]> {
  const isolation = new Isolation(noCounts);
  let active = 0;
  let begun = 0;
  return Promise.all(
    kinds.map(async (isAlone, index) => {
      const turn = isolation.turn(`run-${index}`);
      await (isAlone ? turn.alone(never, {}) : turn.enter(never));
      active += 1;
      let beside = active;
      const at = begun++;
      for (let tick = 0; tick < 5; tick++) {
        await Promise.resolve();
        beside = Math.max(beside, active);
      }
      active -= 1;
      turn.leave();
      return { beside, isAlone, at };
    }),
  );
}

test('a turn alone has nobody beside it, nobody who came later passes it, and every turn has its time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 40 }), async (kinds) => {
      const turns = await runTurns(kinds);
      expect(turns.every(({ isAlone, beside }) => !isAlone || beside === 1)).toBe(true);
      const passed = turns.filter(
        ({ isAlone, at }, index) => isAlone && turns.slice(index + 1).some((later) => later.at < at),
      );
      expect(passed).toEqual([]);
    }),
  );
});

test('who cannot begin is put off after a while, and who is cancelled meanwhile at once; both make room for the next', async () => {
  const isolation = new Isolation(noCounts);
  const long = isolation.turn('long');
  await long.enter(never);
  const cancel = new AbortController();
  const cancelled = isolation.turn('cancelled').alone(cancel.signal, {});
  const suspect = isolation.turn('suspect').alone(never, {});
  const fresh = isolation.turn('fresh').enter(never);
  cancel.abort(new Error('cancelled'));
  await expect(cancelled).rejects.toThrow('cancelled');
  await expect(suspect).rejects.toMatchObject({ code: 'ISOLATION_BUSY' });
  await fresh;
});

test('a run is parked after its turns alone did not end in words, and not for a storm of kills that was over before', async () => {
  await using services = await testServices();
  const { redis, prefix } = services;
  const spacingMs = 20_000;
  let now = 1_000_000;
  const counts = new AloneCounts(redis, prefix, { spacingMs, now: () => now });
  const begin = async (runKey: string): Promise<string> => {
    try {
      await counts.begin(runKey, {});
      return 'began';
    } catch (thrown) {
      return (thrown as { code: string }).code;
    }
  };
  for (let turn = 0; turn < ALONE_MAX; turn++) {
    expect(await begin('guilty')).toBe('began');
    now += (turn + 1) * spacingMs;
  }
  expect(await begin('guilty')).toBe('RUN_POISONOUS');
  await counts.clear('guilty');
  expect(await begin('guilty')).toBe('began');
  await fc.assert(
    fc.asyncProperty(
      fc.uuid(),
      // Tries within a storm, each of which its process would not survive.
      fc.array(fc.integer({ min: 0, max: 3 * spacingMs - 1 }), { maxLength: 12 }),
      async (run, moments) => {
        const from = now;
        const outcomes: string[] = [];
        for (const moment of moments.toSorted((a, b) => a - b)) {
          now = from + moment;
          outcomes.push(await begin(run));
        }
        expect(outcomes).not.toContain('RUN_POISONOUS');
        expect(outcomes.filter((outcome) => outcome === 'began').length).toBeLessThan(ALONE_MAX);
        now = from + 10 * spacingMs;
        expect(await begin(run)).toBe('began'); // and lives
        await counts.clear(run);
      },
    ),
    { numRuns: 50 },
  );
});

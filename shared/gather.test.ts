import { expect, test } from 'vitest';
import { answered, Gather } from './gather.ts';

/** Groups wait until the test lets them go. */
function held<Answer = string>(answer: (item: string) => PromiseSettledResult<Answer>) {
  const groups: { readonly items: readonly string[]; readonly release: () => void }[] = [];
  const heard = new Map<number, () => void>();
  return {
    groups,
    send: async (items: readonly string[]): Promise<PromiseSettledResult<Answer>[]> => {
      const { promise, resolve } = Promise.withResolvers<void>();
      groups.push({ items, release: resolve });
      heard.get(groups.length)?.();
      await promise;
      return items.map(answer);
    },
    /** Resolves once so many groups were sent; to be asked before. */
    sent: (count: number) => new Promise<void>((resolve) => void heard.set(count, resolve)),
  };
}
const upper = (item: string) => answered(item.toUpperCase());

test('what is asked at once travels together, and what comes meanwhile waits for the group to return', async () => {
  const wire = held(upper);
  const gather = new Gather({ send: wire.send, itemsMax: 10 });
  const first = wire.sent(1);
  const answers = [gather.add('a'), gather.add('b')];
  await first;
  const second = wire.sent(2);
  answers.push(gather.add('c'), gather.add('d'));
  expect(wire.groups.map(({ items }) => items)).toEqual([['a', 'b']]);
  wire.groups[0]?.release();
  await second;
  expect(wire.groups.map(({ items }) => items)).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  wire.groups[1]?.release();
  expect(await Promise.all(answers)).toEqual(['A', 'B', 'C', 'D']);
});

test('a group has bounds in items, weight and keys, and the order of its keys', async () => {
  const groups: string[][] = [];
  const gather = new Gather<string, string>({
    send: async (items) => {
      groups.push([...items]);
      return items.map(upper);
    },
    itemsMax: 3,
    weightMax: 5,
    weightOf: (item) => item.length,
    keyOf: (item) => item.slice(0, 1),
  });
  const items = ['c1', 'c2', 'a', 'heavier', 'b', 'd', 'e'];
  expect(await Promise.all(items.map((item) => gather.add(item)))).toEqual(items.map((item) => item.toUpperCase()));
  expect(groups).toEqual([['a', 'b', 'c1'], ['c2', 'd', 'e'], ['heavier']]);
});

test('one that fails, or cannot be weighed, fails alone; a group that fails whole fails each of its own', async () => {
  const failed = { status: 'rejected', reason: new Error('no') } as const;
  const gather = new Gather<string, string>({
    send: async (items) => {
      if (items.includes('fatal')) throw new Error('lost');
      return items.map((item) => (item === 'bad' ? failed : upper(item)));
    },
    itemsMax: 3,
    weightOf: (item) => {
      if (item === 'shapeless') throw new Error('no weight');
      return 0;
    },
  });
  const asked = ['good', 'bad', 'shapeless', 'fine', 'fatal', 'beside'].map((item) => gather.add(item));
  const settled = await Promise.allSettled(asked);
  expect(settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message))).toEqual([
    'GOOD',
    'no',
    'no weight',
    'FINE',
    'lost',
    'lost',
  ]);
});

test('several groups may be under way where that is allowed', async () => {
  const wire = held(upper);
  const gather = new Gather({ send: wire.send, itemsMax: 1, flightsMax: 2 });
  const second = wire.sent(2);
  const answers = ['a', 'b', 'c'].map((item) => gather.add(item));
  await second;
  expect(wire.groups).toHaveLength(2);
  const third = wire.sent(3);
  wire.groups[1]?.release();
  expect(await answers[1]).toBe('B');
  await third;
  for (const { release } of wire.groups) release();
  expect(await Promise.all(answers)).toEqual(['A', 'B', 'C']);
});

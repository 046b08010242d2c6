import { type Collection, MongoBulkWriteError, MongoServerError } from 'mongodb';
import { expect, test } from 'vitest';
import { refusedAsDuplicates } from './driver-errors.ts';

interface One {
  readonly _id: string;
}

const duplicate = { code: 11_000, message: 'Duplicate key violation' };

/** A server that answers for the whole command; what it has taken is there. */
function answeringForAll(
  there: Set<string>,
  answer: { readonly code: number; readonly message: string },
  writeErrors: readonly { readonly code: number; readonly index: number }[] = [],
) {
  const collection = {
    insertMany: async (documents: One[]) => {
      there.add(documents[0]!._id);
      throw new MongoBulkWriteError({ ...answer, writeErrors: writeErrors as never }, {} as never);
    },
    insertOne: async ({ _id }: One) => {
      if (there.has(_id)) throw new MongoServerError(duplicate);
      there.add(_id);
    },
  };
  return collection as unknown as Collection<One>;
}

test('where the server names no document, each is inserted by itself', async () => {
  const there = new Set(['b']);
  const documents = ['a', 'b', 'c'].map((_id) => ({ _id }));
  expect(await refusedAsDuplicates(answeringForAll(there, duplicate), documents)).toEqual([0, 1]);
  expect([...there].sort()).toEqual(['a', 'b', 'c']);
});

test('a document whose writer was let go as deadlocked is inserted again; one that is there is refused, by its own index', async () => {
  const there = new Set<string>(['d']);
  const collection = answeringForAll(there, { code: 16_908_292, message: 'deadlock detected' }, [
    { code: 16_908_292, index: 1 },
    { code: 11_000, index: 3 },
  ]);
  const documents = ['d', 'c', 'b', 'a'].map((_id) => ({ _id }));
  expect(await refusedAsDuplicates(collection, documents)).toEqual([0]);
  expect([...there].sort()).toEqual(['a', 'b', 'd']);
});

test('any other failure of the whole command is thrown', async () => {
  const collection = answeringForAll(new Set(), { code: 8_000, message: 'no' });
  await expect(refusedAsDuplicates(collection, [{ _id: 'a' }])).rejects.toMatchObject({ code: 8_000 });
});

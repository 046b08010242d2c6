/** Owns answers that were randomised on devices: one document a question, one a question and person. What is kept is the first that a person gave. */
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import { hexOf } from '../../governance/keys.ts';
import type { Answers, PrivateAnswer, PrivateQuestion } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf, idsUnder } from './names.ts';

type StoredQuestion = PrivateQuestion & { readonly _id: string };
type StoredAnswer = Omit<PrivateAnswer, 'subject'> & {
  readonly _id: string;
  readonly tenant: string;
  readonly subject: Uint8Array;
};

const isSame = (a: PrivateQuestion, b: PrivateQuestion): boolean =>
  a.epsilon === b.epsilon && JSON.stringify(a.choices) === JSON.stringify(b.choices);

export async function createAnswerIndexes(db: Db): Promise<void> {
  await db.collection(COLLECTIONS.answers).createIndexes([{ key: { tenant: 1, subject: 1 }, name: 'subject' }]);
}

export function mongoAnswers(db: Db): Answers {
  const questions: Collection<StoredQuestion> = db.collection(COLLECTIONS.questions);
  const answers: Collection<StoredAnswer> = db.collection(COLLECTIONS.answers);
  const read = async (tenant: string, question: string): Promise<PrivateQuestion | undefined> =>
    (await questions.findOne({ _id: idOf(tenant, question) }, { projection: { _id: 0 } })) ?? undefined;
  return {
    async declare(tenant, question) {
      try {
        await questions.insertOne({ _id: idOf(tenant, question.question), ...question });
      } catch (thrown) {
        if (!isDuplicateKey(thrown)) throw thrown;
        const before = await read(tenant, question.question);
        if (before === undefined || !isSame(before, question))
          throw new AppError('QUESTION_CONFLICT', { details: { question: question.question } });
      }
    },
    question: read,
    questions: (tenant) =>
      questions
        .find({ _id: idsUnder(tenant) }, { projection: { _id: 0 } })
        .sort({ _id: 1 })
        .toArray(),
    async keep(tenant, given) {
      let kept = 0;
      for (const { subject, ...answer } of given) {
        const _id = idOf(tenant, answer.question, hexOf(subject));
        try {
          await answers.insertOne({ _id, tenant, ...answer, subject: Buffer.from(subject) });
          kept += 1;
        } catch (thrown) {
          if (!isDuplicateKey(thrown)) throw thrown;
        }
      }
      return kept;
    },
    given: async (tenant, subject) =>
      (
        await answers.find({ tenant, subject: Buffer.from(subject) }, { projection: { _id: 0, tenant: 0 } }).toArray()
      ).map((found) => ({ ...found, subject })),
    async forget(tenant, subject, source) {
      const whose = { tenant, subject: Buffer.from(subject), ...(source !== '*' && { source }) };
      return (await answers.deleteMany(whose)).deletedCount;
    },
    async *of(tenant, question) {
      const projection = { _id: 0, tenant: 0 };
      for await (const found of answers.find({ _id: idsUnder(idOf(tenant, question)) }, { projection }))
        yield { ...found, subject: Uint8Array.from(found.subject) };
    },
  };
}

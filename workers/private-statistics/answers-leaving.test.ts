/** Answers of devices go with the consent that allowed them, and with an erasure. */
import { expect, test } from 'vitest';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { SOURCE } from '../conformance/platform.ts';
import { NOW, openWorld, runOnce, TENANT } from '../conformance/world.ts';
import governance from '../governance/processor.ts';
import ingestion from '../ingestion/processor.ts';

test('who withdraws measurement, or is erased, leaves no answers', async () => {
  await using world = await openWorld();
  const { answers, people } = world.store;
  const users = ['ann', 'bob', 'cleo'];
  const consents = users.map((user) => ({ user, source: SOURCE, at: NOW - 1000, purposes: [...PURPOSES] }));
  await runOnce(world.ports, ingestion, { source: SOURCE, consents });
  await answers.declare(TENANT, { question: 'walks', choices: ['yes', 'no'], epsilon: 1, declaredAt: NOW });
  const subjects = people.keys(TENANT, users);
  await answers.keep(
    TENANT,
    subjects.map((subject) => ({ question: 'walks', subject, choice: 0, source: SOURCE, at: NOW })),
  );
  await runOnce(world.ports, governance, { act: 'withdraw', user: 'ann', purposes: ['recommendation'] });
  expect(await answers.given(TENANT, subjects[0]!)).toHaveLength(1);
  await runOnce(world.ports, governance, { act: 'withdraw', user: 'ann', purposes: ['measurement'] });
  await runOnce(world.ports, governance, { act: 'erase', user: 'bob' });
  const left = await Promise.all(subjects.map((subject) => answers.given(TENANT, subject)));
  expect(left.map((own) => own.length)).toEqual([0, 0, 1]);
});

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Job } from 'bullmq';
import { expect, test } from 'vitest';
import type { Envelope } from '../../shared/contract-kit/envelope.ts';
import { type EarlyOptions, startEarly } from './early.ts';

const envelope: Envelope = {
  v: 1,
  kind: 'probe-dataset',
  version: 1,
  tenant: 'acme',
  runKey: 'acme.probe-dataset.1',
  inputHash: 'x',
  asOf: 1,
};

/** What is begun early for a job, and what was asked of it and the store. */
function early(over: {
  attemptsStarted?: number;
  claim?: Envelope['claim'];
  consents?: true;
  open?: () => Promise<unknown>;
}) {
  const calls: string[] = [];
  const options = {
    job: { attemptsStarted: over.attemptsStarted ?? 1 } as Job,
    envelope: { ...envelope, claim: over.claim },
    processor: over.consents === undefined ? {} : { consents: over.consents },
    ports: {
      store: {
        consents: {
          snapshot: async (tenant: string) => {
            calls.push(`consents of ${tenant}`);
            return { epoch: 3 };
          },
        },
      },
    },
    open: async () => {
      calls.push('open');
      return over.open === undefined ? 'input' : over.open();
    },
  } as unknown as EarlyOptions;
  return { begun: startEarly(options), calls };
}

test('an input is opened ahead of the claim on its first delivery, after the claim has been sent', async () => {
  const { begun, calls } = early({});
  expect(calls).toEqual([]); // nothing in the turn that sends the claim
  expect(await begun.input).toBe('input');
  expect(calls).toEqual(['open']);
});

test.each([
  ['was delivered before and may have killed its process', { attemptsStarted: 2 }],
  ['lies in the store', { claim: { id: 'c', sha256: 'x'.repeat(64), bytes: 1 } }],
] as const)('an input that %s waits for the claim', async (_why, over) => {
  const { begun, calls } = early(over);
  await nextTurn();
  expect(begun.input).toBeUndefined();
  expect(calls).toEqual([]);
});

test('consents are asked for with the claim by processors that look them up, and by no others', async () => {
  const { begun, calls } = early({ consents: true, attemptsStarted: 2 });
  expect(await begun.consents).toMatchObject({ epoch: 3 });
  expect(calls).toEqual(['consents of acme']);
  expect(early({}).begun.consents).toBeUndefined();
});

test('what fails early fails where it is awaited', async () => {
  const { begun } = early({ open: async () => Promise.reject(new Error('unreadable')) });
  await nextTurn();
  await nextTurn();
  await expect(begun.input).rejects.toThrow('unreadable');
});

/** Facts about the chain of the audit trail: whatever is done to it is found where it was done. */
import { createSecretKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SignedTrailHead, TrailEntry, TrailReport } from '../store/ports/trail.ts';
import { canonicalJson } from './signing.ts';
import { chain, ChainCheck, GENESIS, PRUNE_ACT, type Unchained } from './trail-chain.ts';

const KEY = createSecretKey(Buffer.alloc(32, 7));
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const START = { n: 0, hash: GENESIS };

const entryOf = (n: number): Unchained => ({
  actor: { kind: 'key', id: `k${n}` },
  act: 'people:read',
  object: 'GET /v1/people/:user',
  ids: ['a', 'b'],
  outcome: n % 3 === 0 ? 'NOT_FOUND' : 'allowed',
  at: 1_700_000_000_000 + n,
});
const trailOf = (count: number): TrailEntry[] =>
  chain(
    KEY,
    'main',
    START,
    Array.from({ length: count }, (_, n) => entryOf(n + 1)),
  );

function headOf(trail: readonly TrailEntry[], n: number, key: KeyObject = privateKey): SignedTrailHead {
  const { hash, at } = trail[n - 1]!;
  const head = { tenant: 'main', n, hash, at };
  const signature = sign(null, Buffer.from(canonicalJson(head)), key).toString('base64');
  return { head, signature, publicKey: PEM };
}

function checked(trail: readonly TrailEntry[], heads: readonly SignedTrailHead[] = [], tenant = 'main'): TrailReport {
  const check = new ChainCheck(KEY, tenant, heads, PEM);
  for (const entry of trail) check.take(entry);
  return check.report();
}
const faultsOf = (...given: Parameters<typeof checked>) => checked(...given).faults;

describe('a trail', () => {
  it('that nobody touched has no fault, whole or with its beginning removed on purpose', () => {
    const trail = trailOf(20);
    expect(checked(trail, [headOf(trail, 20), headOf(trail, 3)])).toEqual({
      checked: 20,
      first: 1,
      last: 20,
      heads: 2,
      faults: [],
    });
    const ids = ['8', trail[7]!.hash];
    const pruned = [...trail, ...chain(KEY, 'main', trail[19]!, [{ ...entryOf(21), act: PRUNE_ACT, ids }])];
    expect(faultsOf(pruned.slice(8), [headOf(trail, 3)])).toEqual([]);
    expect(faultsOf(pruned.slice(5))).toEqual([]); // a removal that was cut off
    expect(faultsOf(pruned.slice(9))).toEqual([{ what: 'removed', n: 1, to: 9 }]);
  });

  it('shows which entry was changed, whatever of it', () => {
    const changes: readonly ((entry: TrailEntry) => TrailEntry)[] = [
      (entry) => ({ ...entry, outcome: 'REFUSED' }),
      (entry) => ({ ...entry, at: entry.at + 1 }),
      (entry) => ({ ...entry, actor: { kind: 'key', id: 'somebody else' } }),
      (entry) => ({ ...entry, person: 'abcd' }),
      (entry) => ({ ...entry, ids: ['a'] }),
      ({ ids: _ids, ...entry }) => entry,
      (entry) => ({ ...entry, hash: `${entry.hash.slice(1)}A` }),
      (entry) => ({ ...entry, prev: entry.hash }),
    ];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 29 }), fc.constantFrom(...changes), (at, change) => {
        expect(faultsOf(trailOf(30).map((entry, n) => (n === at ? change(entry) : entry)))).toEqual([
          { what: 'changed', n: at + 1 },
        ]);
      }),
    );
  });

  it('shows which entries are gone: at its beginning, inside, and at its end where a head was kept', () => {
    const trail = trailOf(30);
    const without = (from: number, to: number) => trail.filter(({ n }) => n < from || n > to);
    expect(faultsOf(without(12, 12))).toEqual([{ what: 'removed', n: 12 }]);
    expect(faultsOf(without(12, 15))).toEqual([{ what: 'removed', n: 12, to: 15 }]);
    expect(faultsOf(without(1, 4))).toEqual([{ what: 'removed', n: 1, to: 4 }]);
    expect(faultsOf(without(28, 30))).toEqual([]);
    expect(faultsOf(without(28, 30), [headOf(trail, 30)])).toEqual([{ what: 'cut-off', n: 28, to: 30 }]);
    expect(faultsOf([], [headOf(trail, 30)])).toEqual([{ what: 'cut-off', n: 1, to: 30 }]);
  });

  it('shows entries that were moved', () => {
    const trail = trailOf(10);
    const swapped = [...trail.slice(0, 4), trail[5]!, trail[4]!, ...trail.slice(6)];
    expect(faultsOf(swapped)).toEqual([{ what: 'out-of-order', n: 5 }]);
    expect(faultsOf([...trail, trail[2]!])).toEqual([{ what: 'out-of-order', n: 3 }]);
  });

  it('shows entries that were put in, by who has no key and by who has another one', () => {
    const trail = trailOf(10);
    const forged = { ...trail[4]!, act: 'people:write', hash: 'A'.repeat(43) };
    expect(faultsOf([...trail.slice(0, 4), forged, ...trail.slice(5)])).toEqual([{ what: 'changed', n: 5 }]);
    const [other] = chain(createSecretKey(Buffer.alloc(32, 8)), 'main', trail[9]!, [entryOf(11)]);
    expect(faultsOf([...trail, other!])).toEqual([{ what: 'changed', n: 11 }]);
  });

  it('written anew from some entry on by who has the key does not agree with a head that was kept', () => {
    const trail = trailOf(10);
    const anew = chain(
      KEY,
      'main',
      trail[3]!,
      [5, 6, 7, 8, 9, 10].map((n) => ({ ...entryOf(n), act: 'jobs:write' })),
    );
    const rewritten = [...trail.slice(0, 4), ...anew];
    expect(faultsOf(rewritten)).toEqual([]);
    expect(faultsOf(rewritten, [headOf(trail, 10)])).toEqual([{ what: 'replaced', n: 10 }]);
    expect(faultsOf([...trail.slice(0, 6), ...anew.slice(2)])).toEqual([{ what: 'replaced', n: 6 }]);
  });

  it('is of its tenant, and a head is of its deployment', () => {
    const trail = trailOf(3);
    expect(faultsOf(trail, [], 'other').map(({ what }) => what)).toEqual(['changed', 'changed', 'changed']);
    const stranger = generateKeyPairSync('ed25519');
    expect(faultsOf(trail, [headOf(trail, 2, stranger.privateKey)])).toEqual([{ what: 'head-not-ours', n: 2 }]);
  });
});

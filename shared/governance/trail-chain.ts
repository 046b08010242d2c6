/**
 * Owns the chain of the audit trail: how entries are hashed, and how a trail is checked. Each entry holds the hash of the one before it, and its own
 * hash is keyed, so that whoever can write to the store but lacks the tenant key can neither change an entry nor make one. Pure.
 */
import { createHmac, type KeyObject } from 'node:crypto';
import type { SignedTrailHead, TrailEntry, TrailFault, TrailReport } from '../store/ports/trail.ts';
import { canonicalJson, isSignedBy } from './signing.ts';

/** Faults that one report lists. */
export const FAULTS_MAX = 100;
/** What the first entry follows. */
export const GENESIS = '';
/** The act of an entry that says up to where older ones were removed; its ids are the number of the last of them and its hash. */
export const PRUNE_ACT = 'trail:prune';

export type Unchained = Omit<TrailEntry, 'n' | 'prev' | 'hash'>;

const hashOf = (key: KeyObject, tenant: string, entry: Omit<TrailEntry, 'hash'>): string =>
  createHmac('sha256', key)
    .update(canonicalJson({ ...entry, tenant }))
    .digest('base64url');

/** Entries that follow the one of the number `n` and the hash `prev`. */
export function chain(
  key: KeyObject,
  tenant: string,
  { n, hash }: Pick<TrailEntry, 'n' | 'hash'>,
  entries: readonly Unchained[],
): TrailEntry[] {
  let prev = hash;
  return entries.map((entry, index) => {
    const linked = { ...entry, n: n + 1 + index, prev };
    prev = hashOf(key, tenant, linked);
    return { ...linked, hash: prev };
  });
}

/** Takes the entries of a trail one after the other as they lie in the store, and says what is wrong with them. */
export class ChainCheck {
  readonly #key: KeyObject;
  readonly #tenant: string;
  readonly #heads: readonly SignedTrailHead[];
  #faults: TrailFault[] = [];
  /** Hashes at the numbers that heads speak of. */
  readonly #atHeads = new Map<number, string>();
  /** Up to where entries were removed on purpose, and the hash there. */
  #pruned: { readonly n: number; readonly hash: string } | undefined;
  readonly #moved = new Set<number>();
  #checked = 0;
  #first: TrailEntry | undefined;
  #last = { n: 0, hash: GENESIS, isIntact: true };

  constructor(key: KeyObject, tenant: string, heads: readonly SignedTrailHead[], publicKey: string) {
    this.#key = key;
    this.#tenant = tenant;
    this.#heads = heads.filter((head) => this.#isOurs(head, publicKey));
  }

  #isOurs({ head, signature }: SignedTrailHead, publicKey: string): boolean {
    if (head.tenant === this.#tenant && isSignedBy(head, signature, publicKey)) return true;
    this.#fault({ what: 'head-not-ours', n: head.n });
    return false;
  }

  #fault(fault: TrailFault): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(fault);
  }

  take(entry: TrailEntry): void {
    const { hash, ...content } = entry;
    const { n, prev } = entry;
    this.#checked += 1;
    const isIntact = hashOf(this.#key, this.#tenant, content) === hash;
    if (!isIntact) this.#fault({ what: 'changed', n });
    if (this.#first === undefined) this.#first = entry;
    else if (n <= this.#last.n) return this.#misplaced(n);
    else if (n > this.#last.n + 1) this.#fault(span('removed', this.#last.n + 1, n - 1));
    else if (prev !== this.#last.hash && isIntact && this.#last.isIntact) this.#fault({ what: 'replaced', n: n - 1 });
    if (isIntact && entry.act === PRUNE_ACT) this.#notePruned(entry);
    if (this.#heads.some(({ head }) => head.n === n)) this.#atHeads.set(n, hash);
    this.#last = { n, hash, isIntact };
  }

  /** It belongs elsewhere: what follows is held against what stands before it. Where it was missed, it is not gone. */
  #misplaced(n: number): void {
    this.#faults = this.#faults.filter((fault) => fault.what !== 'removed' || fault.n !== n || fault.to !== undefined);
    this.#moved.add(n);
    this.#fault({ what: 'out-of-order', n });
  }

  #notePruned({ ids = [] }: TrailEntry): void {
    const n = Number(ids[0]);
    if (n > (this.#pruned?.n ?? 0)) this.#pruned = { n, hash: ids[1] ?? '' };
  }

  /** What lies at the number up to which was pruned may be there still, where pruning was cut off: then its own links tell. */
  report(): TrailReport {
    const first = this.#first?.n ?? 0;
    const gone = first === 2 && this.#moved.has(1) ? 0 : first - 1;
    if (gone > 0 && (this.#pruned === undefined || this.#pruned.n < gone)) this.#fault(span('removed', 1, gone));
    else if (gone > 0 && this.#pruned?.n === gone && this.#pruned.hash !== this.#first?.prev)
      this.#fault({ what: 'replaced', n: first });
    for (const { head } of this.#heads) {
      if (head.n > this.#last.n) this.#fault(span('cut-off', this.#last.n + 1, head.n));
      else if (head.n >= first && this.#atHeads.get(head.n) !== head.hash) this.#fault({ what: 'replaced', n: head.n });
    }
    const faults = this.#faults.toSorted((a, b) => a.n - b.n);
    return { checked: this.#checked, first, last: this.#last.n, heads: this.#heads.length, faults };
  }
}

const span = (what: TrailFault['what'], n: number, to: number): TrailFault =>
  to === n ? { what, n } : { what, n, to };

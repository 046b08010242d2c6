/** Owns what tests ask about consents and versions: who allows a purpose, and the arrays of a version for comparing. */
import { hash } from 'node:crypto';
import type { Purpose } from '../../shared/contract-kit/purposes.ts';
import type { Store } from '../../shared/store/ports.ts';
import ingestion from '../ingestion/processor.ts';
import type { Ports } from '../runtime/processor.ts';
import { SOURCE } from './platform.ts';
import { runOnce, TENANT } from './world.ts';

/** People of the store, by hex of their subject key, split by whether they allow the purpose. */
export async function peopleByConsent(
  store: Store,
  purpose: Purpose,
): Promise<{ readonly allowed: Map<string, string>; readonly refused: Map<string, string> }> {
  const snapshot = await store.consents.snapshot(TENANT);
  const [allowed, refused] = [new Map<string, string>(), new Map<string, string>()];
  for await (const { id } of store.people.all(TENANT)) {
    const [key] = store.people.keys(TENANT, [id]);
    const side = snapshot.allows(key!, purpose, SOURCE) ? allowed : refused;
    side.set(Buffer.from(key!).toString('hex'), id);
  }
  return { allowed, refused };
}

export async function withdraw(ports: Ports, user: string, purpose: Purpose): Promise<void> {
  const at = ports.clock.now();
  await runOnce(ports, ingestion, {
    source: SOURCE,
    consents: [{ user, purposes: [purpose], source: SOURCE, state: 'withdrawn', at }],
  });
}

/** Hashes of all arrays of a version, by name. */
export async function bytesOf(store: Store, version: string): Promise<Record<string, string>> {
  const arrays = await store.versions.arrays(TENANT, await store.versions.read(TENANT, version));
  return Object.fromEntries(
    [...arrays].map(([name, data]) => [
      name,
      hash('sha256', new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    ]),
  );
}

/** Hex keys of an array of 16-byte keys. */
export function hexKeys(keys: Uint8Array): string[] {
  return Array.from({ length: keys.length / 16 }, (_, n) =>
    Buffer.from(keys.slice(n * 16, n * 16 + 16)).toString('hex'),
  );
}

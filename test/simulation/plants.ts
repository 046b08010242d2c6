/** Owns bugs that are planted on purpose: a simulation that does not find them proves nothing. Each changes what one process sees, and nothing else. */
import type { ConsentSnapshot, Store } from '../../shared/store/ports.ts';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import type { AnyProcessor } from '../../workers/runtime/processor.ts';

export interface Plant {
  store(store: Store): Store;
  processor(processor: AnyProcessor): AnyProcessor;
}

const SOUND: Plant = { store: (store) => store, processor: (processor) => processor };

/** A port with some of its methods replaced. */
function replaced<T extends object>(port: T, methods: Partial<T>): T {
  return new Proxy(port, {
    get: (target, name) =>
      name in methods ? methods[name as keyof T] : bound(Reflect.get(target, name, target), target),
  });
}

const bound = (value: unknown, target: object): unknown =>
  typeof value === 'function' ? (value as (...given: unknown[]) => unknown).bind(target) : value;

const withSnapshot = (store: Store, change: (snapshot: ConsentSnapshot) => ConsentSnapshot): Store => ({
  ...store,
  consents: replaced(store.consents, {
    snapshot: async (tenant) => change(await store.consents.snapshot(tenant)),
  }),
});

/** Nobody looks again before the commit. */
const blindCommit: Plant = {
  ...SOUND,
  store: (store) => ({
    ...store,
    consents: replaced(store.consents, {
      withdrawnSince: async (tenant) => ({ epoch: await store.consents.epoch(tenant), subjects: [] }),
    }),
  }),
};

/** A process asks for consents once and believes it from then on. */
const cachedConsents: Plant = {
  ...SOUND,
  store: (store) => {
    let first: Promise<ConsentSnapshot> | undefined;
    const snapshot = (tenant: string): Promise<ConsentSnapshot> => (first ??= store.consents.snapshot(tenant));
    return { ...store, consents: replaced(store.consents, { snapshot }) };
  },
};

/** A retry, or a redrive, goes on with what an earlier attempt had loaded. */
function keptLoads(): Plant {
  const loads = new Map<string, unknown>();
  const processor = (sound: AnyProcessor): AnyProcessor => ({
    ...sound,
    load: async (input, context) => {
      if (!loads.has(context.runKey)) loads.set(context.runKey, await sound.load(input, context));
      return loads.get(context.runKey);
    },
  });
  return { ...SOUND, processor };
}

/** Consent to one purpose is taken for consent to all. */
const blindToPurpose: Plant = {
  ...SOUND,
  store: (store) =>
    withSnapshot(store, (snapshot) => ({
      ...snapshot,
      allows: (subject, _purpose, source) => PURPOSES.some((purpose) => snapshot.allows(subject, purpose, source)),
    })),
};

/** What is allowed for one source is taken for allowed for all. */
const blindToSource: Plant = {
  ...SOUND,
  store: (store) =>
    withSnapshot(store, (snapshot) => ({
      ...snapshot,
      allows: (subject, purpose) =>
        ['web', 'mobile', 'films'].some((source) => snapshot.allows(subject, purpose, source)),
    })),
};

/** An erasure does not wait for what had begun before it. */
const hastyErasure: Plant = {
  ...SOUND,
  store: (store) => ({
    ...store,
    ledger: replaced(store.ledger, { running: async () => [], unfollowed: async () => [] }),
  }),
};

/** Jobs that lie in the queue are not looked into. */
const sealedQueue: Plant = {
  ...SOUND,
  processor: (sound) => {
    if (sound.contract.kind !== 'governance') return sound;
    return {
      ...sound,
      follow: async (run, { payloads: _payloads, ...ports }, following) => sound.follow?.(run, ports, following),
    };
  },
};

export const PLANTS = {
  none: () => SOUND,
  'blind-commit': () => blindCommit,
  'cached-consents': () => cachedConsents,
  'kept-loads': keptLoads,
  'blind-to-purpose': () => blindToPurpose,
  'blind-to-source': () => blindToSource,
  'hasty-erasure': () => hastyErasure,
  'sealed-queue': () => sealedQueue,
} as const;
export type PlantName = keyof typeof PLANTS;

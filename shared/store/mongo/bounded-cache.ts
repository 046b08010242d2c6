/** Owns caches with a bound: the entry put in first leaves first. Never an authority, only what saves a round trip or a hash. */

/** A cache of many tenants under one bound. Names are looked up as they are: joining tenant and name costs more than what most entries save. */
export class TenantCache<V> {
  readonly #tenants = new Map<string, Map<string, V>>();
  readonly #entriesMax: number;
  #size = 0;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get(tenant: string, name: string): V | undefined {
    return this.#tenants.get(tenant)?.get(name);
  }

  set(tenant: string, name: string, value: V): void {
    let entries = this.#tenants.get(tenant);
    if (entries === undefined) {
      entries = new Map();
      this.#tenants.set(tenant, entries);
    }
    const before = entries.size;
    entries.set(name, value);
    this.#size += entries.size - before;
    if (this.#size > this.#entriesMax) this.#dropOldest();
  }

  /** The oldest entry of the tenant that was met first and still has entries. */
  #dropOldest(): void {
    for (const [tenant, entries] of this.#tenants) {
      for (const name of entries.keys()) {
        entries.delete(name);
        this.#size -= 1;
        return;
      }
      this.#tenants.delete(tenant);
    }
  }
}

export class BoundedCache<V> {
  readonly #entries = new Map<string, V>();
  readonly #entriesMax: number;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  set(key: string, value: V): void {
    if (this.#entries.size >= this.#entriesMax && !this.#entries.has(key)) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

import { expect, it } from 'vitest';
import { BoundedCache, TenantCache } from './bounded-cache.ts';

it('a bounded cache lets the entry go that was put in first', () => {
  const cache = new BoundedCache<number>(2);
  for (const [n, name] of ['a', 'b', 'a', 'c'].entries()) cache.set(name, n);
  expect(['a', 'b', 'c'].map((name) => cache.get(name))).toEqual([undefined, 1, 3]);
});

it('a cache of tenants keeps them apart under one bound, and lets go of the tenant met first', () => {
  const cache = new TenantCache<number>(3);
  cache.set('x', 'a', 1);
  cache.set('y', 'a', 2);
  cache.set('x', 'b', 3);
  cache.set('x', 'b', 4); // the same entry
  expect([cache.get('x', 'a'), cache.get('y', 'a'), cache.get('x', 'b')]).toEqual([1, 2, 4]);
  cache.set('y', 'b', 5);
  cache.set('y', 'c', 6);
  expect([cache.get('x', 'a'), cache.get('x', 'b')]).toEqual([undefined, undefined]);
  cache.set('y', 'd', 7);
  expect(['a', 'b', 'c', 'd'].map((name) => cache.get('y', name))).toEqual([undefined, 5, 6, 7]);
});

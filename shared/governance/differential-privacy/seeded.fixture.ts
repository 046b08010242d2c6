/** Owns a source of random bytes that gives the same ones every time, for tests: the key stream of AES in counter mode. */
import { createCipheriv, createHash } from 'node:crypto';
import type { RandomSource } from './random-bits.ts';

export function seeded(seed: string): RandomSource {
  const key = createHash('sha256').update(seed).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return (bytes) => bytes.set(stream.update(new Uint8Array(bytes.length)));
}

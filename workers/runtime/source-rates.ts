/** Owns putting in place how fast each declared source may send, where every producer's admission reads it. */
import type { Redis } from 'ioredis';
import { EVERY_TENANT, setQueueLimit } from '../../jobs/client/queue-limits.ts';
import { SOURCES, type SourceDeclaration } from '../../shared/sources/registry.ts';

/** A tenant's own rate for a source (`millrace limit ingestion --source`) goes before these. */
export async function declareSourceRates(
  redis: Redis,
  prefix: string,
  sources: readonly SourceDeclaration[] = SOURCES,
): Promise<void> {
  for (const { name: source, rate } of sources)
    if (rate !== null) await setQueueLimit(redis, prefix, 'ingestion', { tenant: EVERY_TENANT, source, rate });
}

/**
 * Owns checkpoints in MongoDB: one immutable document each, which names encrypted blocks as a version does. A document is written after
 * its blocks and removed before them, so that whatever is found can be read; a crash between leaves blocks that nothing names, which
 * collection removes.
 */
import { hash } from 'node:crypto';
import type { Collection, Db, Filter } from 'mongodb';
import type { Checkpoint, Checkpoints, StoredCheckpoint, Versions } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf } from './names.ts';

type CheckpointDocument = StoredCheckpoint & { _id: string };

class MongoCheckpoints implements Checkpoints {
  readonly #checkpoints: Collection<CheckpointDocument>;
  readonly #versions: Versions;
  readonly #clock: () => number;

  constructor(db: Db, versions: Versions, clock: () => number) {
    this.#checkpoints = db.collection<CheckpointDocument>(COLLECTIONS.checkpoints);
    this.#versions = versions;
    this.#clock = clock;
  }

  async write(checkpoint: Checkpoint, arrays: Readonly<Record<string, Float32Array>>): Promise<void> {
    const { epoch, fence, part, runKey, tenant } = checkpoint;
    const named = Object.entries(arrays).map(([name, data]) => ({ name, data }));
    const draft = await this.#versions.draft(tenant, runKey, fence, 0, named);
    const _id = idOf(tenant, hash('sha256', runKey, 'hex').slice(0, 24), part, String(fence), String(epoch));
    try {
      await this.#checkpoints.insertOne({ ...checkpoint, blocks: draft.blocks, createdAt: this.#clock(), _id });
    } catch (thrown) {
      // The same attempt wrote it before, and the connection was lost with the answer.
      if (!isDuplicateKey(thrown)) throw thrown;
    }
    await this.#removeAll({ tenant, runKey, part, fence: { $lte: fence }, _id: { $ne: _id } });
  }

  async last(tenant: string, runKey: string, part: string, fingerprint: string): Promise<StoredCheckpoint | undefined> {
    const found = this.#checkpoints.find({ tenant, runKey, part, fingerprint }).sort({ epoch: -1 }).limit(1);
    const [newest] = await found.toArray();
    return newest;
  }

  async arrays(checkpoint: StoredCheckpoint): Promise<Record<string, Float32Array>> {
    const arrays = await this.#versions.arrays(checkpoint.tenant, checkpoint);
    return Object.fromEntries(arrays) as Record<string, Float32Array>;
  }

  async remove(tenant: string, runKey: string): Promise<void> {
    await this.#removeAll({ tenant, runKey });
  }

  async #removeAll(filter: Filter<CheckpointDocument>): Promise<void> {
    for (const { _id, tenant, blocks } of await this.#checkpoints.find(filter).toArray()) {
      await this.#checkpoints.deleteOne({ _id });
      await this.#versions.discard(tenant, { rows: 0, blocks });
    }
  }

  async runs(limit: number): ReturnType<Checkpoints['runs']> {
    const found = await this.#checkpoints
      .find({}, { projection: { tenant: 1, runKey: 1 } })
      .sort({ createdAt: 1 })
      .limit(limit)
      .toArray();
    const byKey = new Map(found.map(({ tenant, runKey }) => [runKey, { tenant, runKey }]));
    return [...byKey.values()];
  }
}

export function mongoCheckpoints(db: Db, versions: Versions, clock: () => number): Checkpoints {
  return new MongoCheckpoints(db, versions, clock);
}

export async function createCheckpointIndexes(db: Db): Promise<void> {
  await db.collection(COLLECTIONS.checkpoints).createIndexes([
    { key: { tenant: 1, runKey: 1 }, name: 'run' },
    { key: { createdAt: 1 }, name: 'oldest' },
  ]);
}

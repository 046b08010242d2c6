/** Owns the state of pipeline runs: one document a run, advanced by compare-and-set on `seq`. */
import type { Collection, Db } from 'mongodb';
import type { PipelineRunDocument, PipelineRuns } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';

type Stored = Omit<PipelineRunDocument, 'id'> & { _id: string };

const toRun = ({ _id, ...rest }: Stored): PipelineRunDocument => ({ id: _id, ...rest });

class MongoPipelineRuns implements PipelineRuns {
  readonly #runs: Collection<Stored>;

  constructor(db: Db) {
    this.#runs = db.collection<Stored>('pipeline_runs');
  }

  async create(run: PipelineRunDocument): Promise<PipelineRunDocument> {
    const { id, ...rest } = run;
    try {
      await this.#runs.insertOne({ _id: id, ...rest });
      return run;
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown;
      const found = await this.#runs.findOne({ _id: id });
      if (found === null) throw thrown;
      return toRun(found);
    }
  }

  async read(id: string): Promise<PipelineRunDocument | undefined> {
    const found = await this.#runs.findOne({ _id: id });
    return found === null ? undefined : toRun(found);
  }

  async advance(before: PipelineRunDocument, after: Omit<PipelineRunDocument, 'seq'>): Promise<boolean> {
    const { id, steps, ...rest } = after;
    // Only what changed: a run of many steps is advanced as often as it has steps.
    const changed = Object.entries(steps).filter(([name, step]) => step !== before.steps[name]);
    const named = Object.fromEntries(changed.map(([name, step]) => [`steps.${name}`, step]));
    const result = await this.#runs.updateOne(
      { _id: id, seq: before.seq },
      { $set: { ...rest, ...named, seq: before.seq + 1 } },
    );
    return result.matchedCount === 1;
  }

  async running(limit: number, after = ''): Promise<PipelineRunDocument[]> {
    const found = await this.#runs
      .find({ state: 'running', _id: { $gt: after } })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
    return found.map(toRun);
  }

  async untold(limit: number): Promise<PipelineRunDocument[]> {
    return (await this.#runs.find({ told: false }).limit(limit).toArray()).map(toRun);
  }

  async markTold(id: string): Promise<void> {
    await this.#runs.updateOne({ _id: id, told: false }, { $set: { told: true } });
  }

  async latest(tenant: string, limit: number): Promise<PipelineRunDocument[]> {
    const found = await this.#runs.find({ tenant }).sort({ createdAt: -1 }).limit(limit).toArray();
    return found.map(toRun);
  }
}

export function mongoPipelineRuns(db: Db): PipelineRuns {
  return new MongoPipelineRuns(db);
}

export async function createPipelineRunIndexes(db: Db): Promise<void> {
  await db.collection('pipeline_runs').createIndexes([
    { key: { state: 1, changedAt: 1 }, name: 'running', partialFilterExpression: { state: 'running' } },
    { key: { tenant: 1, createdAt: -1 }, name: 'latest' },
    { key: { told: 1 }, name: 'untold', partialFilterExpression: { told: false } },
  ]);
}

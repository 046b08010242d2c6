/**
 * Owns the note of a data set that `millrace up` has begun to load and not finished: a newcomer who stops the first start half-way
 * gets the whole of it from the next one, whatever is in the store by then.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../../shared/config.ts';

const unfinishedSchema = z.object({
  /** As `--data` takes it. */
  data: z.string(),
  size: z.object({ people: z.int().optional(), videos: z.int().optional(), events: z.int().optional() }),
});
export interface Unfinished {
  readonly data: string;
  readonly size: { readonly people?: number; readonly videos?: number; readonly events?: number };
}

/** One note a database and tenant: a state folder may serve several. */
const pathOf = ({ stateDir, database, tenant }: Config): string =>
  join(stateDir, `unfinished-${database}-${tenant}.json`);

export function readUnfinished(config: Config): Unfinished | undefined {
  try {
    const { data, size } = unfinishedSchema.parse(JSON.parse(readFileSync(pathOf(config), 'utf8')));
    return { data, size: JSON.parse(JSON.stringify(size)) as Unfinished['size'] };
  } catch {
    return undefined; // none, or written by halves: then nothing had been loaded yet
  }
}

export function writeUnfinished(config: Config, unfinished: Unfinished): void {
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  writeFileSync(pathOf(config), JSON.stringify(unfinished), { mode: 0o600 });
}

export function removeUnfinished(config: Config): void {
  rmSync(pathOf(config), { force: true });
}

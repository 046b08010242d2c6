/** Owns how old the live model is, beside how old it may be. */
import type { Store } from './ports.ts';

export interface ModelAge {
  readonly version: string;
  readonly ageMs: number;
  readonly limitMs: number;
  readonly isTooOld: boolean;
}

/** Undefined: no model is live, or it cannot be read any more. */
export async function modelAge(
  { releases, versions }: Pick<Store, 'releases' | 'versions'>,
  tenant: string,
  limitMs: number,
  nowMs: number,
): Promise<ModelAge | undefined> {
  const live = await releases.live(tenant);
  if (live?.embeddings === undefined) return undefined;
  const model = await versions.read(tenant, live.embeddings).catch(() => undefined);
  if (model === undefined) return undefined;
  const ageMs = nowMs - model.createdAt;
  return { version: model.version, ageMs, limitMs, isTooOld: ageMs > limitMs };
}

const HOUR_MS = 3600_000;

/** For people; undefined while it is young enough. */
export function oldModelLine(age: ModelAge | undefined): string | undefined {
  if (age?.isTooOld !== true) return undefined;
  const hours = (ms: number): number => Math.floor(ms / HOUR_MS);
  return `the live model is ${hours(age.ageMs)} h old, more than ${hours(age.limitMs)} h: \`millrace run refresh --wait\``;
}

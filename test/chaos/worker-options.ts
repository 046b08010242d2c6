/** Owns what the harness tells a process that it starts. */
import type { Plant } from './plants.ts';

export interface ChaosWorkerOptions {
  readonly redisUrl: string;
  readonly mongodbUrl: string;
  readonly prefix: string;
  readonly database: string;
  /** Where it is remembered what has failed once. */
  readonly folder: string;
  readonly plant?: Plant | undefined;
  readonly verbose?: boolean;
}

/**
 * Owns what a job contract is. A contract says what may be asked (input), what is answered (output), whether
 * the input is personal, for which purposes data may be loaded, how its effect is committed, and every limit.
 * All types of client, executor and processors are inferred from it.
 */
import type { z } from 'zod';
import type { Purpose } from './purposes.ts';
import type { Upcaster } from './versions.ts';

/**
 * How an effect becomes true, once:
 * `none`: no effect in the store; the terminal state is BullMQ's.
 * `record`: one insert `_id: runKey` is claim, output and commit.
 * `dataset`: claim, immutable version, commit; pointers follow.
 */
export const EFFECT_CLASSES = ['none', 'record', 'dataset'] as const;
export type EffectClass = (typeof EFFECT_CLASSES)[number];

export interface JobLimits {
  /** Largest serialised input in bytes, before sealing; above 64 KiB it travels as a payload claim. */
  readonly inputBytesMax: number;
  /** Attempts until a failing run is dead-lettered. */
  readonly attemptsMax: number;
  /** First delay between attempts; doubles each time. */
  readonly backoffMs: number;
  /** Longest a single attempt may take. */
  readonly durationMsMax: number;
  /** Longest an attempt may be silent: no progress, no verb that ends, no task that begins or ends, no thread at work. Above `durationMsMax` it means nothing. */
  readonly heartbeatMsMax: number;
  /** Most memory a single run may take. */
  readonly memoryMbMax: number;
  /** Runs that one worker process executes at once. */
  readonly concurrency: number;
  /** Unfinished jobs that one tenant may have in the queue; more are refused with LIMIT_QUEUE_FULL. Operators may set another. */
  readonly backlogMax: number;
}

export const DEFAULT_LIMITS: JobLimits = {
  inputBytesMax: 16 * 1024 * 1024,
  attemptsMax: 5,
  backoffMs: 1_000,
  durationMsMax: 60 * 60_000,
  heartbeatMsMax: 10 * 60_000,
  memoryMbMax: 2_048,
  concurrency: 1,
  backlogMax: 100_000,
};

export interface JobDefinition<K extends string, I extends z.ZodType, O extends z.ZodType> {
  readonly kind: K;
  /** Raised with every change of input or output; `test/contracts/` holds what was published. */
  readonly version: number;
  /** By the version that each leads away from: together they reach from the oldest version that is still read to the one before today's. */
  readonly upcasters?: Readonly<Record<number, Upcaster>>;
  /** One sentence for people. */
  readonly title: string;
  readonly input: I;
  readonly output: O;
  /** Personal input is sealed by the client; Redis holds ciphertext. */
  readonly personal: boolean;
  readonly effect: EffectClass;
  /** Data of people who consented to none of these is not loaded. Empty: the kind loads no personal data by purpose. */
  readonly purposes: readonly Purpose[];
  /** A withdrawal between load and commit refuses the whole result instead of publishing it marked stale. */
  readonly strict?: boolean;
  readonly limits?: Partial<JobLimits>;
}

export interface Contract<K extends string = string, I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType>
  extends JobDefinition<K, I, O> {
  readonly strict: boolean;
  readonly upcasters: Readonly<Record<number, Upcaster>>;
  readonly limits: JobLimits;
}

export type ContractInput<C extends Contract> = z.input<C['input']>;
export type ContractParsed<C extends Contract> = z.output<C['input']>;
export type ContractOutput<C extends Contract> = z.output<C['output']>;

/** A dead-lettered run can be given back to work for so long; its payload is kept as long. */
export const REDRIVE_WINDOW_MS = 7 * 24 * 3600_000;

const KIND_PATTERN = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** Makes a contract with every default filled in; throws RangeError on an impossible definition (at boot, never at run time). */
export function defineJob<const K extends string, I extends z.ZodType, O extends z.ZodType>(
  definition: JobDefinition<K, I, O>,
): Contract<K, I, O> {
  if (!KIND_PATTERN.test(definition.kind)) throw new RangeError(`kind "${definition.kind}" must be kebab-case`);
  if (!Number.isInteger(definition.version) || definition.version < 1)
    throw new RangeError(`${definition.kind}: version must be >= 1`);
  const upcasters = definition.upcasters ?? {};
  const olders = Object.keys(upcasters).map(Number);
  for (let back = 1; back <= olders.length; back++)
    if (!olders.includes(definition.version - back))
      throw new RangeError(
        `${definition.kind}: upcasters must lead from version to version up to ${definition.version}`,
      );
  const limits = { ...DEFAULT_LIMITS, ...definition.limits };
  for (const [name, value] of Object.entries(limits))
    if (!(Number.isFinite(value) && value > 0)) throw new RangeError(`${definition.kind}: limit ${name} must be > 0`);
  return Object.freeze({ ...definition, strict: definition.strict ?? false, upcasters, limits: Object.freeze(limits) });
}

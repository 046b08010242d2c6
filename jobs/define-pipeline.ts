/**
 * Owns what a pipeline is: steps that wait for earlier ones, and groups that become further steps once what they wait for
 * has committed. Every function in a definition is pure: it sees the run's parameters, `asOf`, what was live at the start and the
 * committed outputs of what it waits for, so a crash, or two processes at once, give the same steps under the same names.
 *
 *   step(contract, after, input)        one job
 *   fanOut(contract, { ... })           one job for each part of a list: `name[0]`, or `name[key]`
 *   fanOutRuns({ ... })                 one pipeline run for each part of a list
 *   rounds({ ... })                     phases: the steps of a round are made from the outputs of the round before: `name[0]/step`
 *
 * Whoever waits for a group waits for all that it became. A name in `after` or `output` is looked up in the same round first,
 * then in what surrounds it; `search/trial` is the step `trial` of the last round of `search`.
 */
import type { z } from 'zod';
import type { Contract, ContractInput, ContractOutput } from '../shared/contract-kit/define-job.ts';
import type { ReleaseParts } from './pipeline/contract.ts';

/** Most steps of one run, groups and what they became included. */
export const STEPS_MAX = 2_000;
/** Most rounds of a group. */
const ROUNDS_MAX = 500;
/** Steps of one run that are enqueued at once, unless the pipeline says otherwise. */
export const PARALLEL_DEFAULT = 16;
const PARALLEL_MAX = 256;

/** What a step's input, or a group's next steps, are made from. */
export interface StepContext {
  readonly params: Readonly<Record<string, unknown>>;
  /** Moment the run speaks of, ms since 1970. */
  readonly asOf: number;
  /** Parts of the release that was live when the run started. */
  readonly live: ReleaseParts;
  /** The committed output of a step that is waited for, parsed by its contract. */
  readonly output: <C extends Contract>(step: string, contract: C) => ContractOutput<C>;
  /** Outputs of all steps of a fan-out that is waited for, in the order of its parts; of optional ones that failed: undefined. */
  readonly outputs: <C extends Contract>(group: string, contract: C) => (ContractOutput<C> | undefined)[];
}

export interface Step {
  readonly contract: Contract;
  /** Names of steps and groups, all of them listed before this one. */
  readonly after: readonly string[];
  /** Its failure does not fail the run: it ends as `skipped`. */
  readonly optional?: boolean;
  input(context: StepContext): unknown;
}

/** A pipeline run of its own, which this one starts and waits for. */
export interface SubRun {
  readonly after: readonly string[];
  readonly optional?: boolean;
  start(context: StepContext): RunStart;
}

export interface RunStart {
  readonly pipeline: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly asOf: number;
}

/** Becomes further steps, round by round. */
export interface Group {
  readonly after: readonly string[];
  /** `parts`: one round, steps named `group[key]`. `rounds`: steps named `group[round]/key`. */
  readonly layout: 'parts' | 'rounds';
  /** A group that has not ended after so many rounds fails the run. */
  readonly roundsMax: number;
  /** The steps of a round, by key; none: the group is complete. In `rounds`, names mean the steps of the round before. */
  expand(context: StepContext, round: number): Readonly<Record<string, PipelineNode>>;
}

export type PipelineNode = Step | SubRun | Group;
export type Nodes = Readonly<Record<string, PipelineNode>>;

export interface Pipeline {
  readonly name: string;
  readonly title: string;
  readonly params: z.ZodType<Record<string, unknown>>;
  /** Steps of one run that are enqueued at once; absent: 16. */
  readonly parallel?: number | ((params: Readonly<Record<string, unknown>>) => number);
  readonly steps: Nodes;
}

export const isGroup = (node: PipelineNode): node is Group => 'expand' in node;
export const isSubRun = (node: PipelineNode): node is SubRun => 'start' in node;

export function step<C extends Contract>(
  contract: C,
  after: readonly string[],
  input: (context: StepContext) => ContractInput<C>,
  options: Pick<Step, 'optional'> = {},
): Step {
  return { contract, after, input, ...options };
}

interface Parts<T> {
  readonly after?: readonly string[];
  /** The parts. Each becomes one step. */
  readonly over: (context: StepContext) => readonly T[];
  /** What tells a part apart; absent: its index. Letters, digits, `_`, `:` and `-`. */
  readonly key?: (part: T, index: number) => string;
  /** A part that fails is `skipped` and does not fail the run. */
  readonly optional?: boolean;
}

export interface FanOut<C extends Contract, T> extends Parts<T> {
  readonly input: (context: StepContext, part: T, index: number) => ContractInput<C>;
}

export function fanOut<C extends Contract, T>(contract: C, definition: FanOut<C, T>): Group {
  const { input, optional = false } = definition;
  return partsOf(definition, (part, index) =>
    step(contract, [], (context) => input(context, part, index), { optional }),
  );
}

export interface FanOutRuns<T> extends Parts<T> {
  readonly start: (context: StepContext, part: T, index: number) => RunStart;
}

export function fanOutRuns<T>(definition: FanOutRuns<T>): Group {
  const { start, optional = false } = definition;
  return partsOf(definition, (part, index) => ({
    after: [],
    optional,
    start: (context: StepContext) => start(context, part, index),
  }));
}

function partsOf<T>({ after = [], over, key }: Parts<T>, make: (part: T, index: number) => Step | SubRun): Group {
  return {
    after,
    layout: 'parts',
    roundsMax: 1,
    expand: (context) => {
      const nodes: Record<string, Step | SubRun> = {};
      for (const [index, part] of over(context).entries()) {
        const name = key === undefined ? String(index) : key(part, index);
        if (Object.hasOwn(nodes, name)) throw new RangeError(`two parts have the key "${name}"`);
        nodes[name] = make(part, index);
      }
      return nodes;
    },
  };
}

export interface Rounds {
  readonly after?: readonly string[];
  /** More rounds than this fail the run. */
  readonly max: number;
  /** The steps of the round; undefined or none: that was all. Names mean the steps of the round before. */
  readonly next: (context: StepContext, round: number) => Nodes | undefined;
}

export function rounds({ after = [], max, next }: Rounds): Group {
  if (!Number.isInteger(max) || max < 1 || max > ROUNDS_MAX)
    throw new RangeError(`a group has 1 to ${ROUNDS_MAX} rounds, not ${max}`);
  return { after, layout: 'rounds', roundsMax: max, expand: (context, round) => next(context, round) ?? {} };
}

export const STEP_NAME = /^[a-z][a-z0-9-]{0,62}$/;

/** Checks the part of a pipeline that is known at boot; throws RangeError. */
export function definePipeline<const P extends Pipeline>(pipeline: P): P {
  const earlier = new Set<string>();
  for (const [name, { after }] of Object.entries(pipeline.steps)) {
    if (!STEP_NAME.test(name)) throw new RangeError(`${pipeline.name}: the step name "${name}" must be kebab-case`);
    for (const other of after)
      if (!earlier.has(other.split('/', 1)[0] ?? ''))
        throw new RangeError(`${pipeline.name}: "${name}" waits for "${other}", which is not listed before it`);
    earlier.add(name);
  }
  return pipeline;
}

/** Steps of a run that may be enqueued at once. */
export function parallelOf(pipeline: Pipeline, params: Readonly<Record<string, unknown>>): number {
  const { parallel = PARALLEL_DEFAULT } = pipeline;
  const asked = typeof parallel === 'number' ? parallel : parallel(params);
  return Math.max(1, Math.min(PARALLEL_MAX, asked));
}

/**
 * Owns what a run's steps are at one moment: the pipeline's definition, with every group expanded as far as the run's document
 * says, and what each of them may see. Pure: the same document and outputs give the same graph in any process.
 */
import {
  type Group,
  isGroup,
  type Nodes,
  parallelOf,
  type Pipeline,
  type PipelineNode,
  type RunStart,
  type Step,
  STEP_NAME,
  STEPS_MAX,
  type StepContext,
  type SubRun,
} from '../../jobs/define-pipeline.ts';
import type { Contract, ContractOutput } from '../../shared/contract-kit/define-job.ts';
import { readOutput } from '../../shared/contract-kit/versions.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, PipelineStepState, Store } from '../../shared/store/ports.ts';

export type Steps = Readonly<Record<string, PipelineStepState>>;
/** Outputs that the document does not hold, by run key. */
export type Loaded = ReadonlyMap<string, unknown>;

const PART_KEY = /^[A-Za-z0-9][A-Za-z0-9_:-]{0,62}$/;
const NAME_LENGTH_MAX = 250;

/** Runs a part of a definition, with the outputs it asks for that lie in the ledger alone. */
export async function withOutputs<T>({ ledger }: Pick<Store, 'ledger'>, work: (loaded: Loaded) => T): Promise<T> {
  const loaded = new Map<string, unknown>();
  for (let turn = 0; turn <= STEPS_MAX; turn++) {
    try {
      return work(loaded);
    } catch (thrown) {
      if (!(thrown instanceof OutputsAbsent)) throw thrown;
      const runs = await Promise.all(thrown.runKeys.map((runKey) => ledger.read(runKey)));
      for (const [index, runKey] of thrown.runKeys.entries()) loaded.set(runKey, runs[index]?.output);
    }
  }
  throw new AppError('PIPELINE_TOO_LARGE', { details: { stepsMax: STEPS_MAX } });
}

/** Thrown through a definition's function that needs outputs which lie in the ledger: load them and ask again. */
export class OutputsAbsent extends Error {
  readonly runKeys: readonly string[];

  constructor(runKeys: readonly string[]) {
    super('outputs must be loaded first');
    this.runKeys = runKeys;
  }
}

export interface Placed {
  readonly name: string;
  readonly node: PipelineNode;
  /** Full names of what it waits for. */
  readonly after: readonly string[];
  /** Prefixes under which its names are looked up, innermost first. */
  readonly scopes: readonly string[];
  /** The group it came from, and in which round. */
  readonly from?: { readonly group: string; readonly round: number };
}

export const isDone = (step: PipelineStepState | undefined): boolean =>
  step?.state === 'committed' || step?.state === 'skipped';

const invalid = (run: PipelineRunDocument, message: string): AppError =>
  new AppError('PIPELINE_INVALID', { message, details: { pipeline: run.pipeline, run: run.id } });

export class StepGraph {
  /** In the order of the definition, what a group became right behind it. */
  readonly nodes = new Map<string, Placed>();
  readonly parallel: number;
  readonly #run: PipelineRunDocument;
  readonly #loaded: Loaded;
  readonly #children = new Map<string, Placed[]>();
  readonly #before = new Map<string, ReadonlySet<string>>();

  /** Throws PIPELINE_INVALID when definition and document do not fit, and OutputsAbsent. */
  constructor(pipeline: Pipeline, run: PipelineRunDocument, loaded: Loaded = new Map()) {
    this.#run = run;
    this.#loaded = loaded;
    this.parallel = parallelOf(pipeline, run.params);
    this.#placeAll(pipeline.steps, (key) => key, STEP_NAME, ['']);
    const unknown = Object.keys(run.steps).find((name) => !this.nodes.has(name));
    if (unknown !== undefined)
      throw invalid(run, `The pipeline "${run.pipeline}" has no step "${unknown}" (any more).`);
  }

  /** The steps that came of a group, nested ones included only through their own groups. */
  childrenOf(group: string): readonly Placed[] {
    return this.#children.get(group) ?? [];
  }

  /** The names of a group's next round. */
  expand({ name, node, scopes }: Placed, round: number): string[] {
    if (!isGroup(node)) throw new RangeError(`${name} is no group`);
    const nodes = this.#expanded(name, node, scopes, round);
    return Object.keys(nodes).map(childName(name, node, round));
  }

  inputOf({ name, scopes }: Placed, node: Step): unknown {
    return node.input(this.#context(scopes, this.before(name)));
  }

  startOf({ name, scopes }: Placed, node: SubRun): RunStart {
    return node.start(this.#context(scopes, this.before(name)));
  }

  /** Everything that has ended before this one may start. */
  before(name: string): ReadonlySet<string> {
    let before = this.#before.get(name);
    if (before !== undefined) return before;
    const { after, from } = this.#placed(name);
    const found = new Set<string>();
    const add = (names: Iterable<string>): void => {
      for (const one of names) found.add(one);
    };
    for (const other of after) {
      add(this.before(other));
      add(this.#whole(other));
    }
    if (from !== undefined) {
      add(this.before(from.group));
      add(this.#rounds(from.group, from.round));
    }
    before = found;
    this.#before.set(name, before);
    return before;
  }

  /** A node and all that came of it. */
  *#whole(name: string): Generator<string> {
    yield name;
    yield* this.#rounds(name, Number.POSITIVE_INFINITY);
  }

  *#rounds(group: string, before: number): Generator<string> {
    for (const child of this.childrenOf(group))
      if (child.from !== undefined && child.from.round < before) yield* this.#whole(child.name);
  }

  #placed(name: string): Placed {
    const placed = this.nodes.get(name);
    if (placed === undefined) throw invalid(this.#run, `There is no step "${name}".`);
    return placed;
  }

  #placeAll(
    nodes: Nodes,
    nameOf: (key: string) => string,
    keys: RegExp,
    scopes: readonly string[],
    from?: Placed['from'],
  ): void {
    for (const [key, node] of Object.entries(nodes)) {
      const name = nameOf(key);
      if (!keys.test(key) || name.length > NAME_LENGTH_MAX)
        throw invalid(this.#run, `"${name}" cannot be the name of a step.`);
      const state = this.#run.steps[name];
      if (state === undefined) throw invalid(this.#run, `The run was started without the step "${name}".`);
      const after = node.after.map((other) => this.#resolve(other, scopes));
      const placed: Placed = { name, node, after, scopes, ...(from === undefined ? {} : { from }) };
      this.nodes.set(name, placed);
      if (from !== undefined) this.#children.set(from.group, [...this.childrenOf(from.group), placed]);
      if (isGroup(node)) this.#placeRounds(name, node, scopes, state.rounds ?? 0);
    }
  }

  #placeRounds(name: string, group: Group, scopes: readonly string[], rounds: number): void {
    const keys = group.layout === 'parts' ? PART_KEY : STEP_NAME;
    for (let round = 0; round < rounds; round++) {
      const inner = group.layout === 'parts' ? scopes : [`${name}[${round}]/`, ...scopes];
      const nodes = this.#expanded(name, group, scopes, round);
      this.#placeAll(nodes, childName(name, group, round), keys, inner, { group: name, round });
    }
  }

  #expanded(name: string, group: Group, scopes: readonly string[], round: number): Nodes {
    const seen = new Set([...this.before(name), ...this.#rounds(name, round)]);
    const inner = round === 0 ? scopes : [`${name}[${round - 1}]/`, ...scopes];
    const nodes = group.expand(this.#context(inner, seen), round);
    if (Object.keys(nodes).length > STEPS_MAX)
      throw new AppError('PIPELINE_TOO_LARGE', { details: { step: name, stepsMax: STEPS_MAX } });
    return nodes;
  }

  #resolve(name: string, scopes: readonly string[]): string {
    for (const scope of scopes) if (this.nodes.has(scope + name)) return scope + name;
    const slash = name.indexOf('/');
    const head = name.slice(0, Math.max(0, slash));
    for (const scope of slash < 0 ? [] : scopes) {
      const rounds = this.#run.steps[scope + head]?.rounds ?? 0;
      if (rounds > 0) return this.#resolve(name.slice(slash + 1), [`${scope}${head}[${rounds - 1}]/`]);
    }
    throw invalid(this.#run, `There is no step "${name}" before the one that names it.`);
  }

  #context(scopes: readonly string[], seen: ReadonlySet<string>): StepContext {
    const { params, asOf, live } = this.#run;
    const find = (name: string): string => {
      const full = this.#resolve(name, scopes);
      if (!seen.has(full)) throw invalid(this.#run, `"${full}" is used by a step that does not wait for it.`);
      return full;
    };
    return {
      params,
      asOf,
      live,
      output: (name, contract) => {
        const full = find(name);
        this.#load([full]);
        return this.#output(full, contract);
      },
      outputs: (name, contract) => {
        const names = this.childrenOf(find(name)).map((child) => child.name);
        this.#load(names);
        return names.map((child) =>
          this.#run.steps[child]?.state === 'skipped' ? undefined : this.#output(child, contract),
        );
      },
    };
  }

  /** Asks for all outputs at once that are needed and not here. */
  #load(names: readonly string[]): void {
    const absent = names.flatMap((name) => {
      const { state, runKey, output } = this.#run.steps[name] ?? { state: 'waiting' };
      const here = state !== 'committed' || output !== undefined || runKey === undefined || this.#loaded.has(runKey);
      return here ? [] : [runKey];
    });
    if (absent.length > 0) throw new OutputsAbsent(absent);
  }

  #output<C extends Contract>(name: string, contract: C): ContractOutput<C> {
    const step = this.#run.steps[name];
    const output = step?.output ?? (step?.runKey === undefined ? undefined : this.#loaded.get(step.runKey));
    try {
      return readOutput(contract, step?.outputVersion ?? 1, output);
    } catch (thrown) {
      if (thrown instanceof AppError && thrown.code === 'CONTRACT_VERSION_UNKNOWN') throw thrown;
      throw invalid(this.#run, `The output of "${name}" is not what ${contract.kind} gives.`);
    }
  }
}

const childName =
  (group: string, { layout }: Group, round: number) =>
  (key: string) =>
    layout === 'parts' ? `${group}[${key}]` : `${group}[${round}]/${key}`;

/**
 * Owns the multi-branch model: an on-site branch (EASE over a person's own history) and one branch for each external source, which reads the
 * source's profile of the person (fusion-profile.task.ts) through the same item weights. A small head (tensorflow/fusion-head.ts) weighs the
 * branches of each person by what is known of them. Branches are made apart: one can be replaced or removed without touching another's bytes.
 * A branch that does not help people the head has not seen stays shut. A person with every branch masked gets the popular items.
 * Complexity: that of EASE, a list of `depth` items a person and branch, and users * depth * branches an epoch of the head.
 */
import { checkListLength } from '../check-input.ts';
import { checkMemory } from '../engine/memory.ts';
import { holdOut } from '../interactions/interaction-view.ts';
import { randomStream, shuffle } from '../../random.ts';
import { fromTriples, sharedFloat32, sharedInt32 } from '../sparse.ts';
import type {
  ExternalSource,
  FitContext,
  FittedModel,
  RankedLists,
  RankOptions,
  SparseRows,
  TrainInput,
} from '../types.ts';
import { easeBytes, easeParams, fitEase } from './ease.ts';
import type { BranchLists, FusePayload, TrainedHead, TrainHeadPayload, WeighPayload } from './fusion.task.ts';
import { type FusionParams, HISTORY_BOUNDS, HISTORY_SEGMENTS } from './fusion-params.ts';
import type { AskedPerson, ExplainedPerson, ExplainPayload } from './fusion-explain.task.ts';
import type { ProfileRequest, Profiles } from './fusion-profile.task.ts';
import { entityWords } from './tensorflow/two-tower-memory.ts';
import { fitPopularity } from './popularity.ts';
import type { EngineOptions } from './tensorflow/engine.ts';
import { weightsOf } from './value-weight.ts';

export interface BranchRecord {
  readonly name: string;
  /** What its weights are multiplied by where it is most open; 0: shut. */
  readonly gate: number;
  /** The same for people with a short, a middling and a long history (see HISTORY_SEGMENTS). */
  readonly gates: readonly number[];
  /** Mean gain of NDCG@10 on people the head did not learn from, and its standard error. */
  readonly gain: number;
  readonly error: number;
}

export interface FittedFusion extends FittedModel {
  readonly branches: readonly BranchRecord[];
  /** Users * branches. */
  weights(): Promise<Float32Array>;
  /** Takes lists apart by branch. */
  explain(options: RankOptions, people: readonly AskedPerson[]): Promise<readonly ExplainedPerson[]>;
  /** The same model with these branches masked for everybody; nothing is trained. `on-site` is a branch too. */
  without(names: readonly string[]): FittedFusion;
  /** The same model with another source in the place of the one of that name; nothing else is made anew. */
  replaceSource(source: ExternalSource): Promise<FittedFusion>;
}

const [TASKS, PROFILES, EXPLAIN] = ['./fusion.task.ts', './fusion-profile.task.ts', './fusion-explain.task.ts'].map(
  (path) => new URL(path, import.meta.url).href,
) as [string, string, string];
export const ON_SITE = 'on-site';
const LIST_PLACE_BYTES = 8;
/** Short histories, as the first segment of the gates has them. */
const [SHORT_MAX] = HISTORY_BOUNDS;

/** @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT, CANCELLED, KERNEL_MISSING. */
export async function fitFusion(input: TrainInput, params: FusionParams, context: FitContext): Promise<FittedFusion> {
  const { interactions, sources = [] } = input;
  const depth = Math.min(params.depth, interactions.columns);
  checkMemory(interactions.rows * depth * LIST_PLACE_BYTES * (sources.length + 2), context.memoryBytesMax);
  checkMemory(easeBytes(input, trunkParams(params), context.pool.threads), context.memoryBytesMax);
  const head = sources.length === 0 ? undefined : await fitHead(input, params, context);
  context.onProgress?.({ done: 1, total: 2, label: 'phases' });
  const trunk = await fitTrunk(input, params, context);
  const profiles = await Promise.all(sources.map((source) => profilesOf(source, trunk, params, context)));
  context.onProgress?.({ done: 2, total: 2, label: 'phases' });
  return new Fusion({ input, params, context, trunk, head, profiles }, new Set());
}

/** The on-site branch, and the item weights that all branches are read through. */
interface Trunk {
  readonly model: FittedModel;
  readonly prior: FittedModel;
  readonly interactions: SparseRows;
}

async function fitTrunk(input: TrainInput, params: FusionParams, context: FitContext): Promise<Trunk> {
  const { onProgress: _, ...quiet } = context;
  const prior = await fitPopularity(
    { ...input, interactions: absolute(input.interactions) },
    { count: 'users' },
    quiet,
  );
  // Values are weighed here, so that profiles, whose values are shares, pass through the same weights as they are.
  const { influence: _influence, ...whole } = input;
  const values = weightsOf(input, { weighting: params.weighting, halfLifeDays: 0, sourceWeights: {} });
  const interactions = { ...input.interactions, values: sharedFloat32(values.length, values) };
  return { model: await fitEase({ ...whole, interactions }, trunkParams(params), quiet), prior, interactions };
}

const trunkParams = ({ strength }: FusionParams) => easeParams.parse({ strength, weighting: 'linear' });

/** Popularity counts people; a dislike is one of them. */
function absolute(rows: SparseRows): SparseRows {
  return { ...rows, values: rows.values.map(Math.abs) };
}

async function profilesOf(
  source: ExternalSource,
  { interactions }: Trunk,
  { neighbours, reach }: FusionParams,
  { pool, signal }: FitContext,
): Promise<Profiles> {
  const payload: ProfileRequest = { source, interactions, reach, neighbours };
  const [profiles] = await pool.runPhase<Profiles>([{ module: PROFILES, name: 'makeProfiles', payload }], signal);
  return profiles!;
}

/** Fits branches without a part of the interactions, and the head on that part. */
async function fitHead(input: TrainInput, params: FusionParams, context: FitContext): Promise<TrainedHead | undefined> {
  const { pool, seed, signal } = context;
  const split = await holdOut({ view: input, holdout: params.holdout, seed }, context);
  if (split.test.users.length === 0) return undefined;
  const part = split.learned;
  const trunk = await fitTrunk(part, params, context);
  const profiles = await Promise.all(input.sources!.map((source) => profilesOf(source, trunk, params, context)));
  const options = { k: params.depth, exclude: split.train, ...(signal === undefined ? {} : { signal }) };
  const branches = await listBranches(trunk, profiles, part, options);
  const payload: TrainHeadPayload = {
    branches,
    short: await shortBranches(trunk, branches, part, options),
    users: part.interactions.rows,
    items: part.interactions.columns,
    userKeys: input.userKeys,
    params,
    seed,
    held: split.test,
    tensorflow: engineOptions(params, context),
  };
  const [head] = await pool.runPhase<TrainedHead>([{ module: TASKS, name: 'trainHead', payload }], signal);
  return head;
}

/** The branches as they would be if no more than a few interactions of each person were known: what is held out stays the same. */
async function shortBranches(
  { interactions, model }: Trunk,
  [, ...others]: readonly BranchLists[],
  { userKeys }: Pick<TrainInput, 'userKeys'>,
  options: RankOptions,
): Promise<BranchLists[]> {
  const histories = shortened(interactions, userKeys);
  const k = Math.min(options.k, interactions.columns);
  const keys = userKeys === undefined ? {} : { userKeys };
  const lists = await model.rankHistories!({ ...options, ...keys, k, histories });
  const support = Int32Array.from(
    { length: histories.rows },
    (_, user) => histories.indptr[user + 1]! - histories.indptr[user]!,
  );
  return [{ lists, support }, ...others];
}

/** 1 to SHORT_MAX drawn interactions of each person. */
function shortened(
  { columns, indices, indptr, rows, values }: SparseRows,
  userKeys: Uint8Array | undefined,
): SparseRows {
  const [users, items, weights]: [number[], number[], number[]] = [[], [], []];
  const root = randomStream(0, 'fusion.short');
  for (let user = 0; user < rows; user++) {
    const stream = root.derive(...entityWords(userKeys, user));
    const most = 1 + stream.below(SHORT_MAX);
    const places = Array.from({ length: indptr[user + 1]! - indptr[user]! }, (_, n) => indptr[user]! + n);
    for (const at of shuffle(places, stream).slice(0, most)) {
      users.push(user);
      items.push(indices[at]!);
      weights.push(values[at]!);
    }
  }
  return fromTriples(rows, columns, users, items, weights);
}

function engineOptions({ engine }: FusionParams, { deterministic, tensorflow }: FitContext): EngineOptions {
  const prefer = tensorflow?.prefer ?? engine;
  return { ...tensorflow, prefer: deterministic === true && prefer === 'tfjs-node' ? 'tfjs-wasm' : prefer };
}

async function listBranches(
  { interactions, model }: Trunk,
  profiles: readonly Profiles[],
  { userKeys }: Pick<TrainInput, 'userKeys'>,
  options: RankOptions,
): Promise<BranchLists[]> {
  const k = Math.min(options.k, interactions.columns);
  const history = Int32Array.from(
    { length: interactions.rows },
    (_, user) => interactions.indptr[user + 1]! - interactions.indptr[user]!,
  );
  const branches: BranchLists[] = [{ lists: await model.rank({ ...options, k }), support: history }];
  for (const { people, rows } of profiles) {
    const keys = userKeys === undefined ? {} : { userKeys };
    branches.push({ lists: await model.rankHistories!({ ...options, ...keys, k, histories: rows }), support: people });
  }
  return branches;
}

interface Parts {
  readonly input: TrainInput;
  readonly params: FusionParams;
  readonly context: FitContext;
  readonly trunk: Trunk;
  readonly head: TrainedHead | undefined;
  /** One a source. */
  readonly profiles: readonly Profiles[];
}

class Fusion implements FittedFusion {
  readonly name = 'fusion';
  readonly engine: string;
  readonly threads: number;
  readonly params: FittedModel['params'];
  readonly branches: readonly BranchRecord[];
  readonly #parts: Parts;
  readonly #shut: ReadonlySet<string>;

  constructor(parts: Parts, shut: ReadonlySet<string>) {
    const { head, input, trunk } = parts;
    this.#parts = parts;
    this.#shut = shut;
    this.engine = head === undefined ? trunk.model.engine : `${trunk.model.engine} + ${head.engine}`;
    this.threads = trunk.model.threads;
    this.params = parts.params;
    const names = [ON_SITE, ...(input.sources ?? []).map(({ name }) => name)];
    this.branches = names.map((name, m) => {
      const { error = 0, gain = 0 } = head?.gains[m] ?? {};
      const own = head?.gates[m] ?? Array.from({ length: HISTORY_SEGMENTS }, () => 1);
      const gates = shut.has(name) ? own.map(() => 0) : own;
      return { name, gate: Math.max(...gates), gates, gain, error };
    });
  }

  without(names: readonly string[]): FittedFusion {
    return new Fusion(this.#parts, new Set([...this.#shut, ...names]));
  }

  async replaceSource(source: ExternalSource): Promise<FittedFusion> {
    const { context, input, params, profiles, trunk } = this.#parts;
    const own = await profilesOf(source, trunk, params, context);
    const replaced = (input.sources ?? []).map(({ name }) => name === source.name);
    const parts = {
      ...this.#parts,
      input: { ...input, sources: (input.sources ?? []).map((old, m) => (replaced[m] ? source : old)) },
      profiles: profiles.map((old, m) => (replaced[m] ? own : old)),
    };
    return new Fusion(parts, this.#shut);
  }

  async weights(): Promise<Float32Array> {
    const { context, input, profiles, trunk } = this.#parts;
    const { interactions } = input;
    const nothing = { users: interactions.rows, k: 0, items: new Int32Array(0), scores: new Float32Array(0) };
    const history = Int32Array.from(
      { length: interactions.rows },
      (_, user) => trunk.interactions.indptr[user + 1]! - trunk.interactions.indptr[user]!,
    );
    const supports = [history, ...profiles.map(({ people }) => people)];
    return this.#weigh(
      supports.map((support) => ({ lists: nothing, support })),
      context.signal,
    );
  }

  async #weigh(branches: readonly BranchLists[], signal: AbortSignal | undefined): Promise<Float32Array> {
    const { context, head, input, params } = this.#parts;
    const { columns: items, rows: users } = input.interactions;
    if (head === undefined) {
      const alike = this.branches.map(({ gate }) => gate);
      return sharedFloat32(users * alike.length, Array.from({ length: users }, () => alike).flat());
    }
    const gates = this.branches.map((branch) => branch.gates);
    const payload: WeighPayload = {
      branches,
      users,
      items,
      userKeys: input.userKeys,
      tables: head.tables,
      gates,
      params,
      tensorflow: engineOptions(params, context),
    };
    const [weights] = await context.pool.runPhase<Float32Array>([{ module: TASKS, name: 'weigh', payload }], signal);
    return weights!;
  }

  /** What lists are put together from. */
  async #ingredients(options: RankOptions) {
    checkListLength(options.k);
    const { input, params, profiles, trunk } = this.#parts;
    const { columns: items, rows: users } = input.interactions;
    const k = Math.min(items, Math.max(params.depth, options.k));
    const branches = await listBranches(trunk, profiles, input, { ...options, k });
    const weights = await this.#weigh(branches, options.signal);
    const prior = await trunk.prior.rank({ ...options, k: Math.min(items, options.k) });
    const { itemKeys, userKeys } = input;
    return { branches, users, items, userKeys, itemKeys, weights, prior };
  }

  async explain(options: RankOptions, people: readonly AskedPerson[]): Promise<readonly ExplainedPerson[]> {
    const payload: ExplainPayload = { ...(await this.#ingredients(options)), people, k: options.k };
    const task = { module: EXPLAIN, name: 'explain', payload };
    const [explained] = await this.#parts.context.pool.runPhase<ExplainedPerson[]>([task], options.signal);
    return explained!;
  }

  async rank(options: RankOptions): Promise<RankedLists> {
    const { pool } = this.#parts.context;
    const made = await this.#ingredients(options);
    const { users } = made;
    const into = {
      users,
      k: options.k,
      items: sharedInt32(users * options.k),
      scores: sharedFloat32(users * options.k),
    };
    const share = Math.ceil(users / pool.threads);
    const common = { ...made, into };
    const tasks = Array.from({ length: pool.threads }, (_, thread) => {
      const payload: FusePayload = {
        ...common,
        from: Math.min(users, thread * share),
        to: Math.min(users, (thread + 1) * share),
      };
      return { module: TASKS, name: 'fuse', payload };
    });
    await pool.runPhase(tasks, options.signal);
    return into;
  }

  rankNewcomers(options: RankOptions & { readonly userKeys: Uint8Array }): Promise<RankedLists> {
    return this.#parts.trunk.prior.rankNewcomers!(options);
  }
}

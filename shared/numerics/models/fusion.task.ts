/**
 * Owns what the threads do to fuse branches: features of people's branches, candidates of those who teach the head, the head's training, the gate
 * of each branch, and the fused lists. A branch's score of an item is (score - end of the list) / deviation of the list: 0 for what it does not list.
 */
import { randomStream, shuffle } from '../../random.ts';
import type { TestItems } from '../evaluation/ranking-metrics.ts';
import { topItems } from '../ranking/top-items.ts';
import { entityHashes } from '../tie-hash.ts';
import type { RankedLists } from '../types.ts';
import { ALWAYS, GATES, judge, JUDGES_MIN, segmentOf } from './fusion-gates.ts';
import { type FusionParams, HISTORY_SEGMENTS } from './fusion-params.ts';
import { type DenseTables, type DenseTensors, tableDrawer } from './tensorflow/dense-definition.ts';
import { type EngineName, type EngineOptions, loadTensorFlow, type TensorFlow } from './tensorflow/engine.ts';
import { BRANCH_FEATURES, branchWeights, type HeadBatch, headLoss, headTables } from './tensorflow/fusion-head.ts';
import { adamStep, entityWords, everyRow } from './tensorflow/two-tower-memory.ts';

export interface BranchLists {
  readonly lists: RankedLists;
  /** What stands behind each person's list: interactions, or people near. 0: the branch has nothing to say. */
  readonly support: Int32Array;
}

export interface Branches {
  /** The on-site branch first. */
  readonly branches: readonly BranchLists[];
  readonly users: number;
  readonly items: number;
  readonly userKeys: Uint8Array | undefined;
}

/** A person's branch list on the scale of the head. */
export function scaledList(
  { items, k, scores }: RankedLists,
  user: number,
): { readonly items: number[]; readonly values: number[] } {
  const own: number[] = [];
  for (let at = user * k; at < (user + 1) * k && items[at]! >= 0; at++) own.push(at);
  if (own.length === 0) return { items: [], values: [] };
  const end = scores[own.at(-1)!]!;
  const mean = own.reduce((sum, at) => sum + scores[at]!, 0) / own.length;
  const variance = own.reduce((sum, at) => sum + (scores[at]! - mean) ** 2, 0) / own.length;
  const deviation = variance === 0 ? 1 : Math.sqrt(variance);
  return { items: own.map((at) => items[at]!), values: own.map((at) => (scores[at]! - end) / deviation) };
}

/** People * (branches * BRANCH_FEATURES), and people * branches of presence. */
function describe(
  { branches }: Branches,
  people: Int32Array,
): { readonly features: Float32Array; readonly mask: Float32Array } {
  const features = new Float32Array(people.length * branches.length * BRANCH_FEATURES);
  const mask = new Float32Array(people.length * branches.length);
  for (const [row, user] of people.entries()) {
    for (const [m, { support }] of branches.entries()) {
      const at = (row * branches.length + m) * BRANCH_FEATURES;
      features[at] = 1;
      features[at + 1] = Math.log1p(branches[0]!.support[user]!) / 3 - 1;
      features[at + 2] = Math.log1p(support[user]!) / 3 - 1;
      features[at + 3] = support[user]! <= 2 ? 1 : 0;
      mask[row * branches.length + m] = support[user]! > 0 ? 1 : 0;
    }
  }
  return { features, mask };
}

export interface TrainHeadPayload extends Branches {
  readonly params: FusionParams;
  readonly seed: number;
  /** The same branches with short histories: few people have one, and those who have more tell what a source is worth to those who have not. */
  readonly short: readonly BranchLists[];
  /** What the branches did not see. */
  readonly held: TestItems;
  readonly tensorflow: EngineOptions;
}

export interface TrainedHead {
  readonly tables: DenseTables;
  /** Branches * HISTORY_SEGMENTS: what the branch's weight is multiplied by for people with such a history; 0: it is no gain to them. */
  readonly gates: readonly (readonly number[])[];
  /** Mean gain of NDCG@10 by each branch, and its standard error, on people the head did not learn from. */
  readonly gains: readonly { readonly gain: number; readonly error: number }[];
  readonly loss: number;
  readonly engine: EngineName;
  readonly leaked: number;
}

const PEOPLE_PER_STEP = 256;
/** People who teach the head, at most; more are thinned evenly. */
const PEOPLE_MAX = 20_000;
/** Heads that are trained without a part of the people each, to judge the branches on people a head never saw. */
const FOLDS = 3;
/** Trains the head on everybody who can teach it, and opens the gate of each branch that helps people whom a head did not learn from. */
export async function trainHead(payload: TrainHeadPayload): Promise<TrainedHead> {
  const { tf, engine } = await loadTensorFlow(payload.tensorflow);
  const before = tf.memory().numTensors;
  const { branches, params, seed, short } = payload;
  const known = branches[0]!.support;
  const cut = (user: number): boolean => short[0]!.support[user]! < known[user]!;
  const cases = [...teachingCases(payload, () => true), ...teachingCases({ ...payload, branches: short }, cut)];
  const root = randomStream(seed, 'fusion.folds');
  const foldOf = cases.map(({ words }) => root.derive(...words).below(FOLDS));
  const segments = Array.from({ length: HISTORY_SEGMENTS }, (_, segment) => segment);
  const gains = branches.map(() => segments.map(() => GATES.map((): number[] => [])));
  for (let fold = 0; fold < FOLDS; fold++) {
    const learners = cases.filter((_, n) => foldOf[n] !== fold);
    const judges = cases.filter((_, n) => foldOf[n] === fold);
    const { tables } = learnHead(tf, learners, payload);
    for (let m = 1; m < branches.length; m++) {
      for (const segment of segments) {
        const own = judges.filter(({ history }) => segmentOf(history) === segment);
        for (const [n, found] of gainsOf(tf, own, tables, params, m).entries()) gains[m]![segment]![n]!.push(...found);
      }
    }
  }
  const judged = gains.map((own, m) =>
    m === 0 ? ALWAYS : judge(GATES.map((_, n) => own.flatMap((part) => part[n]!))),
  );
  const { loss, tables } = learnHead(tf, cases, payload);
  const gates = gains.map((own, m) =>
    own.map((part) => (m === 0 || part[0]!.length < JUDGES_MIN ? judged[m]! : judge(part)).gate),
  );
  return { tables, gates, gains: judged, loss, engine, leaked: tf.memory().numTensors - before };
}

function learnHead(
  tf: TensorFlow,
  learners: readonly Case[],
  { branches, params, seed }: TrainHeadPayload,
): { readonly tables: DenseTables; readonly loss: number } {
  const tables = headTables(params.fusion, branches.length, tableDrawer('fusion', seed, {}));
  let [loss, step] = [0, 0];
  for (let epoch = 0; epoch < params.epochs; epoch++) {
    const order = shuffle([...learners.keys()], randomStream(seed, 'fusion.order', epoch));
    loss = 0;
    for (let from = 0; from < order.length; from += PEOPLE_PER_STEP, step++) {
      const some = order.slice(from, from + PEOPLE_PER_STEP).map((place) => learners[place]!);
      loss += (some.length / order.length) * headStep(tf, some, tables, params, { seed, epoch, step });
    }
  }
  return { tables, loss };
}

/** One person who teaches: candidates of all branches with their scores, and which of them were held out. */
interface Case {
  readonly words: readonly number[];
  readonly candidates: readonly number[];
  /** Interactions behind the on-site branch. */
  readonly history: number;
  /** Candidates * branches. */
  readonly scores: Float32Array;
  readonly features: Float32Array;
  readonly mask: Float32Array;
  readonly wanted: readonly number[];
  /** Everything that was held out, candidates or not. */
  readonly count: number;
}

function teachingCases(payload: TrainHeadPayload, teaches: (user: number) => boolean): Case[] {
  const { branches, held, userKeys } = payload;
  const stride = Math.max(1, held.users.length / PEOPLE_MAX);
  const cases: Case[] = [];
  for (let n = 0; n < Math.min(held.users.length, PEOPLE_MAX); n++) {
    const row = Math.floor(n * stride);
    const user = held.users[row]!;
    if (!teaches(user)) continue;
    const wanted = new Set(held.items.subarray(held.indptr[row], held.indptr[row + 1]));
    const places = new Map<number, number>();
    const lists = branches.map(({ lists }) => scaledList(lists, user));
    for (const list of lists) for (const item of list.items) if (!places.has(item)) places.set(item, places.size);
    const candidates = [...places.keys()];
    const found = candidates.flatMap((item, place) => (wanted.has(item) ? [place] : []));
    if (found.length === 0) continue;
    const scores = new Float32Array(candidates.length * branches.length);
    for (const [m, list] of lists.entries()) {
      for (const [at, item] of list.items.entries()) scores[places.get(item)! * branches.length + m] = list.values[at]!;
    }
    const described = describe(payload, Int32Array.of(user));
    cases.push({
      words: entityWords(userKeys, user),
      candidates,
      history: branches[0]!.support[user]!,
      scores,
      ...described,
      wanted: found,
      count: wanted.size,
    });
  }
  return cases;
}

function batchOf(tf: TensorFlow, cases: readonly Case[], masks: readonly Float32Array[]): HeadBatch {
  const branches = masks[0]!.length;
  const width = Math.max(...cases.map(({ candidates }) => candidates.length));
  const scores = new Float32Array(cases.length * width * branches);
  const offset = new Float32Array(cases.length * width).fill(-1e9);
  const target = new Float32Array(cases.length * width);
  for (const [row, one] of cases.entries()) {
    scores.set(one.scores, row * width * branches);
    offset.fill(0, row * width, row * width + one.candidates.length);
    for (const place of one.wanted) target[row * width + place] = 1 / one.wanted.length;
  }
  const flat = (parts: readonly Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));
  return {
    features: tf.tensor2d(flat(cases.map(({ features }) => features)), [cases.length, branches * BRANCH_FEATURES]),
    mask: tf.tensor2d(flat(masks), [cases.length, branches]),
    scores: tf.tensor3d(scores, [cases.length, width, branches]),
    offset: tf.tensor2d(offset, [cases.length, width]),
    target: tf.tensor2d(target, [cases.length, width]),
  };
}

function headStep(
  tf: TensorFlow,
  cases: readonly Case[],
  tables: DenseTables,
  params: FusionParams,
  { epoch, seed, step }: { readonly epoch: number; readonly seed: number; readonly step: number },
): number {
  const masks = cases.map(({ mask, words }) => {
    const draws = randomStream(seed, 'fusion.dropout', epoch, ...words);
    const hidden = mask.map((present) => (draws.uniform() < params.modalityDropout ? 0 : present));
    // With nothing left there is nothing to weigh.
    return hidden.some((present) => present > 0) ? hidden : mask;
  });
  return tf.tidy(() => {
    const batch = batchOf(tf, cases, masks);
    const names = Object.keys(tables);
    const loss = (...tensors: Parameters<typeof branchWeights>[3][]) =>
      headLoss(tf, params.fusion, Object.fromEntries(names.map((name, n) => [name, tensors[n]!])), batch);
    const { grads, value } = tf.valueAndGrads(loss as Parameters<typeof tf.valueAndGrads>[0])(
      names.map((name) => tensorsOf(tf, tables)[name]!),
    );
    for (const [n, name] of names.entries()) {
      const gradient = grads[n]!.dataSync() as Float32Array;
      const adam = { learningRate: params.learningRate, weightDecay: 0, step };
      adamStep(tables[name]!, everyRow(tables[name]!), gradient, adam);
    }
    return value.dataSync()[0]!;
  });
}

function tensorsOf(tf: TensorFlow, tables: DenseTables): DenseTensors {
  return Object.fromEntries(
    Object.entries(tables).map(([name, { rows, values, width }]) => [name, tf.tensor2d(values.slice(), [rows, width])]),
  );
}

/** For each gate: what each judge whom branch `m` serves beside another gains by it. */
function gainsOf(
  tf: TensorFlow,
  judges: readonly Case[],
  tables: DenseTables,
  params: FusionParams,
  m: number,
): readonly (readonly number[])[] {
  const served = judges.filter(({ mask }) => mask[m]! > 0 && mask.some((present, n) => n !== m && present > 0));
  if (served.length === 0) return GATES.map(() => []);
  const features = served.map((one) => one.features);
  const measure = (masks: readonly Float32Array[], gate: number): number[] => {
    const weights = weightsOf(tf, tables, params, features, masks);
    return served.map((one, row) => {
      const own = weights.slice(row * one.mask.length, (row + 1) * one.mask.length);
      own[m]! *= gate;
      return caseNdcg(one, own);
    });
  };
  const masks = served.map(({ mask }) => mask);
  const shut = measure(
    masks.map((mask) => mask.with(m, 0)),
    1,
  );
  return GATES.map((gate) => measure(masks, gate).map((value, n) => value - shut[n]!));
}

const NDCG_AT = 10;

function caseNdcg({ count, scores, candidates, wanted }: Case, weights: Float32Array): number {
  const branches = scores.length / candidates.length;
  const totals = candidates.map((_, place) => {
    let sum = 0;
    for (let m = 0; m < branches; m++) sum += weights[m]! * scores[place * branches + m]!;
    return sum;
  });
  let [gain, ideal] = [0, 0];
  for (const place of wanted) {
    const above = totals.reduce((sum, total) => sum + (total > totals[place]! ? 1 : 0), 0);
    if (above < NDCG_AT) gain += 1 / Math.log2(above + 2);
  }
  for (let n = 0; n < Math.min(count, NDCG_AT); n++) ideal += 1 / Math.log2(n + 2);
  return gain / ideal;
}

function weightsOf(
  tf: TensorFlow,
  tables: DenseTables,
  { fusion }: FusionParams,
  features: readonly Float32Array[],
  masks: readonly Float32Array[],
): Float32Array {
  const flat = (parts: readonly Float32Array[]): [Float32Array, [number, number]] => {
    const width = parts[0]!.length;
    const all = new Float32Array(parts.length * width);
    for (const [n, part] of parts.entries()) all.set(part, n * width);
    return [all, [parts.length, width]];
  };
  const made = tf.tidy(() =>
    branchWeights(tf, fusion, tensorsOf(tf, tables), tf.tensor2d(...flat(features)), tf.tensor2d(...flat(masks))),
  );
  const values = made.dataSync().slice() as Float32Array;
  made.dispose();
  return values;
}

export interface WeighPayload extends Branches {
  readonly tables: DenseTables;
  /** As in TrainedHead. */
  readonly gates: readonly (readonly number[])[];
  readonly params: FusionParams;
  readonly tensorflow: EngineOptions;
}

const PEOPLE_PER_PASS = 1024;

/** Users * branches: the weight of each branch for each person, its gate included; a row of zeros where every branch is masked. */
export async function weigh(payload: WeighPayload): Promise<Float32Array> {
  const { tf } = await loadTensorFlow(payload.tensorflow);
  const { branches, gates, users } = payload;
  const all = new Float32Array(new SharedArrayBuffer(users * branches.length * 4));
  for (let from = 0; from < users; from += PEOPLE_PER_PASS) {
    const people = Int32Array.from({ length: Math.min(PEOPLE_PER_PASS, users - from) }, (_, n) => from + n);
    const { features, mask } = describe(payload, people);
    const gateOf = (at: number): number => {
      const history = branches[0]!.support[from + Math.floor(at / branches.length)]!;
      return gates[at % branches.length]![segmentOf(history)]!;
    };
    const open = mask.map((present, at) => (gateOf(at) > 0 ? present : 0));
    const rows = (values: Float32Array) =>
      Array.from(people, (_, n) =>
        values.subarray((n * values.length) / people.length, ((n + 1) * values.length) / people.length),
      );
    const weights = weightsOf(tf, payload.tables, payload.params, rows(features), rows(open));
    // A masked branch has no weight; with all masked the softmax says nothing.
    all.set(
      weights.map((weight, at) => (open[at]! > 0 ? weight * gateOf(at) : 0)),
      from * branches.length,
    );
  }
  return all;
}

export interface FusePayload extends Branches {
  readonly itemKeys: Uint8Array | undefined;
  readonly weights: Float32Array;
  /** Lists of the prior, for people without any branch. */
  readonly prior: RankedLists;
  readonly into: RankedLists;
  readonly from: number;
  readonly to: number;
}

/** Fused lists of users [from, to). */
export function fuse({
  branches,
  from,
  into,
  itemKeys,
  items,
  prior,
  to,
  userKeys,
  users,
  weights,
}: FusePayload): void {
  const [userHashes, itemHashes] = [entityHashes(0, users, userKeys, 'user'), entityHashes(0, items, itemKeys, 'item')];
  const scores = new Float64Array(items);
  for (let user = from; user < to; user++) {
    const own = weights.subarray(user * branches.length, (user + 1) * branches.length);
    const lists = own.some((weight) => weight > 0) ? branches.map(({ lists }) => lists) : [prior];
    scores.fill(-Infinity);
    for (const [m, list] of lists.entries()) {
      const weight = lists.length === 1 && branches.length > 1 ? 1 : (own[m] ?? 1);
      const { items: listed, values } = scaledList(list, user);
      for (const [at, item] of listed.entries()) {
        if (weight > 0) scores[item] = Math.max(scores[item]!, 0) + weight * values[at]!;
      }
    }
    const { k } = into;
    const [start, end] = [user * k, (user + 1) * k];
    const places = { items: into.items.subarray(start, end), scores: into.scores.subarray(start, end) };
    topItems(scores, userHashes[user]!, itemHashes, places);
  }
}

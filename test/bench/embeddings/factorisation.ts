/** Owns the comparisons of iALS and BPR with implicit. */
import { join } from 'node:path';
import { interleave, interleaveSeveral } from '../interleave.ts';
import { aucOf, type Bench, factorsOf, once, recallOf, SEED, tell } from './bench.ts';
import type { SparseRows } from '../../../shared/numerics/types.ts';
import { type Split, writeRows } from './data.ts';
import { SideProcess } from './side.ts';

const PEER_EPOCHS = 15;
const OUR_EPOCHS_MAX = 40;
/** What implicit's parameters are chosen from: how many times the observed pairs all pairs weigh (published: 14 to 27), lambda. */
const UNOBSERVED_SHARES = [8, 24];
const REGULARISATIONS = [0.3, 3, 30, 100, 300];
/** What ours are chosen from, beside implicit's own objective. */
const STRENGTHS = [0.3, 0.5, 0.7, 0.85, 1, 1.2, 1.4];
/** From here on fewer are tried, and fewer epochs. */
const LARGE_INTERACTIONS = 5_000_000;
const LARGE_EPOCHS_BEFORE = 2;

interface Sides {
  readonly folder: string;
  readonly ours: SideProcess;
  readonly peer: SideProcess;
}

async function withSides(bench: Bench, split: Split, work: (sides: Sides) => Promise<void>): Promise<void> {
  const folder = join(bench.folder, split.name);
  await writeRows(folder, split.train);
  await using ours = SideProcess.ours(folder, bench.threads);
  // implicit has threads of its own and asks for one of BLAS.
  await using peer = await SideProcess.peer(folder, bench.threads, 1);
  await Promise.all([ours.ask('load'), peer.ask('load')]);
  await work({ folder, ours, peer });
}

/** A part of the training interactions to choose implicit's parameters by: never the test items. */
function validation({ train }: Split): Split {
  const users: number[] = [];
  const [items, held] = [[] as number[], [0]];
  const [kept, values] = [new Int32Array(new SharedArrayBuffer((train.rows + 1) * 4)), [] as number[]];
  for (let user = 0; user < train.rows; user++) {
    const before = items.length;
    for (let at = train.indptr[user]!; at < train.indptr[user + 1]!; at++) {
      const last = at + 1 === train.indptr[user + 1]!;
      if ((at * 7) % 10 === 3 && !(last && values.length === kept[user])) items.push(train.indices[at]!);
      else values.push(train.indices[at]!);
    }
    kept[user + 1] = values.length;
    if (items.length === before) continue;
    users.push(user);
    held.push(items.length);
  }
  const indices = new Int32Array(new SharedArrayBuffer(values.length * 4));
  indices.set(values);
  return {
    name: 'validation',
    train: { ...train, indptr: kept, indices, values: new Float32Array(values.length).fill(1) },
    test: { users: Int32Array.from(users), indptr: Int32Array.from(held), items: Int32Array.from(items) },
  };
}

interface IalsChoice {
  /** implicit's. */
  readonly alpha: number;
  readonly regularization: number;
  /** Ours. */
  readonly params: object;
}

/** implicit's objective in our letters: observed pairs weigh alpha - 1 more than all pairs, which weigh 1; scaled to weight 1. */
const sameObjective = ({ alpha, regularization }: { readonly alpha: number; readonly regularization: number }) => ({
  unobservedWeight: 1 / (alpha - 1),
  lambda: regularization / alpha,
  nu: 0,
});

/** What implicit's parameters are tried at: the whole grid, or what lies around the choice of another width. */
function peerTrials({ columns, indices, rows }: SparseRows, before: IalsChoice | undefined) {
  const around = (regularization: number) => [regularization / 3, regularization, regularization * 3];
  if (before !== undefined)
    return around(before.regularization).map((regularization) => ({ alpha: before.alpha, regularization }));
  const small = indices.length < LARGE_INTERACTIONS;
  return (small ? UNOBSERVED_SHARES : [16]).flatMap((share) =>
    (small ? REGULARISATIONS : [0.3, 3, 30]).map((regularization) => ({
      alpha: 1 + (rows * columns) / (share * indices.length),
      regularization,
    })),
  );
}

/** Both sides' parameters, chosen by the same recall on the same validation split of the training data. */
async function tuneIals(
  bench: Bench,
  split: Split,
  factors: number,
  before: IalsChoice | undefined,
): Promise<IalsChoice> {
  const valid = validation(split);
  const best = { peer: -1, ours: -1, alpha: 0, regularization: 0, params: {} };
  await withSides(bench, valid, async ({ folder, ours, peer }) => {
    for (const trial of peerTrials(split.train, before)) {
      const answer = await peer.ask('ials', { factors, epochs: PEER_EPOCHS, ...trial, seed: SEED });
      const recall = await recallOf(bench, await factorsOf(folder, 'peer', answer), valid);
      tell(`choosing, d = ${factors}: implicit ${JSON.stringify(trial)}: recall ${recall.toFixed(4)}`);
      if (recall > best.peer) Object.assign(best, { peer: recall, ...trial });
    }
    for (const params of [sameObjective(best), ...STRENGTHS.map((strength) => ({ strength }))]) {
      const answer = await ours.ask('fit', { model: 'ials', params: { factors, ...params }, seed: SEED });
      const recall = await recallOf(bench, await factorsOf(folder, 'ours', answer), valid);
      tell(`choosing, d = ${factors}: millrace ${JSON.stringify(params)}: recall ${recall.toFixed(4)}`);
      if (recall > best.ours) Object.assign(best, { ours: recall, params });
    }
  });
  return best;
}

export async function benchIals(bench: Bench, split: Split, widths: readonly number[]): Promise<void> {
  let before: IalsChoice | undefined;
  for (const factors of widths) {
    const choice = await tuneIals(bench, split, factors, before);
    before = choice;
    await withSides(bench, split, (sides) => compareIals(bench, split, sides, { factors, ...choice }));
  }
}

async function compareIals(
  bench: Bench,
  split: Split,
  { folder, ours, peer }: Sides,
  { alpha, factors, params: own, regularization }: IalsChoice & { readonly factors: number },
): Promise<void> {
  const askPeer = () => peer.ask('ials', { factors, epochs: PEER_EPOCHS, regularization, alpha, seed: SEED });
  const askOurs = (params: object) => ours.ask('fit', { model: 'ials', params: { factors, ...params }, seed: SEED });
  const theirs = await recallOf(bench, await factorsOf(folder, 'peer', await askPeer()), split);
  const same = { epochs: PEER_EPOCHS, ...sameObjective({ alpha, regularization }) };
  const equal = await recallOf(bench, await factorsOf(folder, 'ours', await askOurs(same)), split);
  let [epochs, reached] = [split.train.indices.length < LARGE_INTERACTIONS ? 0 : LARGE_EPOCHS_BEFORE, 0];
  while (reached < theirs && epochs < OUR_EPOCHS_MAX) {
    epochs++;
    reached = await recallOf(bench, await factorsOf(folder, 'ours', await askOurs({ epochs, ...own })), split);
    tell(`d = ${factors}: recall ${reached.toFixed(4)} after ${epochs} epochs, implicit's ${theirs.toFixed(4)}`);
  }
  const full = await recallOf(bench, await factorsOf(folder, 'ours', await askOurs(own)), split);
  const { columns, indices, rows } = split.train;
  console.log(
    `\n  iALS d = ${factors} on ${split.name}: ${rows} x ${columns}, ${indices.length} interactions; recall@20 implicit ${theirs.toFixed(4)} (alpha ${alpha.toFixed(1)}, lambda ${regularization}), same objective ${equal.toFixed(4)}, own choice ${JSON.stringify(own)} ${full.toFixed(4)}, ${reached < theirs ? 'NOT reached' : 'reached'} after ${epochs} epochs: ${reached.toFixed(4)}`,
  );
  // Both sides have run: they are warm.
  const comparisons = await interleaveSeveral({
    unit: 'fit',
    pairs: bench.pairs,
    of: 'time',
    peer: { name: `implicit, ${PEER_EPOCHS} epochs`, work: () => once(askPeer()) },
    ours: [
      {
        title: `iALS d = ${factors}, ${split.name}, equal epochs`,
        target: 0.8,
        name: `millrace, ${PEER_EPOCHS} epochs`,
        work: () => once(askOurs(same)),
      },
      {
        title: `iALS d = ${factors}, ${split.name}, ${reached < theirs ? 'WITHOUT reaching' : 'to'} implicit's recall`,
        target: reached < theirs ? undefined : 0.5,
        name: `millrace, ${epochs} epochs`,
        work: () => once(askOurs({ epochs, ...own })),
      },
    ],
  });
  for (const comparison of comparisons) bench.add(comparison);
}

const BPR_FACTORS = 64;
/** implicit's defaults for what is not chosen on the validation split. */
const BPR_PEER = { factors: BPR_FACTORS, epochs: 100, seed: SEED };
const BPR_RATES = [0.01, 0.03, 0.1];
const BPR_REGULARISATIONS = [0.01, 0.03] as const;
const BPR_EPOCHS = [2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 140];

/** implicit's step size and regularisation, by AUC on a validation split of the training data. */
async function tuneBpr(bench: Bench, split: Split) {
  const valid = validation(split);
  const best = { auc: -1, rate: 0, regularization: 0 };
  await withSides(bench, valid, async ({ folder, peer }) => {
    const attempt = async (rate: number, regularization: number) => {
      const answer = await peer.ask('bpr', { ...BPR_PEER, rate, regularization });
      const auc = aucOf(await factorsOf(folder, 'peer', answer), valid);
      if (auc > best.auc) Object.assign(best, { auc, rate, regularization });
    };
    const [first, ...others] = BPR_REGULARISATIONS;
    for (const rate of BPR_RATES) await attempt(rate, first);
    for (const regularization of others) await attempt(best.rate, regularization);
  });
  return { rate: best.rate, regularization: best.regularization };
}

export async function benchBpr(bench: Bench, split: Split): Promise<void> {
  const choice = await tuneBpr(bench, split);
  await withSides(bench, split, async ({ folder, ours, peer }) => {
    const askPeer = () => peer.ask('bpr', { ...BPR_PEER, ...choice });
    const askOurs = (epochs: number) =>
      ours.ask('fit', { model: 'bpr', params: { factors: BPR_FACTORS, epochs }, seed: SEED });
    const theirs = aucOf(await factorsOf(folder, 'peer', await askPeer()), split);
    let [epochs, reached] = [0, 0];
    for (epochs of BPR_EPOCHS) {
      reached = aucOf(await factorsOf(folder, 'ours', await askOurs(epochs)), split);
      if (reached >= theirs) break;
    }
    console.log(
      `\n  BPR d = ${BPR_FACTORS} on ${split.name}: AUC implicit ${theirs.toFixed(4)} after ${BPR_PEER.epochs} epochs (rate ${choice.rate}, regularisation ${choice.regularization}), ours ${reached.toFixed(4)} after ${epochs}`,
    );
    bench.add(
      await interleave({
        name: `BPR d = ${BPR_FACTORS}, ${split.name}, to implicit's AUC`,
        unit: 'fit',
        pairs: bench.pairs,
        warmUp: 0,
        of: 'time',
        target: 1,
        ours: { name: `millrace, ${epochs} epochs`, work: () => once(askOurs(epochs)) },
        peer: { name: `implicit, ${BPR_PEER.epochs} epochs`, work: () => once(askPeer()) },
      }),
    );
  });
}

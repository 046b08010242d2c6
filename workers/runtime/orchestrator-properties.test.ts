/**
 * Any pipeline, any order of everything: diamonds, fan-outs, rounds, failures, cancels, lost and doubled wake-ups, lost enqueues, and three
 * processes that advance the same run at once.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { fanOut, type Group, type Nodes, type Pipeline, rounds, type Step, step } from '../../jobs/define-pipeline.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument } from '../../shared/store/ports.ts';
import { part } from './orchestrator-fixture.ts';
import { MemoryWorld, type Pick } from './orchestrator-memory-fixture.ts';
import { pipelineCancelName } from '../../shared/contract-kit/names.ts';
import { newRun } from './pipeline-start.ts';

type Shape = {
  readonly kind: 'step' | 'fan' | 'rounds';
  readonly after: readonly boolean[];
  readonly size: number;
  readonly optional: boolean;
};
const shape: fc.Arbitrary<Shape> = fc.record({
  kind: fc.constantFrom('step', 'fan', 'rounds'),
  after: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  size: fc.integer({ min: 0, max: 3 }),
  optional: fc.boolean(),
});
const scenario = fc.record({
  shapes: fc.array(shape, { minLength: 1, maxLength: 5 }),
  parallel: fc.integer({ min: 1, max: 4 }),
  failing: fc.constantFrom(0, 2, 6),
  cancelAt: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined, freq: 2 }),
  picks: fc.infiniteStream(fc.nat(1_000_000)),
});

function nodeOf({ kind, size, optional }: Shape, after: string[]): Step | Group {
  const input = { name: '', of: after };
  if (kind === 'step') return step(part, after, () => input, { optional });
  const over = () => Array.from({ length: size }, (_, index) => index);
  if (kind === 'fan') return fanOut(part, { after, over, input: () => input, optional });
  return rounds({
    after,
    max: 3,
    next: (context, round) => {
      if (round >= size) return undefined;
      const earlier = round === 0 ? [] : context.outputs('tries', part).map((one) => one?.name ?? 'none');
      const tries = fanOut(part, { over, input: (_, index) => ({ name: String(index), of: earlier }) });
      return {
        tries,
        best: step(part, ['tries'], ({ outputs }) => ({ name: 'best', of: outputs('tries', part).map(String) })),
      };
    },
  });
}

function pipelineFrom(shapes: readonly Shape[], parallel: number): Pipeline {
  const nodes: Record<string, Step | Group> = {};
  for (const [index, one] of shapes.entries())
    nodes[`s${index}`] = nodeOf(
      one,
      Object.keys(nodes).filter((_, earlier) => one.after[earlier]),
    );
  return { name: 'any', title: 'Any.', params: z.record(z.string(), z.unknown()), parallel, steps: nodes };
}

const isEnd = (state: string | undefined): boolean => state === 'committed' || state === 'skipped';

/** Names that must have ended before a step may start, from the way steps are named alone. */
function before(nodes: Nodes, name: string, all: readonly string[]): string[] {
  const top = name.split('[', 1)[0] ?? '';
  const outer = (nodes[top]?.after ?? []).flatMap((other) =>
    all.filter((one) => one === other || one.startsWith(`${other}[`)),
  );
  const [, round, inner] = /^\w+\[(\d+)\]\/(.*)$/.exec(name) ?? [];
  if (round === undefined) return outer;
  const earlier = all.filter(
    (one) => Number(/^\w+\[(\d+)\]\//.exec(one)?.[1] ?? Infinity) < Number(round) && one.startsWith(`${top}[`),
  );
  const tries = inner === 'best' ? all.filter((one) => one.startsWith(`${top}[${round}]/tries`)) : [];
  return [...outer, ...earlier, ...tries];
}

const ENDS: readonly string[] = ['committed', 'skipped', 'failed'];

/** What is wrong with one move of the document. */
function wrongMoves(
  pipeline: Pipeline,
  world: MemoryWorld,
  was: PipelineRunDocument,
  now: PipelineRunDocument,
): string[] {
  const all = Object.keys(now.steps);
  const stateOf = (name: string): string | undefined => now.steps[name]?.state;
  const atWork = all.filter((name) => stateOf(name) === 'enqueued');
  const started = atWork.filter((name) => was.steps[name]?.state !== 'enqueued');
  const early = started.flatMap((name) =>
    before(pipeline.steps, name, all)
      .filter((earlier) => {
        const { runKey } = now.steps[earlier] ?? {};
        return !isEnd(stateOf(earlier)) || (runKey !== undefined && world.ledger.get(runKey)?.followed !== true);
      })
      .map((earlier) => `${name} started before ${earlier} had ended`),
  );
  const changed = Object.entries(was.steps).filter(
    ([name, step]) =>
      (step.runKey !== undefined && now.steps[name]?.runKey !== step.runKey) ||
      (ENDS.includes(step.state) && stateOf(name) !== step.state),
  );
  return [
    ...early,
    ...changed.map(([name]) => `${name} had ended, or had a key, and changed`),
    ...(was.state === 'running' ? [] : [`an ended run moved from ${was.state}`]),
    ...(atWork.length <= (pipeline.parallel as number) ? [] : [`${atWork.length} were at work`]),
    ...(started.length === 0 || now.state === 'running' ? [] : ['something started as the run ended']),
    ...(started.length === 0 || !all.some((name) => stateOf(name) === 'failed')
      ? []
      : ['something started after a failure']),
  ];
}

/** What is wrong with how a run ended. */
function wrongEnds(world: MemoryWorld, { id, state, steps }: PipelineRunDocument): string[] {
  const states = Object.values(steps).map((one) => one.state);
  const wanted = states.every(isEnd) ? 'committed' : states.includes('failed') ? 'failed' : 'cancelled';
  // A cancel that comes while the last steps fail may be seen first, or not.
  const asked = state === 'cancelled' && world.cancelled.has(pipelineCancelName(id));
  const made = [...world.jobs.values()].map(({ step: name }) => name).toSorted();
  const known = Object.keys(steps).filter((name) => steps[name]?.runKey !== undefined);
  const differing = [...world.jobs.values()].filter(
    ({ inputs }) => new Set(inputs.map((input) => JSON.stringify(input))).size > 1,
  );
  return [
    ...(asked || state === wanted ? [] : [`ended as ${state}, not ${wanted}`]),
    ...differing.map(({ step: name }) => `${name} was enqueued with different inputs`),
    ...(new Set(made).size === made.length ? [] : ['a step had two jobs']),
    ...(state !== 'committed' || made.join() === known.toSorted().join()
      ? []
      : ['committed with steps that never ran']),
  ];
}

/** Ends a job that is at work; its wake-up may be lost, or come twice. */
function finish(world: MemoryWorld, pick: Pick, failing: number): void {
  const open = [...world.jobs].filter(([runKey]) => world.ledger.get(runKey)?.followed !== true);
  const [runKey, job] = open[pick(Math.max(1, open.length))] ?? [];
  if (runKey === undefined || job === undefined) return;
  const known = world.ledger.get(runKey);
  if (known !== undefined) world.ledger.set(runKey, { ...known, followed: true });
  else if (pick(20) < failing)
    world.ledger.set(runKey, {
      state: 'dead-lettered',
      followed: pick(2) === 0,
      error: new AppError('INTERNAL').toJSON(),
    });
  else world.ledger.set(runKey, { state: 'committed', followed: pick(2) === 0, output: { name: job.step } });
}

const ROUNDS_TO_END_MAX = 400;

test('every step starts once, after all before it, within the bound, and the run ends in one state', async () => {
  const ends = new Set<string>();
  await fc.assert(
    fc.asyncProperty(scenario, async ({ shapes, parallel, failing, cancelAt, picks }) => {
      const pick: Pick = (bound) => (picks.next().value as number) % bound;
      const pipeline = pipelineFrom(shapes, parallel);
      const world = new MemoryWorld();
      const id = 'main.any.1';
      const fresh = newRun(pipeline, { id, tenant: 'main', params: {}, asOf: 1, live: {} }, 1);
      world.runs.set(id, fresh);
      const wrong: string[] = [];
      world.moved = (was, now) => wrong.push(...wrongMoves(pipeline, world, was, now));
      world.loses = () => pick(5) === 0;
      const processes = Array.from({ length: 3 }, () => world.orchestrator(() => pipeline));
      const wake = (): void => void processes[pick(3)]?.advance(id).catch(() => {}); // killed, or outrun: others go on
      const sweep = (): void => void processes[pick(3)]?.repair(fresh).catch(() => {});
      const acts = [wake, wake, () => finish(world, pick, failing), () => finish(world, pick, failing), sweep];
      for (let turn = 0; turn < 120; turn++) {
        if (turn === cancelAt) world.cancelled.add(pipelineCancelName(id));
        if (world.waiting > 0 && pick(3) > 0) await world.letGo(pick);
        else acts[pick(acts.length)]?.();
      }
      // From here on sweeps are regular and nothing more is lost: it must end.
      world.loses = () => false;
      const state = (): string | undefined => world.runs.get(id)?.state;
      for (let round = 0; round < ROUNDS_TO_END_MAX && state() === 'running'; round++) {
        sweep();
        await world.letAllGo(pick);
        finish(world, pick, failing);
      }
      await world.letAllGo(pick);
      const ended = world.runs.get(id) as PipelineRunDocument;
      expect([...wrong, ...wrongEnds(world, ended)]).toEqual([]);
      ends.add(ended.state);
    }),
    { numRuns: 150 },
  );
  // What was tried had all three ends in it.
  expect([...ends].toSorted()).toEqual(['cancelled', 'committed', 'failed']);
});

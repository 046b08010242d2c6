/**
 * Owns what runs inside a thread: it imports the task's module by URL, calls the named export, and turns the outcome
 * into plain data. An error would lose its class on the way back, so its code and details travel as data.
 */
import { getHeapStatistics } from 'node:v8';
import { threadId, workerData } from 'node:worker_threads';
import { AppError, type ErrorCodeName } from '../errors.ts';
import { type DeskAddress, sitDown } from './desks.ts';
import { collectGarbage } from './garbage.ts';
import type { Task } from './task.ts';

/** A task on its way into a thread. */
export interface Errand {
  readonly task: Task;
  /** Where the thread says who it is, and what it held before: see memory-watch.ts. */
  readonly desk?: DeskAddress;
  /** W3C traceparent of what asked for the task. */
  readonly trace?: string;
  /** Shared memory that the threads of the pool have been given so far, once each, bytes. */
  readonly givenBytes?: number;
}

/** What a thread is born with. */
export interface ThreadData {
  readonly desks: SharedArrayBuffer;
}

/** What a thread says of its work beside the outcome; times in ms since 1970. */
export interface Timing {
  readonly thread: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** What the thread holds afterwards, bytes. */
  readonly heldBytes: number;
  readonly trace?: string;
}

export type TaskOutcome =
  | { readonly ok: true; readonly value: unknown; readonly timing?: Timing }
  | {
      readonly ok: false;
      readonly timing?: Timing;
      /** Absent when the task threw something without a code. */
      readonly code?: ErrorCodeName;
      readonly details?: unknown;
      readonly message: string;
      readonly stack?: string;
    };

type TaskFunction = (payload: unknown) => unknown;

/** Functions that this thread has run, by module and name: as many as the code has tasks. To import again costs more than a small task. */
const known = new Map<string, TaskFunction>();

async function functionOf(task: Task): Promise<TaskFunction> {
  const module = (await import(task.module)) as Record<string, unknown>;
  const run = module[task.name];
  if (typeof run !== 'function') throw new TypeError(`${task.module} exports no function named ${task.name}`);
  known.set(`${task.module}#${task.name}`, run as TaskFunction);
  return run as TaskFunction;
}

async function callTask(task: Task): Promise<unknown> {
  const run = known.get(`${task.module}#${task.name}`) ?? (await functionOf(task));
  return run(task.payload);
}

function describeFailure(thrown: unknown): TaskOutcome {
  if (!(thrown instanceof Error)) return { ok: false, message: String(thrown) };
  const stack = thrown.stack === undefined ? {} : { stack: thrown.stack };
  if (!(thrown instanceof AppError)) return { ok: false, message: thrown.message, ...stack };
  return { ok: false, code: thrown.code, details: thrown.details, message: thrown.message, ...stack };
}

/** What this thread's heap and its buffers outside take. */
function heldBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

/**
 * Shared memory lives as long as any thread knows of it, and V8 does not count it as a reason to look for garbage: a thread with a small heap would
 * keep what ten trainings before had. So what was given since the last look is counted, and a look is taken.
 */
const UNCOLLECTED_BYTES_MAX = 32 * 2 ** 20;
let collectedAt = 0;

/** What it took after its last task: a thread that waits takes no more. */
let heldBefore: number | undefined;

const nowMs = (): number => performance.timeOrigin + performance.now();

/** Runs a task where it is called. Never throws. */
export async function runTask(task: Task): Promise<TaskOutcome> {
  try {
    return { ok: true, value: await callTask(task) };
  } catch (thrown) {
    return describeFailure(thrown);
  }
}

/** The one function that the pool calls. Never throws. */
export async function runErrand({ task, desk, trace, givenBytes = 0 }: Errand): Promise<TaskOutcome> {
  const startedAt = nowMs();
  if (givenBytes - collectedAt > UNCOLLECTED_BYTES_MAX) {
    collectGarbage();
    collectedAt = givenBytes;
  }
  if (desk !== undefined) sitDown(desk, (workerData as ThreadData).desks, threadId, heldBefore ?? heldBytes());
  const outcome = await runTask(task);
  heldBefore = heldBytes();
  const timing = { thread: threadId, startedAt, endedAt: nowMs(), heldBytes: heldBefore };
  return { ...outcome, timing: trace === undefined ? timing : { ...timing, trace } };
}

/** Rebuilds what the thread threw: the same code and details, a message that is not doubled, the thread's stack as the cause. */
export function outcomeError(outcome: Extract<TaskOutcome, { ok: false }>): AppError {
  const cause = new Error(outcome.message);
  if (outcome.stack !== undefined) cause.stack = outcome.stack;
  const code = outcome.code ?? 'INTERNAL';
  const details = outcome.details as Readonly<Record<string, unknown>> | undefined;
  const error = new AppError(code, {
    cause,
    message: outcome.message.replace(/\.?$/, '.'),
    ...(details === undefined ? {} : { details }),
  });
  if (outcome.code !== undefined) error.message = outcome.message;
  return error;
}

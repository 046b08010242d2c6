/**
 * Owns what runs inside a thread: it imports the task's module by URL, calls the named export, and turns the outcome
 * into plain data. An error would lose its class on the way back, so its code and details travel as data.
 */
import { AppError, type ErrorCodeName } from '../errors.ts';
import type { Task } from './task.ts';

export type TaskOutcome =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      /** Absent when the task threw something without a code. */
      readonly code?: ErrorCodeName;
      readonly details?: unknown;
      readonly message: string;
      readonly stack?: string;
    };

async function callTask(task: Task): Promise<unknown> {
  const module = (await import(task.module)) as Record<string, unknown>;
  const run = module[task.name];
  if (typeof run !== 'function') throw new TypeError(`${task.module} exports no function named ${task.name}`);
  return (run as (payload: unknown) => unknown)(task.payload);
}

function describeFailure(thrown: unknown): TaskOutcome {
  if (!(thrown instanceof Error)) return { ok: false, message: String(thrown) };
  const stack = thrown.stack === undefined ? {} : { stack: thrown.stack };
  if (!(thrown instanceof AppError)) return { ok: false, message: thrown.message, ...stack };
  return { ok: false, code: thrown.code, details: thrown.details, message: thrown.message, ...stack };
}

/** The one function that the pool calls. Never throws. */
export async function runTask(task: Task): Promise<TaskOutcome> {
  try {
    return { ok: true, value: await callTask(task) };
  } catch (thrown) {
    return describeFailure(thrown);
  }
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

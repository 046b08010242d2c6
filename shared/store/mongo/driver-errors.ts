/**
 * Owns the translation of the driver's failures: a store that does not answer becomes SERVICE_UNAVAILABLE, for every port at once.
 * The text never holds a connection string.
 */
import { MongoBulkWriteError, MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb';
import { AppError, toAppError } from '../../errors.ts';

export const DUPLICATE_KEY = 11_000;
/** FerretDB 2.7 answers an upserting findAndModify that meets its key with the code 1 and PostgreSQL's own words. */
const INTERNAL = 1;
const UNREACHABLE = new Set([
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoClientClosedError',
  'PoolClosedError',
  'PoolClearedOnNetworkError',
  'MongoPoolClearedError',
  'MongoPoolClosedError',
  'MongoWaitQueueTimeoutError',
]);

export function isDuplicateKey(thrown: unknown): boolean {
  if (!(thrown instanceof MongoServerError)) return false;
  return (
    thrown.code === DUPLICATE_KEY || (thrown.code === INTERNAL && thrown.message.startsWith('duplicate key value'))
  );
}

/** The driver gives a bulk write that no server answered an error of its own, whatever was the matter; a server's would have a code. */
export function neverAnswered(thrown: MongoBulkWriteError): boolean {
  return typeof thrown.code !== 'number' && [thrown.writeErrors].flat().length === 0;
}

/** host:port as the driver names them; credentials are no part of it. */
export function hostsOf(url: string): string {
  return /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?]+)/.exec(url)?.[1] ?? 'the address given';
}

export function unavailable(where: string, cause?: unknown): AppError {
  const why = cause instanceof Error ? cause.name : 'no answer';
  return new AppError('SERVICE_UNAVAILABLE', {
    message: `The store at ${where} does not answer (${why}).`,
    details: { service: 'mongodb', hosts: where },
  });
}

export function translated(thrown: unknown, where: string): unknown {
  if (thrown instanceof MongoNetworkError || thrown instanceof MongoServerSelectionError)
    return unavailable(where, thrown);
  if (thrown instanceof MongoBulkWriteError && neverAnswered(thrown)) return unavailable(where, thrown);
  if (thrown instanceof Error && UNREACHABLE.has(thrown.name)) return unavailable(where, thrown);
  return thrown;
}

type Method = (...given: unknown[]) => unknown;

/** Told of a call of a port that has ended; `code` when it failed. */
export type Watch = (operation: string, seconds: number, code?: string) => void;

async function* guardedIterable(source: AsyncIterable<unknown>, where: string): AsyncGenerator {
  try {
    yield* source;
  } catch (thrown) {
    throw translated(thrown, where);
  }
}

/** The outcome of a call with coded errors, timed where somebody watches. */
async function guardedCall(name: string, result: Promise<unknown>, where: string, watch?: Watch): Promise<unknown> {
  const startedAt = watch === undefined ? 0 : performance.now();
  let failure: unknown;
  try {
    return await result;
  } catch (thrown) {
    failure = translated(thrown, where);
    throw failure;
  } finally {
    const code = failure === undefined ? undefined : toAppError(failure).code;
    watch?.(name, (performance.now() - startedAt) / 1000, code);
  }
}

function guardedMethod(port: object, name: string, method: Method, where: string, watch?: Watch): Method {
  return (...given) => {
    const result = method.apply(port, given);
    if (result instanceof Promise) return guardedCall(name, result, where, watch);
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result)
      return guardedIterable(result as AsyncIterable<unknown>, where);
    return result;
  };
}

/** The same port, whose methods reject with coded errors when the store is out of reach. */
export function guarded<T extends object>(port: T, where: string, watch?: Watch): T {
  const methods = new Map<PropertyKey, Method>();
  return new Proxy(port, {
    get(target, name) {
      const known = methods.get(name);
      if (known !== undefined) return known;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = guardedMethod(target, String(name), value as Method, where, watch);
      methods.set(name, method);
      return method;
    },
  });
}

/**
 * Indices of the documents that an unordered insertMany refused because their _id was there already; every other
 * failure is thrown. Empty: all went in.
 */
export async function refusedAsDuplicates(insert: Promise<unknown>): Promise<number[]> {
  try {
    await insert;
    return [];
  } catch (thrown) {
    if (!(thrown instanceof MongoBulkWriteError)) throw thrown;
    const errors = Array.isArray(thrown.writeErrors) ? thrown.writeErrors : [thrown.writeErrors];
    if (errors.length === 0 || errors.some(({ code }) => code !== DUPLICATE_KEY)) throw thrown;
    return errors.map(({ index }) => index);
  }
}

/**
 * Owns the translation of the driver's failures: a store that does not answer becomes SERVICE_UNAVAILABLE, for every port at once.
 * The text never holds a connection string.
 */
import {
  type Collection,
  type Document,
  MongoBulkWriteError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  type OptionalUnlessRequiredId,
} from 'mongodb';
import { createSecureContext } from 'node:tls';
import { tlsFailure, tlsOptions, type TlsTrust } from '../../contract-kit/tls.ts';
import { AppError, toAppError } from '../../errors.ts';

export const DUPLICATE_KEY = 11_000;
/** FerretDB 2.7 answers an upserting findAndModify that meets its key with the code 1 and PostgreSQL's own words. */
const INTERNAL = 1;
/** PostgreSQL's state 40P01, packed into a number as its own servers pack it: the writer that was let go so that another could go on. */
const DEADLOCK = 0x102_0004;
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

/** Options of the driver for certificates of one's own. */
export const mongodbTls = (tls: TlsTrust | undefined) =>
  tls === undefined ? {} : { tls: true, secureContext: createSecureContext(tlsOptions(tls)) };

const TLS_SETTINGS = 'MILLRACE_MONGODB_CA_FILE, MILLRACE_MONGODB_CERT_FILE, MILLRACE_MONGODB_KEY_FILE';

/** `atFirst`: by TLS, and no connection was ever made. */
export function unavailable(where: string, cause?: unknown, atFirst = false): AppError {
  const distrusted = tlsFailure(cause, { service: 'The store', address: where, settings: TLS_SETTINGS, atFirst });
  if (distrusted !== undefined) return distrusted;
  const why = cause instanceof Error ? cause.name : 'no answer';
  return new AppError('SERVICE_UNAVAILABLE', {
    message: `The store at ${where} does not answer (${why}).`,
    details: { service: 'mongodb', hosts: where },
  });
}

export function translated(thrown: unknown, where: string, atFirst = false): unknown {
  if (thrown instanceof MongoNetworkError || thrown instanceof MongoServerSelectionError)
    return unavailable(where, thrown, atFirst);
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
 * Inserts documents; indices of those that were refused because their _id was there already. Every other failure is thrown. Empty: all
 * went in. They travel in the order of their ids, so that two writers never wait for each other. Where writers meet all the same, FerretDB at times
 * answers for the whole command and names no document, or lets one writer go as deadlocked: what it has no answer for is inserted by itself, and a
 * document that had gone in before is told as refused, as after an answer that was lost.
 */
export async function refusedAsDuplicates<T extends Document>(
  collection: Collection<T>,
  documents: readonly OptionalUnlessRequiredId<T>[],
): Promise<number[]> {
  const order = documents.map((_, index) => index);
  order.sort((a, b) => (String(documents[a]!._id) < String(documents[b]!._id) ? -1 : 1));
  try {
    await collection.insertMany(
      order.map((index) => documents[index]!),
      { ordered: false },
    );
    return [];
  } catch (thrown) {
    if (!(thrown instanceof MongoBulkWriteError)) throw thrown;
    const { refused, unanswered } = answerOf(thrown, order);
    for (const index of unanswered) if (!(await insertedAlone(collection, documents[index]!))) refused.push(index);
    return refused;
  }
}

/** What a failed command says of each of its documents, by their indices; throws where the failure is another. */
function answerOf(
  thrown: MongoBulkWriteError,
  order: readonly number[],
): { readonly refused: number[]; readonly unanswered: readonly number[] } {
  const errors = [thrown.writeErrors].flat();
  if (errors.length === 0 && (isDuplicateKey(thrown) || thrown.code === DEADLOCK))
    return { refused: [], unanswered: order };
  if (errors.length === 0 || errors.some(({ code }) => code !== DUPLICATE_KEY && code !== DEADLOCK)) throw thrown;
  const of = (wanted: number) => errors.filter(({ code }) => code === wanted).map(({ index }) => order[index]!);
  return { refused: of(DUPLICATE_KEY), unanswered: of(DEADLOCK) };
}

/** False: a document of that _id is there. */
async function insertedAlone<T extends Document>(
  collection: Collection<T>,
  document: OptionalUnlessRequiredId<T>,
): Promise<boolean> {
  try {
    await collection.insertOne(document);
    return true;
  } catch (thrown) {
    if (isDuplicateKey(thrown)) return false;
    throw thrown;
  }
}

/**
 * Owns contracts in time. A version that was published once is read for as long as its contract has an upcaster for it: what was made or
 * recorded under an old version goes from version to version until it is today's. What is newer than this process waits for a newer one.
 */
import { z } from 'zod';
import { AppError } from '../errors.ts';
import type { Contract, ContractOutput } from './define-job.ts';

/** From a value of one version to the same of the next. Throws when it is none of the old version. */
export type Upcast = (old: unknown) => unknown;

/** What leads from one version of a contract to the next. */
export interface Upcaster {
  /** On the input as it was serialised, before any default of today. */
  readonly input: Upcast;
  /** On outputs that the ledger keeps; absent: those of the old version are outputs of the next as they are. */
  readonly output?: Upcast;
}

/** An upcast whose old value is checked by the old schema, which types it too. */
export function upcast<S extends z.ZodType>(old: S, next: (value: z.output<S>) => unknown): Upcast {
  return (value) => next(old.parse(value));
}

type Versioned = Pick<Contract, 'kind' | 'version' | 'upcasters'>;

/** The oldest version that is still read. */
export function oldestVersion({ version, upcasters }: Pick<Contract, 'version' | 'upcasters'>): number {
  return version - Object.keys(upcasters).length;
}

/** Throws CONTRACT_VERSION_UNKNOWN for a version that is yet to come, CONTRACT_VERSION_RETIRED for one that is not read any more. */
export function refuseVersion(contract: Versioned, version: number): void {
  const { kind, version: newest } = contract;
  const oldest = oldestVersion(contract);
  const details = { kind, version, known: { from: oldest, to: newest } };
  if (version > newest) throw new AppError('CONTRACT_VERSION_UNKNOWN', { details });
  if (version < oldest) throw new AppError('CONTRACT_VERSION_RETIRED', { details });
}

/** An input of that version as one of today's, still to be parsed. Throws as above, and whatever an upcaster throws at what does not fit. */
export function upcastInput(contract: Versioned, version: number, value: unknown): unknown {
  return upcasted(contract, version, value, ({ input }) => input);
}

/**
 * A recorded output of that version as one of today's. Throws as `refuseVersion`, and OUTPUT_INVALID when it does not fit.
 * Outputs are never personal, so that what zod says may be told.
 */
export function readOutput<C extends Contract>(contract: C, version: number, value: unknown): ContractOutput<C> {
  try {
    return contract.output.parse(upcasted(contract, version, value, ({ output }) => output)) as ContractOutput<C>;
  } catch (thrown) {
    if (!(thrown instanceof z.ZodError)) throw thrown;
    const issues = thrown.issues.map(({ path, message }) => ({ path, message }));
    throw new AppError('OUTPUT_INVALID', {
      message: `An output of ${contract.kind}, version ${version}, does not fit its contract.`,
      details: { kind: contract.kind, version, issues },
    });
  }
}

/** For readers who can do without: undefined where the output is of a version to come, or does not fit. */
export function outputIfReadable<C extends Contract>(
  contract: C,
  run: { readonly contractVersion: number; readonly output?: unknown } | undefined,
): ContractOutput<C> | undefined {
  try {
    return run === undefined ? undefined : readOutput(contract, run.contractVersion, run.output);
  } catch (thrown) {
    if (thrown instanceof AppError) return undefined;
    throw thrown;
  }
}

function upcasted(
  contract: Versioned,
  version: number,
  value: unknown,
  of: (upcaster: Upcaster) => Upcast | undefined,
): unknown {
  refuseVersion(contract, version);
  let current = value;
  for (let from = version; from < contract.version; from++) {
    const next = of(contract.upcasters[from] as Upcaster);
    if (next !== undefined) current = next(current);
  }
  return current;
}

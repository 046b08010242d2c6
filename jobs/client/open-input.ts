/**
 * Owns the way from a job's envelope to a checked input of today's contract: open, bring to today's version, parse. Workers do it before a run,
 * and whoever redrives one does it first.
 */
import { z } from 'zod';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import type { ClaimRef, Envelope } from '../../shared/contract-kit/envelope.ts';
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import { upcastInput } from '../../shared/contract-kit/versions.ts';
import { AppError } from '../../shared/errors.ts';
import { readInputText } from './make-job.ts';

/** Reads the bytes of a payload claim; throws CLAIM_NOT_FOUND. */
export type ReadClaim = (claim: ClaimRef) => Promise<Uint8Array>;

/** Opens and checks the input. Throws INPUT_INVALID, PAYLOAD_UNREADABLE, CLAIM_NOT_FOUND, CONTRACT_VERSION_*. */
export async function openInput(
  envelope: Envelope,
  contract: Contract,
  ring: SealRing | undefined,
  readClaim: ReadClaim,
): Promise<unknown> {
  // What travels plain in the envelope is parsed already; serialising it to parse it again would cost more than the rest.
  const plain = envelope.input !== undefined && !contract.personal && envelope.claim === undefined;
  const raw = plain ? envelope.input : parseJson(await readText(envelope, contract, ring, readClaim));
  return parseOfVersion(contract, envelope.version, raw);
}

/** An input of any version that is still read, as today's contract has it. Throws INPUT_INVALID. */
export function parseOfVersion(contract: Contract, version: number, raw: unknown): unknown {
  try {
    return contract.input.parse(upcastInput(contract, version, raw));
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    const details = { kind: contract.kind, version };
    // What else an upcaster throws may quote the input.
    if (!(thrown instanceof z.ZodError))
      throw new AppError('INPUT_INVALID', {
        message: `An input of version ${version} cannot be read as one of version ${contract.version}.`,
        details,
        cause: thrown,
      });
    // So may messages of zod; personal input shows the path alone.
    const issues = thrown.issues.map(({ path, message, code }) => ({
      path,
      message: contract.personal ? code : message,
    }));
    throw new AppError('INPUT_INVALID', { details: { ...details, issues } });
  }
}

async function readText(
  envelope: Envelope,
  contract: Contract,
  ring: SealRing | undefined,
  readClaim: ReadClaim,
): Promise<string> {
  if (envelope.claim === undefined) {
    if (contract.personal && envelope.sealed === undefined)
      throw new AppError('INPUT_INVALID', {
        message: 'Personal input must be sealed by the client.',
        details: { kind: contract.kind },
      });
    return readInputText(contract, envelope, ring);
  }
  const bytes = await readClaim(envelope.claim);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  return readInputText(contract, envelope, ring, text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be personal.
    throw new AppError('INPUT_INVALID', { message: 'The input is not JSON.', details: { bytes: text.length } });
  }
}

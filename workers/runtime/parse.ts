/** Owns the first verb: from a job's data to a checked input. Nothing that does not fit its contract gets further. */
import type { Job } from 'bullmq';
import { z } from 'zod';
import { readInputText } from '../../jobs/client/make-job.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { type Envelope, envelopeSchema } from '../../shared/contract-kit/envelope.ts';
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import { refuseVersion, upcastInput } from '../../shared/contract-kit/versions.ts';
import { AppError } from '../../shared/errors.ts';
import type { Claims } from '../../shared/store/ports.ts';

export interface Parsed {
  readonly envelope: Envelope;
  readonly input: unknown;
}

/** Parses the envelope alone. Throws INPUT_INVALID, CONTRACT_VERSION_UNKNOWN, CONTRACT_VERSION_RETIRED. */
export function parseEnvelope(job: Pick<Job, 'data' | 'id'>, contract: Contract): Envelope {
  const parsed = envelopeSchema.safeParse(job.data);
  if (!parsed.success)
    throw new AppError('INPUT_INVALID', {
      message: 'The data of the job is not an envelope.',
      details: { jobId: job.id, issues: parsed.error.issues.map(({ path, message }) => ({ path, message })) },
    });
  const envelope = parsed.data;
  if (envelope.kind !== contract.kind)
    throw new AppError('INPUT_INVALID', {
      message: `A job of kind "${envelope.kind}" lies in the queue of "${contract.kind}".`,
    });
  refuseVersion(contract, envelope.version);
  return envelope;
}

/** Opens the input, brings it to today's version and checks it. Throws INPUT_INVALID, PAYLOAD_UNREADABLE, CLAIM_NOT_FOUND. */
export async function parseInput(
  envelope: Envelope,
  contract: Contract,
  ring: SealRing | undefined,
  claims: Claims,
): Promise<unknown> {
  // What travels plain in the envelope is parsed already; serialising it to parse it again would cost more than the rest.
  const plain = envelope.input !== undefined && !contract.personal && envelope.claim === undefined;
  const raw = plain ? envelope.input : parseJson(await readText(envelope, contract, ring, claims));
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
  claims: Claims,
): Promise<string> {
  if (envelope.claim === undefined) {
    if (contract.personal && envelope.sealed === undefined)
      throw new AppError('INPUT_INVALID', {
        message: 'Personal input must be sealed by the client.',
        details: { kind: contract.kind },
      });
    return readInputText(contract, envelope, ring);
  }
  const { id, sha256 } = envelope.claim;
  const bytes = await claims.get(envelope.tenant, id, sha256);
  await claims.bind(envelope.tenant, id, envelope.runKey);
  return readInputText(
    contract,
    envelope,
    ring,
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be personal.
    throw new AppError('INPUT_INVALID', { message: 'The input is not JSON.', details: { bytes: text.length } });
  }
}

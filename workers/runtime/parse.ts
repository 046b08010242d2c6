/** Owns the first verb: from a job's data to a checked input. Nothing that does not fit its contract gets further. */
import { createHash } from 'node:crypto';
import type { Job } from 'bullmq';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { type Envelope, envelopeSchema } from '../../shared/contract-kit/envelope.ts';
import { openSeal, type SealedPayload, type SealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import type { Claims } from '../../shared/store/ports.ts';
import { z } from 'zod';

export interface Parsed {
  readonly envelope: Envelope;
  readonly input: unknown;
}

const sealedBoxSchema = z.object({ kid: z.string(), box: z.string() });

/** Parses the envelope alone. Throws INPUT_INVALID, CONTRACT_VERSION_UNKNOWN. */
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
  if (envelope.version !== contract.version)
    throw new AppError('CONTRACT_VERSION_UNKNOWN', {
      details: { kind: contract.kind, version: envelope.version, known: [contract.version] },
    });
  return envelope;
}

/** Opens and checks the input. Throws INPUT_INVALID, PAYLOAD_UNREADABLE, CLAIM_NOT_FOUND. */
export async function parseInput(
  envelope: Envelope,
  contract: Contract,
  ring: SealRing | undefined,
  claims: Claims,
): Promise<unknown> {
  const raw = await readRaw(envelope, contract, ring, claims);
  const parsed = contract.input.safeParse(raw);
  if (parsed.success) return parsed.data;
  // Messages of zod may quote the input; personal input shows the path alone.
  const issues = parsed.error.issues.map(({ path, message, code }) => ({
    path,
    message: contract.personal ? code : message,
  }));
  throw new AppError('INPUT_INVALID', { details: { kind: contract.kind, issues } });
}

async function readRaw(
  envelope: Envelope,
  contract: Contract,
  ring: SealRing | undefined,
  claims: Claims,
): Promise<unknown> {
  if (envelope.claim !== undefined) {
    const bytes = await claims.get(envelope.tenant, envelope.claim.id, envelope.claim.sha256);
    await claims.bind(envelope.tenant, envelope.claim.id, envelope.runKey);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
    if (!contract.personal) return parseJson(text);
    const sealed = sealedBoxSchema.safeParse(parseJson(text));
    if (!sealed.success)
      throw new AppError('PAYLOAD_UNREADABLE', { message: 'A payload claim of personal data is not sealed.' });
    return open(sealed.data, envelope, contract, ring);
  }
  if (envelope.sealed !== undefined) return open(envelope.sealed, envelope, contract, ring);
  if (contract.personal)
    throw new AppError('INPUT_INVALID', {
      message: 'Personal input must be sealed by the client.',
      details: { kind: contract.kind },
    });
  return envelope.input;
}

function open(sealed: SealedPayload, envelope: Envelope, contract: Contract, ring: SealRing | undefined): unknown {
  if (ring === undefined)
    throw new AppError('CONFIG_INVALID', {
      message: 'This worker has no seal key.',
      details: { problems: ['MILLRACE_SEAL_KEY'] },
    });
  return parseJson(openSeal(ring, sealed, envelope.runKey, contract.limits.inputBytesMax));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be personal.
    throw new AppError('INPUT_INVALID', { message: 'The input is not JSON.', details: { bytes: text.length } });
  }
}

/** Hash of anything serialisable, for run keys and versions. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Owns the first verb: from a job's data to a checked input. Nothing that does not fit its contract gets further. */
import type { Job } from 'bullmq';
import { openInput } from '../../jobs/client/open-input.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { type Envelope, envelopeSchema } from '../../shared/contract-kit/envelope.ts';
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import { refuseVersion } from '../../shared/contract-kit/versions.ts';
import { AppError } from '../../shared/errors.ts';
import type { Claims } from '../../shared/store/ports.ts';

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

/** Opens and checks the input; a payload claim is bound to the run that is at work on it. Throws as `openInput`. */
export function parseInput(
  envelope: Envelope,
  contract: Contract,
  ring: SealRing | undefined,
  claims: Claims,
): Promise<unknown> {
  return openInput(envelope, contract, ring, async ({ id, sha256 }) => {
    const bytes = await claims.get(envelope.tenant, id, sha256);
    await claims.bind(envelope.tenant, id, envelope.runKey);
    return bytes;
  });
}

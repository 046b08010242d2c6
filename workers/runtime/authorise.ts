/** Owns the second authorisation, right before the commit: consent is what it is then, not what it was at the load. */
import { AppError } from '../../shared/errors.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import type { Processor, RunContext, Written } from './processor.ts';

/**
 * People who withdrew since the load, or whose consent ended, leave what is about to be published; aggregates are refused or marked stale. Returns the epoch
 * as of which the result may be published.
 */
export async function authoriseAgain(
  context: RunContext,
  written: Written<Contract>,
  processor: Processor,
): Promise<number> {
  const { contract } = processor;
  if (contract.purposes.length === 0) return context.consentEpoch;
  const { epoch, subjects: withdrawn } = await context.store.consents.withdrawnSince(
    context.tenant,
    context.consentEpoch,
    contract.purposes,
    context.authorisedAt,
  );
  if (withdrawn.length === 0) return epoch;
  if (contract.strict) throw new AppError('CONSENT_CHANGED', { details: { withdrawn: withdrawn.length } });
  // Of whom they are linked with, something may be made from their events.
  const subjects = [...withdrawn, ...(await context.store.identities.relatives(context.tenant, withdrawn))];
  await processor.withdraw?.(written, subjects, context);
  if (written.version !== undefined) await context.store.versions.markStale(context.tenant, written.version);
  return epoch;
}

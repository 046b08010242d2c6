/**
 * Owns erasing again, in a store that was restored from a backup, whoever was erased after the backup was made. Who they are is known by the keyed hashes
 * that the signed reports of their erasures hold: whoever of the restored people has such a hash goes before anything is served.
 */
import { AppError } from '../errors.ts';
import { isSignedBy } from '../governance/signing.ts';
import { z } from 'zod';
import type { Store } from './ports.ts';

const signedSchema = z.object({
  report: z.looseObject({ id: z.string(), tenant: z.string(), person: z.string().regex(/^[0-9a-f]{32}$/) }),
  signature: z.string(),
  publicKey: z.string(),
});
const filedSchema = z.object({ erasures: z.array(signedSchema) });

export interface FiledErasure {
  readonly id: string;
  readonly tenant: string;
  readonly person: string;
  readonly publicKey: string;
}

/** Reports as `millrace person reports --json` writes them. Throws FILE_MALFORMED for what is none, or not signed by the key that it names. */
export function readFiledErasures(text: string): FiledErasure[] {
  const parsed = filedSchema.safeParse(jsonOf(text));
  if (!parsed.success)
    throw new AppError('FILE_MALFORMED', {
      message: 'The file does not hold reports of erasures, as `millrace person reports --json` writes them.',
    });
  return parsed.data.erasures.map(({ report, signature, publicKey }) => {
    if (!isSignedBy(report, signature, publicKey))
      throw new AppError('FILE_MALFORMED', {
        message: `The report ${report.id} is not what was signed.`,
        details: { report: report.id },
      });
    return { id: report.id, tenant: report.tenant, person: report.person, publicKey };
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface ReappliedErasures {
  /** Reports that were read. */
  readonly reports: number;
  /** People who were in the backup and are erased again. */
  readonly erased: number;
}

/** Nothing may be at work on the store. Idempotent. Throws FILE_MALFORMED for a report that another deployment signed. */
export async function reapplyErasures(
  store: Store,
  filed: readonly FiledErasure[],
  signal?: AbortSignal,
): Promise<ReappliedErasures> {
  const ours = store.erasures.publicKey();
  const foreign = filed.find(({ publicKey }) => publicKey !== ours);
  if (foreign !== undefined)
    throw new AppError('FILE_MALFORMED', {
      message: `The report ${foreign.id} was signed by another deployment.`,
      details: { report: foreign.id },
    });
  let erased = 0;
  for (const [tenant, reports] of Map.groupBy(filed, (one) => one.tenant)) {
    const byMark = new Map(reports.map((one) => [one.person, one]));
    for await (const { id: externalId } of store.people.all(tenant)) {
      const subject = store.people.keys(tenant, [externalId])[0]!;
      const report = byMark.get(store.erasures.mark(tenant, subject));
      if (report === undefined) continue;
      await store.consents.erase(tenant, `restored.${report.id}`, subject);
      const options = {
        externalId,
        quiet: async () => ({ isQuiet: true, keep: new Set<string>() }),
        ...(signal && { signal }),
      };
      const { artefacts } = await store.erasures.sweep(tenant, subject, options);
      const left = artefacts.filter((one) => one.left > 0).map(({ artefact }) => artefact);
      if (left.length > 0) throw new AppError('ERASURE_INCOMPLETE', { details: { left, report: report.id } });
      erased += 1;
    }
  }
  return { reports: filed.length, erased };
}

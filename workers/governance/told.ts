/** Owns what the acts of people's requests leave in the audit trail: an entry about the person before each pass, and one of how it ended. */
import { toAppError } from '../../shared/errors.ts';
import type { SubjectKey, TrailNote } from '../../shared/store/ports.ts';
import type { Ports } from '../runtime/processor.ts';

interface Run extends Pick<Ports, 'store' | 'clock'> {
  readonly tenant: string;
  readonly runKey: string;
}

interface Asked {
  readonly act: string;
  /** Whom it is about, or what. */
  readonly subject?: SubjectKey;
  readonly ids?: readonly string[];
}

/** Where the trail cannot be written nothing is done. An erasure ends without the person's name: it has just become nobody's. */
export async function told<O extends { readonly report?: string | undefined }>(
  { store, clock, tenant, runKey }: Run,
  { act, ...about }: Asked,
  work: () => Promise<O>,
): Promise<O> {
  const note = (outcome: string): TrailNote => ({
    actor: { kind: 'run', id: runKey },
    act: 'people:write',
    object: `governance ${act}`,
    outcome,
    at: clock.now(),
  });
  await store.trail.note(tenant, [{ ...note('allowed'), ...about }]);
  try {
    const output = await work();
    if (output.report !== undefined)
      await store.trail.note(tenant, [{ ...note('allowed'), object: `governance ${act}, done`, ids: [output.report] }]);
    return output;
  } catch (thrown) {
    await store.trail.note(tenant, [note(toAppError(thrown).code)]).catch(() => {}); // the failure itself says more
    throw thrown;
  }
}

/**
 * Owns which events of a run are sent now, and in which order: the start before the end. A start that had a delivery of its own is waited for, so
 * that no attempt of it comes after the end; once that delivery has ended in vain, the start goes with the end.
 */
import { AppError } from '../../shared/errors.ts';
import type { LineageEvent, Store } from '../../shared/store/ports.ts';

/** Bodies to send, in order. Throws WEBHOOK_FAILED while the start is under way elsewhere: it is tried again like any delivery. */
export async function bodiesOf(
  { ledger, lineageEvents }: Pick<Store, 'ledger' | 'lineageEvents'>,
  { runId, tenant, upTo }: { readonly tenant: string; readonly runId: string; readonly upTo: 'start' | 'end' },
  delivery: string,
): Promise<string[]> {
  const [start, end] = placed(await lineageEvents.of(tenant, runId));
  if (upTo === 'start') return start?.sentBy === delivery ? [start.text] : [];
  if (end === undefined) return [];
  if (start?.sentBy === undefined) return [...(start === undefined ? [] : [start.text]), end.text];
  const sent = await ledger.read(start.sentBy);
  if (sent?.state === 'committed') return [end.text];
  if (sent !== undefined && sent.state !== 'running') return [start.text, end.text];
  throw new AppError('WEBHOOK_FAILED', {
    message: 'The start of the run is under way to the address for lineage.',
    details: { reason: 'the start is under way' },
  });
}

const placed = (events: readonly LineageEvent[]): [LineageEvent | undefined, LineageEvent | undefined] => [
  events.find(({ order }) => order === 0),
  events.find(({ order }) => order === 1),
];

/**
 * Owns how what follows from a run is carried out: a job is enqueued, a pipeline goes on.
 *
 * Jobs that are asked for together: of one key there is a row of turns, each a job of its own. Who asks takes the first turn that has not begun, which is
 * one whose run nobody has claimed. So of many who ask at once all take the same one, and whoever takes a turn has done what they did before it begins:
 * it was not claimed when they looked. A turn that begins between the look and the enqueue is no loss, for the same reason.
 */
import type { Clock } from '../../shared/clock.ts';
import { runKeyOf } from '../../shared/contract-kit/names.ts';
import type { Ledger } from '../../shared/store/ports.ts';
import type { Enqueuer } from './enqueuer.ts';
import type { Relay } from './follow.ts';
import type { Orchestrator } from './orchestrator.ts';

export interface RelayParts {
  readonly orchestrator: Pick<Orchestrator, 'advance'>;
  readonly enqueuer: Pick<Enqueuer, 'enqueue'>;
  readonly ledger: Pick<Ledger, 'read'>;
  readonly clock: Clock;
}

export function relayOf({ orchestrator, enqueuer, ledger, clock }: RelayParts): Relay {
  return async (intent, { tenant, asOf }) => {
    if (intent.type === 'advance') return orchestrator.advance(intent.run);
    const { kind, input, key, together } = intent;
    if (together === undefined) {
      await enqueuer.enqueue(kind, input, { tenant, key, asOf });
      return;
    }
    const turn = await firstUnbegun(async (n) => {
      return (await ledger.read(runKeyOf(tenant, kind, `${key}.${n}`))) !== undefined;
    });
    const delayMs = together.waitMs;
    // It speaks of the moment it begins: what was published meanwhile is not later than it.
    const begins = clock.now() + delayMs;
    await enqueuer.enqueue(kind, input, { tenant, key: `${key}.${turn}`, asOf: begins, delayMs });
  };
}

/** A turn that has not begun, though the one before it has: some 2 log2(n) questions. Turns that the ledger has forgotten may be taken again. */
async function firstUnbegun(hasBegun: (turn: number) => Promise<boolean>): Promise<number> {
  let [begun, free] = [-1, 0];
  while (await hasBegun(free)) [begun, free] = [free, 2 * free + 1];
  while (free - begun > 1) {
    const middle = Math.floor((begun + free) / 2);
    if (await hasBegun(middle)) begun = middle;
    else free = middle;
  }
  return free;
}

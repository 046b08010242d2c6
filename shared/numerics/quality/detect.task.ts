/** Owns the passes of detection that run in threads. What is said of an account depends on the columns alone, so the answer is the same for any number of threads. */
import { sharedFloat32 } from '../sparse.ts';
import type { AccountActs } from './acts.ts';
import { type Cells, cellsOf, type Link, linksOf, ringsOf } from './co-actions.ts';
import { findCampaigns } from './campaigns.ts';
import { isCoarse, sharedShingles } from './sequences.ts';
import { TRACES, type TraceRequest, tracesOf } from './traces.ts';
import { type AccountVerdict, judge, RING_LIMITS, ringLimitsFor } from './verdict.ts';

export interface Prepared {
  /** The clock of the platform is too coarse to order acts of one moment. */
  readonly coarse: boolean;
  readonly shared: Float64Array;
  readonly cells: Cells;
}

/** What needs all accounts at once. */
export function prepare({ acts, kindOf }: { readonly acts: AccountActs; readonly kindOf: Uint8Array }): Prepared {
  const coarse = isCoarse(acts);
  const shared = sharedShingles(acts, coarse);
  const kept = new Float64Array(new SharedArrayBuffer(shared.length * Float64Array.BYTES_PER_ELEMENT));
  kept.set(shared);
  return { coarse, shared: kept, cells: cellsOf(acts, kindOf) };
}

export interface RangeRequest extends TraceRequest {
  readonly cells: Cells;
  readonly from: number;
  readonly to: number;
}

export interface RangeTraces {
  readonly traces: Float32Array;
  readonly links: readonly (readonly Link[])[];
}

/** Traces and links of the accounts from .. to. */
export function traceRange({ from, to, cells, ...request }: RangeRequest): RangeTraces {
  const traces = sharedFloat32((to - from) * TRACES.length);
  const links: Link[][] = [];
  for (let account = from; account < to; account++) {
    traces.set(tracesOf(request, account), (account - from) * TRACES.length);
    links.push(linksOf(cells, account, RING_LIMITS.cellsMin));
  }
  return { traces, links };
}

/** Verdicts on all accounts. */
export function judgeAll({ traces, links }: RangeTraces): AccountVerdict[] {
  return judge(traces, ringsOf(links, ringLimitsFor(links)));
}

export { findCampaigns };

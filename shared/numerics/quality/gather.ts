/** Owns how rows of events become the columns that quality reads. */
import { EVENT_TYPES } from '../../contract-kit/event.ts';
import type { EventArrays } from '../interactions/columns.ts';
import type { DetectContext, QualityColumns } from './detect.ts';

const TASKS = new URL('./gather.task.ts', import.meta.url).href;

export interface GatherRequest {
  readonly columns: EventArrays;
  /** Number of each row's item, or -1. */
  readonly item: Int32Array;
  readonly facts: {
    /** -1: unknown. */
    readonly creator: Int32Array;
    /** ms; NaN: unknown. */
    readonly publishedAt: Float64Array;
  };
  /** Only what occurred and was recorded by then. */
  readonly asOf: number;
}

export interface Gathered extends QualityColumns {
  /** 16 bytes an account. */
  readonly subjects: Uint8Array;
}

/** Acts of all accounts; what the platform did (impressions) is left out. */
export async function gathered(request: GatherRequest, { pool, signal }: DetectContext): Promise<Gathered> {
  const payload = { ...request, columns: plain(request.columns), ignored: EVENT_TYPES.indexOf('impression') };
  const [answer] = await pool.runPhase<Gathered>([{ module: TASKS, name: 'gather', payload }], signal);
  return answer!;
}

/** The columns that are read, so that no other travels. */
function plain({ rows, subject, item, type, value, occurredAt, recordedAt, source }: EventArrays): EventArrays {
  return { rows, subject, item, type, value, occurredAt, recordedAt, source };
}

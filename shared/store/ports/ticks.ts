/** Owns the port of ticks: how far each schedule has got, one document a schedule, advanced by compare-and-set. */
import type { ScheduleRecord, TickMirror } from '../../contract-kit/envelope.ts';

export interface TickState extends TickMirror {
  readonly tenant: string;
  readonly schedule: string;
  readonly seq: number;
  /** What is declared; null: it was removed. */
  readonly record?: ScheduleRecord | null;
}

export interface Ticks {
  /** Inserts if absent; returns what is there. */
  begin(tenant: string, schedule: string, cursor: number): Promise<TickState>;
  /** Compare-and-set on `seq`; false when somebody else decided these ticks. */
  advance(before: TickState, after: TickMirror): Promise<boolean>;
  /** Notes what is declared, so that an emptied Redis gets it back; null: it was removed. */
  keep(tenant: string, schedule: string, record: ScheduleRecord | null): Promise<void>;
  /** Every schedule that was ever declared. */
  kept(limit: number): Promise<TickState[]>;
}

/** Owns the port of prompts: whom services may ask for feedback now, who was asked when, and who wants no question. */
import type { ItemKey, SubjectKey } from './keys.ts';

export interface Prompt {
  readonly subject: SubjectKey;
  readonly item: ItemKey;
  /** The question: an answer of the feedback schema. */
  readonly ask: string;
  /** The act that it follows, and when that was. */
  readonly after: string;
  readonly at: number;
  /** No longer asked from then on. */
  readonly until: number;
}

export interface PromptLimits {
  readonly perPersonMax: number;
  readonly withinDays: number;
  readonly pauseHours: number;
}

export interface PromptMarks {
  /** When the person was asked; the latest PROMPTS_REMEMBERED_MAX, ascending. */
  readonly shown: readonly number[];
  /** Since when they want no question. */
  readonly optedOut?: number;
}

export interface CurrentPrompts {
  readonly version: string;
  readonly asOf: number;
  /** When its run was first claimed: of two that speak of one moment the later one holds. */
  readonly madeAt: number;
  readonly limits: PromptLimits;
}

export interface Prompts {
  /** Small documents under a version that is not current yet. Idempotent. */
  write(tenant: string, version: string, prompts: readonly Prompt[]): Promise<void>;
  /** Removes what a version holds of people. */
  drop(tenant: string, version: string, subjects: readonly SubjectKey[]): Promise<void>;
  /** Makes a version the current one, unless one that speaks of a later moment is; what an earlier one held goes. Idempotent. */
  publish(tenant: string, current: CurrentPrompts): Promise<void>;
  current(tenant: string): Promise<CurrentPrompts | undefined>;
  read(tenant: string, version: string, subject: SubjectKey): Promise<Prompt | undefined>;
  /** Of all people who were ever asked or opted out, by hex of their key. */
  marks(tenant: string): Promise<ReadonlyMap<string, PromptMarks>>;
  marksOf(tenant: string, subject: SubjectKey): Promise<PromptMarks>;
  /** The person was asked; the same moment counts once. */
  noteShown(tenant: string, subject: SubjectKey, at: number): Promise<void>;
  optOut(tenant: string, subject: SubjectKey, at: number | undefined): Promise<void>;
}

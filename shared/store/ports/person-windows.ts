/** Owns the port of how many events of a person came in a window of time, counted in common by all workers. Only of who is near a limit. */
import type { SubjectKey } from './keys.ts';

export interface PersonWindow {
  readonly source: string;
  readonly subject: SubjectKey;
  /** Number of the window. */
  readonly window: number;
}

export interface PersonWindows {
  /**
   * Notes that a run brings so many events of the window, unless others brought `enough` already; and says how many others brought. Idempotent by run.
   * `released`: an operator let the window go.
   */
  note(
    tenant: string,
    run: string,
    own: PersonWindow & { readonly events: number; readonly enough: number },
  ): Promise<{ readonly others: number; readonly released: boolean }>;
  /** Lets these windows go: they have no limit any more. */
  release(tenant: string, windows: readonly PersonWindow[]): Promise<void>;
}

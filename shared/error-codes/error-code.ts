/** Owns what a code of the table says. */
export type Retry = 'never' | 'backoff' | 'later';

export interface ErrorCode {
  readonly retry: Retry;
  /** HTTP status a gateway answers with. */
  readonly status: number;
  /** What happened, in words for a person. */
  readonly what: string;
  /** What the person can do about it. */
  readonly todo: string;
}

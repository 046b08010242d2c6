/**
 * Owns cutting what a person did into sessions, where the source does not say: acts of one person belong together while no gap between them is
 * longer than half an hour, on whatever device. Acts may come a little out of order; the same acts in the same order give the same names.
 */
import { hash } from 'node:crypto';

/** The usual gap of web analytics. */
export const SESSION_GAP_MS = 30 * 60_000;
/** People whose last session is remembered: ~150 bytes each. Who is forgotten begins a new one. */
const PEOPLE_MAX = 200_000;
const NAME_CHARS = 22;

interface Session {
  readonly name: string;
  first: number;
  last: number;
}

export class Sessions {
  readonly #source: string;
  /** In order of last use. */
  readonly #open = new Map<string, Session>();

  constructor(source: string) {
    this.#source = source;
  }

  /** The name of the session that an act belongs to. */
  of(user: string, atMs: number): string {
    const known = this.#open.get(user);
    this.#open.delete(user);
    const goesOn = known !== undefined && atMs <= known.last + SESSION_GAP_MS && atMs >= known.first - SESSION_GAP_MS;
    const session = goesOn ? known : this.#begin(user, atMs);
    session.first = Math.min(session.first, atMs);
    session.last = Math.max(session.last, atMs);
    this.#open.set(user, session);
    return session.name;
  }

  #begin(user: string, atMs: number): Session {
    if (this.#open.size >= PEOPLE_MAX) {
      const [oldest] = this.#open.keys();
      if (oldest !== undefined) this.#open.delete(oldest);
    }
    const name = hash('sha256', JSON.stringify([this.#source, user, atMs]), 'base64url').slice(0, NAME_CHARS);
    return { name, first: atMs, last: atMs };
  }
}

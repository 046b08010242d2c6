/** Owns when a process writes to the audit trail: at once, behind the answer, or counted, as the table of permissions says. */
import { AppError } from '../errors.ts';
import type { Trail, TrailNote } from '../store/ports/trail.ts';
import type { TrailMode } from './roles.ts';

/** What is counted is written this often. */
const COUNTED_MS = 60_000;
/** Different acts that are counted at once. */
const COUNTED_MAX = 5_000;

interface Counted {
  readonly tenant: string;
  readonly note: TrailNote;
  count: number;
}

export class TrailDesk implements AsyncDisposable {
  readonly #trail: Pick<Trail, 'note'>;
  readonly #counted = new Map<string, Counted>();
  readonly #behind = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  /** What was handed over last could not be written: until something can, everybody waits for their entry. */
  #isFailing = false;

  constructor(trail: Pick<Trail, 'note'>) {
    this.#trail = trail;
    this.#timer = setInterval(() => void this.#flush(), COUNTED_MS).unref();
  }

  /** Throws TRAIL_UNAVAILABLE: what the note tells of must not go out. */
  async tell(tenant: string, note: TrailNote, mode: TrailMode): Promise<void> {
    if (mode === 'none') return;
    if (mode === 'counted') {
      if (this.#counted.size >= COUNTED_MAX) await this.#flush();
      if (this.#counted.size >= COUNTED_MAX) throw new AppError('TRAIL_UNAVAILABLE');
      this.#count(tenant, note);
      return;
    }
    const written = this.#trail.note(tenant, [note]);
    if (mode === 'each' || this.#isFailing) {
      await written;
      this.#isFailing = false;
      return;
    }
    const settled = written.catch(() => void (this.#isFailing = true)).finally(() => this.#behind.delete(settled));
    this.#behind.add(settled);
  }

  #count(tenant: string, { ids: _ids, request: _request, ...note }: TrailNote, count = 1): void {
    const { actor, act, object, outcome, subject } = note;
    const key = [tenant, actor.kind, actor.id, act, object, outcome, subject?.join() ?? ''].join('\0');
    const counted = this.#counted.get(key);
    if (counted === undefined) this.#counted.set(key, { tenant, note, count });
    else counted.count += count;
  }

  /** What cannot be written now is counted on. */
  async #flush(): Promise<void> {
    const all = [...this.#counted.values()];
    this.#counted.clear();
    for (const [tenant, some] of Map.groupBy(all, (one) => one.tenant)) {
      try {
        await this.#trail.note(
          tenant,
          some.map(({ note, count }) => ({ ...note, count })),
        );
      } catch {
        for (const { note, count } of some) this.#count(tenant, note, count);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#flush();
    await Promise.all(this.#behind);
  }
}

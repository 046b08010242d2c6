/** Owns the clocks that people live by: how far a time zone is ahead of UTC at a moment, looked up once for each day where the day has no change. */

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Days of one zone that are remembered: 50 years. */
const DAYS_MAX = 20_000;
const OFFSET = /^GMT(?:([+-])(\d{1,2})(?::(\d{2}))?)?/;
/** No place is further ahead of UTC or behind it. */
const MINUTES_MAX = 14 * 60;
const MINUTES_MIN = -12 * 60;

/** A zone by its IANA name, or minutes ahead of UTC as digits. Undefined: it is neither. */
export function zoneOf(given: unknown): string | undefined {
  if (typeof given === 'number')
    return Number.isInteger(given) && given >= MINUTES_MIN && given <= MINUTES_MAX ? String(given) : undefined;
  if (typeof given !== 'string' || !/^[A-Za-z][A-Za-z0-9_+/-]{1,60}$/.test(given)) return undefined;
  try {
    formatOf(given);
    return given;
  } catch {
    return undefined; // no zone of that name
  }
}

const formatOf = (zone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });

export class LocalClock {
  readonly #fixedMs: number | undefined;
  readonly #format: Intl.DateTimeFormat | undefined;
  readonly #days = new Map<number, number>();

  /** @param zone as `zoneOf` gives it. */
  constructor(zone: string) {
    const minutes = Number(zone);
    if (Number.isNaN(minutes)) this.#format = formatOf(zone);
    else this.#fixedMs = minutes * MINUTE_MS;
  }

  /** The moment as a clock on the wall there would show it, in ms as if of UTC. */
  localMs(at: number): number {
    return at + (this.#fixedMs ?? this.#offsetMs(at));
  }

  /** A day whose two ends agree has no change. */
  #offsetMs(at: number): number {
    const day = Math.floor(at / DAY_MS);
    const [before, after] = [this.#atDay(day), this.#atDay(day + 1)];
    return before === after ? before : this.#ask(at);
  }

  #atDay(day: number): number {
    const known = this.#days.get(day);
    if (known !== undefined) return known;
    const offset = this.#ask(day * DAY_MS);
    if (this.#days.size < DAYS_MAX) this.#days.set(day, offset);
    return offset;
  }

  #ask(at: number): number {
    const name = this.#format!.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign, hours = 0, minutes = 0] = OFFSET.exec(name) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * MINUTE_MS;
  }
}

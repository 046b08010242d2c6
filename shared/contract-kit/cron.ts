/**
 * Owns when a schedule is due: five cron fields read in a time zone, and the rule for days on which clocks change.
 *
 * The rule. Where the hour field starts with `*`, ticks follow elapsed time: a local time that does not exist has no tick, one that
 * comes twice has two. Otherwise a tick is meant once a day: one whose local time does not exist comes at the moment the clocks
 * jump, one whose local time comes twice comes the first time only.
 * Day of month and weekday are alternatives when both are restricted, as cron has it.
 */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** 29 February may be eight years away (2096 to 2104). */
const DAYS_AHEAD_MAX = 8 * 366 + 2;

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}
const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  {
    name: 'month',
    min: 1,
    max: 12,
    names: ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { name: 'weekday', min: 0, max: 7, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];

export interface Cron {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Ticks follow elapsed time: the hour field starts with `*`. */
  readonly everyHour: boolean;
  isDue(year: number, month: number, day: number): boolean;
}

/** Reads five fields; a text says what is wrong with them. */
export function parseCron(text: string): Cron | string {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) return 'five fields are expected: minute hour day month weekday';
  const sets: Set<number>[] = [];
  for (const [index, field] of FIELDS.entries()) {
    const values = valuesOf(fields[index] as string, field);
    if (values === undefined) return `the ${field.name} "${fields[index]}" is not within ${field.min}-${field.max}`;
    sets.push(values);
  }
  const [minutes, hours, days, months, weekdays] = sets as [
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
  ];
  if (weekdays.has(7)) weekdays.add(0);
  const anyDay = (fields[2] as string).startsWith('*');
  const anyWeekday = (fields[4] as string).startsWith('*');
  return {
    minutes: [...minutes].toSorted((a, b) => a - b),
    hours: [...hours].toSorted((a, b) => a - b),
    everyHour: (fields[1] as string).startsWith('*'),
    isDue(year, month, day) {
      if (!months.has(month)) return false;
      const byDay = days.has(day);
      const byWeekday = weekdays.has(new Date(Date.UTC(year, month - 1, day)).getUTCDay());
      return anyDay || anyWeekday ? byDay && byWeekday : byDay || byWeekday;
    },
  };
}

function valuesOf(text: string, field: Field): Set<number> | undefined {
  const values = new Set<number>();
  for (const part of text.toLowerCase().split(',')) {
    const [range = '', stepText, ...rest] = part.split('/');
    const step = stepText === undefined ? 1 : wholeOf(stepText);
    if (rest.length > 0 || step === undefined || step < 1) return undefined;
    const bounds = boundsOf(range, stepText !== undefined, field);
    if (bounds === undefined) return undefined;
    for (let value = bounds[0]; value <= bounds[1]; value += step) values.add(value);
  }
  return values;
}

function boundsOf(range: string, stepped: boolean, field: Field): [number, number] | undefined {
  // Sunday is 0 and 7: `*` counts it once.
  if (range === '*') return [field.min, field.name === 'weekday' ? 6 : field.max];
  const ends = range.split('-').map((end) => {
    const named = field.names?.indexOf(end) ?? -1;
    return end !== '' && named >= 0 ? named : wholeOf(end);
  });
  const [from, to = stepped ? field.max : from] = ends;
  if (ends.length > 2 || from === undefined || to === undefined) return undefined;
  if (ends.length === 2 && ends[1] === undefined) return undefined;
  return from >= field.min && to <= field.max && from <= to ? [from, to] : undefined;
}

const wholeOf = (text: string): number | undefined => (/^\d{1,4}$/.test(text) ? Number(text) : undefined);

const formats = new Map<string, Intl.DateTimeFormat>();
const FORMATS_MAX = 1000;

/** Clocks change at full quarters of an hour (everywhere, since 1972), and asking the calendar is slow. */
const QUARTER_MS = 15 * MINUTE_MS;
const offsets = new Map<string, number>();
const OFFSETS_MAX = 20_000;

/** Local time minus UTC at a moment, ms. */
function offsetAt(timeZone: string, at: number): number {
  const quarter = Math.floor(at / QUARTER_MS);
  const key = `${timeZone} ${quarter}`;
  let offset = offsets.get(key);
  if (offset === undefined) {
    offset = calendarOffset(timeZone, quarter * QUARTER_MS);
    if (offsets.size >= OFFSETS_MAX) offsets.clear();
    offsets.set(key, offset);
  }
  return offset;
}

function calendarOffset(timeZone: string, at: number): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    if (formats.size >= FORMATS_MAX) formats.clear();
    formats.set(timeZone, format);
  }
  const parts: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(at)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

/** The first `count` ticks after `fromMs`, ascending; fewer, or none, where the expression is wrong or never comes true. */
export function ticksOf(cron: string, timeZone: string, fromMs: number, count: number): number[] {
  const parsed = parseCron(cron);
  if (typeof parsed === 'string' || count < 1) return [];
  const ticks: number[] = [];
  // A day before: what its clock change moves may still lie ahead.
  const start = Math.floor((fromMs + offsetAt(timeZone, fromMs)) / DAY_MS) * DAY_MS - DAY_MS;
  let last = fromMs;
  let idleDays = 0;
  for (let day = start; idleDays < DAYS_AHEAD_MAX; day += DAY_MS, idleDays += 1)
    for (const tick of ticksOfDay(parsed, timeZone, day)) {
      if (tick <= last) continue;
      ticks.push(tick);
      if (ticks.length === count) return ticks;
      last = tick;
      idleDays = 0;
    }
  return ticks;
}

/** Ticks of one local day, ascending. `local`: its midnight as if it were UTC. */
function ticksOfDay(cron: Cron, timeZone: string, local: number): number[] {
  const date = new Date(local);
  if (!cron.isDue(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate())) return [];
  const before = offsetAt(timeZone, local - DAY_MS);
  const calm = offsetAt(timeZone, local + 2 * DAY_MS) === before && offsetAt(timeZone, local + DAY_MS) === before;
  const ticks = new Set<number>();
  for (const hour of cron.hours)
    for (const minute of cron.minutes) {
      const at = local + hour * HOUR_MS + minute * MINUTE_MS;
      if (calm) ticks.add(at - before);
      else for (const tick of momentsOf(cron.everyHour, timeZone, at)) ticks.add(tick);
    }
  return [...ticks].toSorted((a, b) => a - b);
}

/** When a local time comes on a day of changing clocks, by the rule above. */
function momentsOf(everyHour: boolean, timeZone: string, local: number): number[] {
  const before = offsetAt(timeZone, local - 2 * DAY_MS);
  const after = offsetAt(timeZone, local + 2 * DAY_MS);
  const real = [local - Math.max(before, after), local - Math.min(before, after)].filter(
    (at, index, all) => all.indexOf(at) === index && at + offsetAt(timeZone, at) === local,
  );
  if (real.length > 0) return everyHour ? real : real.slice(0, 1);
  return everyHour ? [] : [jumpAround(timeZone, local, before)];
}

/** The moment at which the offset stops being `before`, near a local time that does not exist. */
function jumpAround(timeZone: string, local: number, before: number): number {
  let low = local - 2 * DAY_MS;
  let high = local + 2 * DAY_MS;
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000;
    if (offsetAt(timeZone, middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * Owns what features read of people's profiles: the clock they live by and the coarse place they are at. Opened person by person at load;
 * nothing else of a profile leaves its envelope.
 */
import type { Person } from '../../shared/contract-kit/event.ts';
import { PLACE_DEGREES } from '../../shared/numerics/features/views/context.ts';
import { isAdmitted } from '../../shared/numerics/interactions/interaction-view.ts';
import { sharedFloat32, sharedInt32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { contextOf } from '../../shared/sources/mobile/payload.ts';
import { middleOf, type Point } from '../../shared/sources/mobile/place.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { FeatureEvents } from './features.task.ts';
import { zoneOf } from './local-time.ts';
import { HOUR_MS } from './person-rows.ts';
import type { WrittenText } from './text.task.ts';
import { readTexts } from './texts.ts';

/** What is known of people; index = number of the person. */
export interface Profiles {
  /** Place in `zones`; -1: unknown. */
  readonly zone: Int32Array;
  readonly zones: readonly string[];
  /** Whole degrees; NaN: unknown. */
  readonly latitude: Float32Array;
  readonly longitude: Float32Array;
}

/** People opened at once. */
const PEOPLE_PER_READ = 5_000;

/** Profiles of the people of these events who may be read, by their numbers; where an app has noted by then where and when somebody was, by that. */
export async function readProfiles(events: FeatureEvents, asOf: number, context: RunContext): Promise<Profiles> {
  const { keys, subjects } = events.runs;
  const [latitude, longitude] = [sharedFloat32(subjects).fill(Number.NaN), sharedFloat32(subjects).fill(Number.NaN)];
  const zone = sharedInt32(subjects).fill(-1);
  const zones = new Map<string, number>();
  for (let from = 0; from < subjects; from += PEOPLE_PER_READ) {
    context.signal.throwIfAborted();
    const asked = Array.from({ length: Math.min(PEOPLE_PER_READ, subjects - from) }, (_, n) => from + n).filter((s) =>
      isAdmitted(events, s),
    );
    const own = asked.map((s) => Uint8Array.from(keys.subarray(s * KEY_BYTES, (s + 1) * KEY_BYTES)));
    const opened = await context.store.people.open(context.tenant, own, asOf);
    for (const [n, s] of asked.entries()) {
      const person = opened.get(Buffer.from(own[n]!).toString('hex'));
      if (person === undefined) continue;
      const name = clockOf(person);
      if (name !== undefined && !zones.has(name)) zones.set(name, zones.size);
      if (name !== undefined) zone[s] = zones.get(name)!;
      const place = placeOf(person);
      if (place !== undefined) [latitude[s], longitude[s]] = place;
    }
  }
  const notes = await readTexts(events, asOf, 'notes', context);
  for (const [n, s] of notes.subjects.entries()) {
    const { clock, place } = notedLast(notes.texts[n]!);
    if (clock !== undefined && !zones.has(clock)) zones.set(clock, zones.size);
    if (clock !== undefined) zone[s] = zones.get(clock)!;
    if (place !== undefined) [latitude[s], longitude[s]] = place;
  }
  return { zone, zones: [...zones.keys()], latitude, longitude };
}

/** What an app noted last of the clock and of the place, each by itself. */
function notedLast(texts: readonly WrittenText[]): {
  clock?: string | undefined;
  place?: [number, number] | undefined;
} {
  const notes = texts.map(({ text, at }) => ({ at, note: contextOf(text) }));
  const timed = notes.findLast(({ note }) => note?.hour !== undefined);
  const placed = notes.findLast(({ note }) => note?.place !== undefined)?.note?.place;
  // Only the hour is noted: the clock is known to an hour.
  const hours =
    timed === undefined ? 0 : ((((timed.note!.hour! - Math.floor(timed.at / HOUR_MS) + 12) % 24) + 24) % 24) - 12;
  return {
    clock: timed === undefined ? undefined : zoneOf(hours * 60),
    place: placed === undefined ? undefined : coarse(middleOf(placed)),
  };
}

function clockOf({ attributes = {} }: Person): string | undefined {
  return zoneOf(attributes['timeZone']) ?? zoneOf(attributes['utcOffsetMinutes']);
}

const PLACE = /^\s*(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)\s*$/;

/** Latitude and longitude, made coarse. */
export function placeOf({ attributes = {} }: Person): [number, number] | undefined {
  const [, latitude, longitude] = PLACE.exec(String(attributes['place'] ?? '')) ?? [];
  if (latitude === undefined || longitude === undefined) return undefined;
  return coarse({ latitude: Number(latitude), longitude: Number(longitude) });
}

function coarse(point: Point): [number, number] | undefined {
  const [latitude, longitude] = [point.latitude, point.longitude].map(
    (degrees) => Math.round(degrees / PLACE_DEGREES) * PLACE_DEGREES + 0, // + 0: never -0
  );
  return Math.abs(latitude!) <= 90 && Math.abs(longitude!) <= 180 ? [latitude!, longitude!] : undefined;
}

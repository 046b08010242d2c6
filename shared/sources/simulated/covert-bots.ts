/**
 * Owns the bots that take care to look like people. Rings keep human hours and pauses and do ordinary things between the
 * acts they are paid for; copycats change part of what they copy; loopers and drips have no clock that gives them away.
 */
import { type RandomStream, randomStream } from '../../random.ts';
import { type BotDay, type Habit, log, patronVideos } from './bot-day.ts';
import type { SimVideo } from './catalogue.ts';
import { DAY_MS } from './options.ts';
import { drawIndex } from './people.ts';

/** Share of a ring's acts that are ordinary. */
const CAMOUFLAGE = 0.6;
/** Acts of one visit, about. */
const VISIT_ACTS = 8;
/** Share of its script that a copycat changes. */
const CHANGED = 0.2;

/** Moments of ordinary visits: hours as its made-up person keeps them, pauses of seconds to minutes. */
function humanMoments(today: BotDay, count: number): number[] {
  const { stream, life, dayStartMs } = today;
  const moments: number[] = [];
  let atMs = 0;
  for (let k = 0; k < count; k++) {
    if (k % VISIT_ACTS === 0) {
      const localMs = (drawIndex(life.person.hourWeights, stream) + stream.uniform()) * 3_600_000;
      atMs = dayStartMs + ((localMs - life.person.utcOffsetMinutes * 60_000 + DAY_MS) % DAY_MS);
    }
    atMs += 3_000 + 20_000 * Math.exp(0.9 * stream.normal());
    moments.push(Math.floor(atMs));
  }
  return moments;
}

/** A video like those that people open: the popular ones more often. */
function ordinary({ world }: BotDay, alive: readonly number[], stream: RandomStream): SimVideo {
  const at = Math.floor(alive.length * stream.uniform() ** 2);
  // A fixed shuffle, so that "popular" is not "young".
  const place = randomStream(world.settings.seed, 'sim.ordinary', at).below(alive.length);
  return world.videos[alive[place]!]!;
}

function watchOrdinarily(today: BotDay, alive: readonly number[], occurredAt: number): void {
  const { stream } = today;
  const value = Math.round(Math.min(100, Math.max(1, 55 + 30 * stream.normal())));
  log(today, { type: 'view', item: ordinary(today, alive, stream).id, value, occurredAt });
}

/** Acts that are not camouflage: the same few videos of one creator for the whole ring and day. */
function targetOfDay(today: BotDay, alive: readonly number[], key: number): SimVideo | undefined {
  const videos = patronVideos(today, key, alive);
  return videos.length === 0 ? undefined : videos[today.stream.below(Math.min(3, videos.length))]!;
}

/** Lifts one creator together: views to the end, likes and shares among ordinary acts. */
function ring(today: BotDay, alive: readonly number[]): void {
  const { stream, life } = today;
  for (const occurredAt of humanMoments(today, today.budget)) {
    const target = targetOfDay(today, alive, life.person.ring);
    if (target === undefined || stream.uniform() < CAMOUFLAGE) {
      watchOrdinarily(today, alive, occurredAt);
      continue;
    }
    const type = (['view', 'view', 'like', 'share'] as const)[stream.below(4)]!;
    const value = 85 + stream.below(16);
    log(today, { type, item: target.id, occurredAt, ...(type === 'view' && { value }) });
  }
}

/** Pulls one creator down together: thumbs, lowest ratings and "not interested" among ordinary acts. */
function downvoteRing(today: BotDay, alive: readonly number[]): void {
  const { stream, life } = today;
  for (const occurredAt of humanMoments(today, today.budget)) {
    const target = targetOfDay(today, alive, life.person.ring);
    if (target === undefined || stream.uniform() < CAMOUFLAGE) {
      watchOrdinarily(today, alive, occurredAt);
      continue;
    }
    const act = ([{ type: 'thumb', value: -1 }, { type: 'rating', value: 1 }, { type: 'not-interested' }] as const)[
      stream.below(3)
    ]!;
    log(today, { ...act, item: target.id, occurredAt });
  }
}

/** Plays its ring's script with a fifth of the videos changed, other pauses and other percentages. */
function copycat(today: BotDay, alive: readonly number[]): void {
  const { world, life, stream } = today;
  const script = randomStream(world.settings.seed, 'sim.copied', life.person.ring, today.day);
  for (const occurredAt of humanMoments(today, today.budget)) {
    const copied = world.videos[alive[script.below(alive.length)]!]!;
    if (stream.uniform() < CHANGED) {
      watchOrdinarily(today, alive, occurredAt);
      continue;
    }
    log(today, { type: 'view', item: copied.id, value: 20 + stream.below(81), occurredAt });
  }
}

/** Watches one video of its patron over and over, at human hours and pauses. */
function looper(today: BotDay, alive: readonly number[]): void {
  const { stream, life } = today;
  const video = patronVideos(today, life.person.index, alive)[0];
  if (video === undefined) return;
  for (const occurredAt of humanMoments(today, today.budget))
    log(today, { type: 'view', item: video.id, value: 70 + stream.below(31), occurredAt });
}

/** A few ordinary acts every hour of the day and night, at random moments. */
function drip(today: BotDay, alive: readonly number[]): void {
  for (let k = 0; k < today.budget; k++) watchOrdinarily(today, alive, today.dayStartMs + today.stream.below(DAY_MS));
}

export const COVERT_HABITS = { ring, 'downvote-ring': downvoteRing, copycat, looper, drip } as const satisfies Readonly<
  Record<string, Habit>
>;

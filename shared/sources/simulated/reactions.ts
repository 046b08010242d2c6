/** Owns what a person does after watching: explicit feedback, shares, comments, follows, and buying days later. */
import type { RandomStream } from '../../random.ts';
import type { SimVideo } from './catalogue.ts';
import type { Life, World } from './life.ts';
import type { Act } from './log.ts';
import { GRUMBLES, PRAISE, TOPICS } from './ontology.ts';

/** A view that just ended: how much it was enjoyed (0..1), when it ended, and what all its events carry. */
export interface Watched {
  readonly video: SimVideo;
  readonly joy: number;
  readonly endMs: number;
  readonly lagMs: number;
  readonly carried: Partial<Pick<Act, 'session' | 'device' | 'requestId' | 'position'>>;
}

const CONVERSION_DELAY_MEAN_MS = 36 * 3_600_000;

const between = (low: number, high: number, value: number): number => Math.min(high, Math.max(low, value));

/** Explicit opinions: likelier from expressive people and at the extremes. */
function opinions(joy: number, talk: number, stream: RandomStream): Omit<Act, 'occurredAt'>[] {
  const acts: Omit<Act, 'occurredAt'>[] = [];
  const noisy = joy + 0.12 * stream.normal();
  if (stream.uniform() < 0.07 * talk) acts.push({ type: 'rating', value: between(1, 5, Math.round(1 + 4.4 * noisy)) });
  if (joy > 0.55 && stream.uniform() < 0.1 * talk) acts.push({ type: 'thumb', value: 1 });
  if (joy < 0.22 && stream.uniform() < 0.07 * talk) acts.push({ type: 'thumb', value: -1 });
  if (joy < 0.15 && stream.uniform() < 0.06 * talk) acts.push({ type: 'not-interested' });
  if (joy > 0.5 && stream.uniform() < 0.14) acts.push({ type: 'like' });
  if (joy > 0.6 && stream.uniform() < 0.03) acts.push({ type: 'save' });
  if (stream.uniform() < 0.005 * talk) acts.push({ type: 'survey', value: between(0, 10, Math.round(10 * noisy)) });
  if (stream.uniform() < 0.03 * talk && Math.abs(joy - 0.4) > 0.15) {
    const phrases = joy > 0.4 ? PRAISE : GRUMBLES;
    acts.push({ type: 'comment', text: phrases[stream.below(phrases.length)]! });
  }
  return acts;
}

function share(world: World, life: Life, seen: Watched): void {
  const { video, endMs, lagMs, carried } = seen;
  life.log(world.buckets, { type: 'share', item: video.id, occurredAt: endMs, ...carried }, lagMs);
  for (const { life: friend, sinceMs } of life.followers)
    if (sinceMs <= endMs) friend.addTip({ video: video.index, atMs: endMs });
}

/** A click through to what the video sells, and for some a conversion after an exponential delay. */
function buy(world: World, life: Life, seen: Watched, stream: RandomStream): void {
  const { video, endMs, lagMs, carried } = seen;
  life.log(world.buckets, { type: 'click', item: video.id, occurredAt: endMs + 2_000, ...carried }, lagMs);
  if (stream.uniform() >= 0.35) return;
  const delayMs = Math.ceil(-CONVERSION_DELAY_MEAN_MS * Math.log(1 - stream.uniform()));
  const value = 49 + 50 * stream.below(40);
  life.log(world.buckets, { type: 'convert', item: video.id, value, occurredAt: endMs + 2_000 + delayMs }, 500);
}

/** Everything that follows one view. Returns when the person is ready for the next video. */
export function react(world: World, life: Life, seen: Watched, stream: RandomStream): number {
  const { video, joy, lagMs, carried } = seen;
  let atMs = seen.endMs;
  for (const act of opinions(joy, life.person.expressiveness, stream)) {
    atMs += 1_000 + stream.below(4_000);
    life.log(world.buckets, { ...act, item: video.id, occurredAt: atMs, ...carried }, lagMs);
  }
  const now = { ...seen, endMs: atMs + 1_000 };
  if (joy > 0.5 && stream.uniform() < 0.05) share(world, life, now);
  if (TOPICS[video.topics[0]!]!.sells && joy > 0.45 && stream.uniform() < 0.1) buy(world, life, now, stream);
  if (joy > 0.65 && !life.followedCreators.has(video.creator) && stream.uniform() < 0.05) {
    life.followedCreators.add(video.creator);
    life.log(world.buckets, { type: 'follow', item: video.id, occurredAt: now.endMs, ...carried }, lagMs);
  }
  return now.endMs;
}

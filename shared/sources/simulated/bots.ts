/**
 * Owns the bots: accounts whose events follow a script. Every loud family leaves one trace that people do not:
 * regular intervals, bursts, sweeps of the catalogue, repeated sequences, and farms that rate one creator.
 */
import { randomStream } from '../../random.ts';
import { type BotDay, type Habit, log, patronVideos } from './bot-day.ts';
import type { BotFamily } from './bot-families.ts';
import { COVERT_HABITS } from './covert-bots.ts';
import type { Life, World } from './life.ts';
import { DAY_MS } from './options.ts';

const METRONOME_MS = 30_000;
const METRONOME_JITTER_MS = 150;
const BURST_MS = 45_000;

/** Watches its patron's videos to the end, one every thirty seconds, at the same hour every day. */
function metronome(today: BotDay, alive: readonly number[]): void {
  const { life, stream, world } = today;
  const videos = patronVideos(today, life.person.index, alive);
  if (videos.length === 0) return;
  const hour = randomStream(world.settings.seed, 'sim.metronome', life.person.index).below(20);
  for (let k = 0; k < today.budget; k++) {
    const occurredAt = today.dayStartMs + hour * 3_600_000 + k * METRONOME_MS + stream.below(METRONOME_JITTER_MS);
    log(today, { type: 'view', item: videos[k % videos.length]!.id, value: 100, occurredAt });
  }
}

/** Clicks on anything popular, everything within three quarters of a minute, once or twice a day. */
function burst(today: BotDay, alive: readonly number[]): void {
  const { stream, world } = today;
  const bursts = 1 + stream.below(2);
  for (let b = 0; b < bursts; b++) {
    const startMs = today.dayStartMs + stream.below(DAY_MS - BURST_MS);
    for (let k = 0; k < today.budget / bursts; k++) {
      const item = world.videos[alive[stream.below(alive.length)]!]!.id;
      log(today, { type: 'click', item, occurredAt: startMs + stream.below(BURST_MS) });
    }
  }
}

/** Walks the catalogue in order of id, a glance at each, and goes on the next day where it stopped. */
function sweeper(today: BotDay, alive: readonly number[]): void {
  const { stream } = today;
  let atMs = today.dayStartMs + stream.below(DAY_MS / 2);
  const from = Math.floor(today.day * today.budget);
  for (let k = 0; k < today.budget; k++) {
    const video = today.world.videos[alive[(from + k) % alive.length]!]!;
    atMs += 900 + stream.below(4_000);
    log(today, { type: 'view', item: video.id, value: 1 + stream.below(4), occurredAt: atMs });
  }
}

/** Plays the script of its ring: the same videos, percentages and pauses for all its accounts, shifted in time. */
function replayer(today: BotDay, alive: readonly number[]): void {
  const { world, life } = today;
  const script = randomStream(world.settings.seed, 'sim.script', life.person.ring, today.day);
  let atMs = today.dayStartMs + today.stream.below(DAY_MS / 3);
  for (let k = 0; k < today.budget; k++) {
    const item = world.videos[alive[script.below(alive.length)]!]!.id;
    const value = 20 + script.below(81);
    atMs += 3_000 + script.below(60_000);
    log(today, { type: 'view', item, value, occurredAt: atMs });
  }
}

/** Five stars and a thumb for the patron of the whole farm, one star for others. */
function ratingFarm(today: BotDay, alive: readonly number[]): void {
  const { stream, world } = today;
  const videos = patronVideos(today, 0, alive);
  if (videos.length === 0) return;
  let atMs = today.dayStartMs + stream.below(DAY_MS / 2);
  for (let k = 0; k < today.budget; k += 2) {
    atMs += 2_000 + stream.below(120_000);
    const rival = stream.uniform() < 0.2;
    const video = rival ? world.videos[alive[stream.below(alive.length)]!]! : videos[stream.below(videos.length)]!;
    log(today, { type: 'rating', item: video.id, value: rival ? 1 : 5, occurredAt: atMs });
    log(today, { type: 'thumb', item: video.id, value: rival ? -1 : 1, occurredAt: atMs + 400 });
  }
}

const HABITS: Readonly<Record<BotFamily, Habit>> = {
  metronome,
  burst,
  sweeper,
  replayer,
  'rating-farm': ratingFarm,
  ...COVERT_HABITS,
};

/** Makes one bot's events of one day; none where no video is alive. */
export function playBotDay(world: World, life: Life, day: number, budget: number): void {
  const family = life.person.bot;
  const dayStartMs = world.startMs + day * DAY_MS;
  // The videos of the day's last quarter were all born before it; the first quarter's are alive at its start.
  const alive = world.feed.alive(dayStartMs);
  if (family === undefined || alive.length === 0) return;
  const stream = randomStream(world.settings.seed, 'sim.bot.day', life.person.index, day);
  // All accounts of a ring do the same amount, so the budget is rounded the same way for all.
  HABITS[family]({ world, life, dayStartMs, day, budget: Math.max(1, Math.round(budget)), stream }, alive);
}

/** Owns what all bots have: a day to fill, a way to write into the log, and a creator whom they work for. */
import { type RandomStream, randomStream } from '../../random.ts';
import type { SimVideo } from './catalogue.ts';
import type { Life, World } from './life.ts';
import type { Act } from './log.ts';
import { drawIndex } from './people.ts';

const LAG_MS = 60;

export interface BotDay {
  readonly world: World;
  readonly life: Life;
  readonly dayStartMs: number;
  readonly day: number;
  /** About how many events to make today. */
  readonly budget: number;
  readonly stream: RandomStream;
}

export function log(today: BotDay, act: Act): void {
  today.life.log(today.world.buckets, { device: 'desktop', ...act }, LAG_MS);
}

/** Makes the events of one bot and day; `alive`: indices of the videos that are shown that day. */
export type Habit = (today: BotDay, alive: readonly number[]) => void;

/** The living videos of the creator a bot works for: one of many videos, the same creator every day. */
export function patronVideos({ world, life }: BotDay, key: number, alive: readonly number[]): readonly SimVideo[] {
  const stream = randomStream(world.settings.seed, 'sim.patron', life.person.bot!, key);
  const patron = drawIndex(world.creatorSizes, stream);
  return alive.map((v) => world.videos[v]!).filter((video) => video.creator === patron);
}

/** Owns what the simulator remembers of one account while the log runs, and how its events get their ids and delays. */
import type { RandomStream } from '../../random.ts';
import { Satiation } from './appeal.ts';
import type { SimCreator, SimVideo } from './catalogue.ts';
import type { Feed } from './feed.ts';
import type { Act, DayBuckets, LoggedEvent } from './log.ts';
import type { SimulationSettings } from './options.ts';
import type { SimPerson } from './people.ts';

/** Everything that stays while days pass. */
export interface World {
  readonly settings: SimulationSettings;
  readonly startMs: number;
  readonly people: readonly SimPerson[];
  readonly creators: readonly SimCreator[];
  readonly videos: readonly SimVideo[];
  /** Number of videos of each creator, squared: bots work for the busy ones. */
  readonly creatorSizes: Float64Array;
  readonly lives: readonly Life[];
  readonly feed: Feed;
  readonly buckets: DayBuckets;
}

/** A video that somebody whom this person follows has shared. */
interface Tip {
  readonly video: number;
  readonly atMs: number;
}

const TIPS_MAX = 10;

export class Life {
  readonly person: SimPerson;
  readonly satiation = new Satiation();
  readonly watched = new Set<number>();
  readonly followedCreators = new Set<number>();
  /** Who sees what this person shares, with the start of the tie. */
  readonly followers: { readonly life: Life; readonly sinceMs: number }[] = [];
  readonly tips: Tip[] = [];
  /** Sessions do not overlap. */
  busyUntilMs = 0;
  #sequence = 0;
  readonly #prefix: string;

  constructor(person: SimPerson, seed: number) {
    this.person = person;
    this.#prefix = `sim${seed}-${person.id}-`;
  }

  addTip(tip: Tip): void {
    this.tips.push(tip);
    if (this.tips.length > TIPS_MAX) this.tips.shift();
  }

  /** Writes one event into the log. `lagMs` is how much later the platform recorded it. Returns whether it was kept. */
  log(buckets: DayBuckets, act: Act, lagMs: number, labels: Omit<LoggedEvent, 'event'> = {}): boolean {
    const id = `${this.#prefix}${++this.#sequence}`;
    const recordedAt = act.occurredAt + lagMs;
    return buckets.add({ event: { id, user: this.person.id, ...act, recordedAt }, ...labels });
  }
}

/** How much later events are recorded: seconds, or hours for the few sessions without a network. */
export function drawLagMs(stream: RandomStream): number {
  const offline = stream.uniform() < 0.03;
  return Math.round(offline ? 600_000 + stream.uniform() * 8 * 3_600_000 : 40 + stream.uniform() * 2_000);
}

/** A Poisson draw: Knuth's product for small means, a rounded normal above 40. */
export function poisson(mean: number, stream: RandomStream): number {
  if (mean > 40) return Math.max(0, Math.round(mean + Math.sqrt(mean) * stream.normal()));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = stream.uniform(); product > limit; product *= stream.uniform()) count++;
  return count;
}

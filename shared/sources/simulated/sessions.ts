/**
 * Owns one visit of a person: lists are shown, some places are looked at, some videos watched for a while.
 *
 * Whether a place is looked at falls with its position whatever is there (position bias); whether a video that
 * was seen is opened depends on its appeal here and now and on its clickbait; how long it is watched depends on
 * the appeal alone.
 */
import type { RandomStream } from '../../random.ts';
import { appealIn, seasonFactor } from './appeal.ts';
import type { SimVideo } from './catalogue.ts';
import { SLATE_SIZE, type Shown } from './feed.ts';
import { drawLagMs, type Life, type World } from './life.ts';
import { TOPICS } from './ontology.ts';
import { drawIndex, situationAt } from './people.ts';
import { react } from './reactions.ts';

/** Mean number of lists in one session. */
export const SLATES_PER_SESSION = 3;
const SLATES_PER_SESSION_MAX = 20;
const SEARCH_SHARE = 0.06;
const RECENT_MAX = 2 * SLATE_SIZE;
/** A video watched before appeals less. */
const SEEN_BEFORE = 0.2;
/** What a friend's tip adds to the wish to look. */
const TIP_LIFT = 0.15;
const TIP_AGE_MAX_MS = 2 * 86_400_000;

interface Visit {
  readonly session: string;
  readonly lagMs: number;
  readonly recent: number[];
}

interface Slate {
  readonly shown: readonly Shown[];
  readonly requestId: string;
  readonly policy: 'feed' | 'search';
}

/** Enjoyment in 0..1 here and now: appeal, lifted by the season, dulled by boredom and by having seen it. */
function joyNow(life: Life, video: SimVideo, atMs: number): number {
  const { person } = life;
  const main = video.topics[0]!;
  const appeal = appealIn(person, video, situationAt(person, atMs));
  const again = life.watched.has(video.index) ? SEEN_BEFORE : 1;
  const factor = seasonFactor(person, main, atMs) * life.satiation.factor(person, main, atMs);
  return Math.min(1, appeal * again * factor);
}

/** Some lists answer a search: the query names a topic that the person likes in this situation. */
function drawSearch(life: Life, atMs: number, stream: RandomStream): number | undefined {
  if (stream.uniform() >= SEARCH_SHARE) return undefined;
  const base = situationAt(life.person, atMs) * TOPICS.length;
  const interest = life.person.interest.subarray(base, base + TOPICS.length);
  return drawIndex(
    interest.map((value) => value ** 3),
    stream,
  );
}

function serve(world: World, life: Life, visit: Visit, atMs: number, index: number, stream: RandomStream): Slate {
  const { person } = life;
  const topic = drawSearch(life, atMs, stream);
  const device = person.device;
  if (topic !== undefined) {
    const text = `${TOPICS[topic]!.name}${['', ' today', ' best', ' short', ' how to'][stream.below(5)]!}`;
    life.log(world.buckets, { type: 'search', text, occurredAt: atMs, session: visit.session, device }, visit.lagMs);
  }
  const shared = life.tips.filter((tip) => tip.atMs <= atMs && atMs - tip.atMs <= TIP_AGE_MAX_MS).map((t) => t.video);
  const request = { person, atMs, recent: visit.recent, shared: [...new Set(shared)] };
  const shown = world.feed.slate(topic === undefined ? request : { ...request, topic }, stream);
  return { shown, requestId: `${visit.session}-${index}`, policy: topic === undefined ? 'feed' : 'search' };
}

/** How long is watched, in percent; the noise makes bounces and complete views of everything possible. */
function drawPercent(joy: number, stream: RandomStream): number {
  const percent = 100 * (0.1 + 1.2 * joy + 0.16 * stream.normal());
  return Math.round(Math.min(100, Math.max(1, percent)));
}

function watch(
  world: World,
  life: Life,
  visit: Visit,
  slate: Slate,
  place: number,
  atMs: number,
  stream: RandomStream,
) {
  const video = world.videos[slate.shown[place]!.video]!;
  const joy = joyNow(life, video, atMs);
  const percent = drawPercent(joy, stream);
  const carried = {
    session: visit.session,
    device: life.person.device,
    requestId: slate.requestId,
    position: place + 1,
  };
  const endMs = atMs + Math.round((video.durationMs * percent) / 100) + 500;
  life.log(world.buckets, { type: 'view', item: video.id, value: percent, occurredAt: endMs, ...carried }, visit.lagMs);
  life.watched.add(video.index);
  life.satiation.watched(video.topics[0]!, percent / 100, endMs);
  world.feed.watched(life.person.culture, video.index);
  return react(world, life, { video, joy, endMs, lagMs: visit.lagMs, carried }, stream);
}

function wantsToLook(world: World, life: Life, shown: Shown, atMs: number, stream: RandomStream): boolean {
  const video = world.videos[shown.video]!;
  const tipped = life.tips.some((tip) => tip.video === shown.video && tip.atMs <= atMs) ? TIP_LIFT : 0;
  const joy = joyNow(life, video, atMs);
  const wish = 0.03 + 1.5 * joy * (1 - 0.3 * video.clickbait) + 0.3 * video.clickbait + tipped;
  return stream.uniform() < wish;
}

/** Shows one list and lets the person go down it. Returns when that ended and how many were watched. */
function goThrough(world: World, life: Life, visit: Visit, slate: Slate, startMs: number, stream: RandomStream) {
  let atMs = startMs + 1_000;
  let watchedCount = 0;
  const { session, lagMs } = visit;
  const { requestId, policy } = slate;
  const looks = slate.shown.map((_, place) => stream.uniform() < (place + 1) ** -life.person.impatience);
  slate.shown.forEach((shown, place) => {
    const item = world.videos[shown.video]!.id;
    const carried = { session, device: life.person.device, requestId, position: place + 1 };
    const labels = { propensity: shown.propensity, policy, examined: looks[place]! };
    life.log(world.buckets, { type: 'impression', item, occurredAt: startMs, ...carried }, lagMs, labels);
  });
  slate.shown.forEach((shown, place) => {
    visit.recent.push(shown.video);
    if (!looks[place]) return;
    atMs += 700 + stream.below(1_500);
    if (!wantsToLook(world, life, shown, atMs, stream)) return;
    watchedCount++;
    atMs = watch(world, life, visit, slate, place, atMs, stream);
  });
  visit.recent.splice(0, Math.max(0, visit.recent.length - RECENT_MAX));
  return { endMs: atMs + 1_000, watchedCount };
}

/** Plays one session from `startMs`. Returns the number of lists shown. */
export function playSession(world: World, life: Life, startMs: number, stream: RandomStream): number {
  const visit: Visit = {
    session: `s-${life.person.id}-${startMs.toString(36)}`,
    lagMs: drawLagMs(stream),
    recent: [],
  };
  let atMs = startMs;
  let slates = 0;
  while (slates < SLATES_PER_SESSION_MAX) {
    const slate = serve(world, life, visit, atMs, slates, stream);
    slates++;
    if (slate.shown.length === 0) break;
    const { endMs, watchedCount } = goThrough(world, life, visit, slate, atMs + 200, stream);
    atMs = endMs;
    // A list without anything worth opening ends many visits.
    const stay = watchedCount === 0 ? 0.5 : 1 - 1 / (SLATES_PER_SESSION + 0.6);
    if (stream.uniform() >= stay) break;
  }
  life.busyUntilMs = atMs + 60_000;
  return slates;
}

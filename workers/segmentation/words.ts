/** Owns what segments are called: the largest deviations of their people from everybody, in words. */
import { FEATURES, type Feature } from '../feature-build/feature-list.ts';

/** What much and little of a feature is called: as part of a name, and as a trait. */
const WORDS: Readonly<
  Record<Feature, { readonly high: readonly [string, string]; readonly low: readonly [string, string] }>
> = {
  activity: { high: ['busy', 'do a lot'], low: ['quiet', 'do little'] },
  daysSinceLast: { high: ['lapsed', 'have been away for long'], low: ['recent', 'were here lately'] },
  recentActivity: { high: ['active lately', 'are active lately'], low: ['fading', 'have become less active'] },
  activeDays: { high: ['regulars', 'come on many days'], low: ['occasional', 'come on few days'] },
  viewPercent: {
    high: ['finishers', 'watch most of what they open'],
    low: ['samplers', 'watch little of what they open'],
  },
  positiveShare: {
    high: ['appreciative', 'often say that they like something'],
    low: ['silent', 'seldom say that they like something'],
  },
  negativeShare: {
    high: ['critical', 'often say that they dislike something'],
    low: ['lenient', 'seldom say that they dislike something'],
  },
  ratingMean: { high: ['generous raters', 'rate high'], low: ['strict raters', 'rate low'] },
  distinctItems: { high: ['explorers', 'meet many items'], low: ['few items', 'meet few items'] },
  topicEntropy: { high: ['many topics', 'spread over many topics'], low: ['few topics', 'keep to few topics'] },
  creatorEntropy: { high: ['many creators', 'spread over many creators'], low: ['loyal', 'keep to few creators'] },
  popularity: { high: ['mainstream', 'choose what many choose'], low: ['niche', 'choose what few choose'] },
  itemAge: { high: ['catalogue diggers', 'choose older items'], low: ['fresh first', 'choose new items'] },
  nightShare: {
    high: ['night owls', "are active from 0 to 5 o'clock UTC"],
    low: ['by day', "are seldom active from 0 to 5 o'clock UTC"],
  },
  sessionMinutes: { high: ['long sessions', 'stay long'], low: ['short sessions', 'stay briefly'] },
  sessionActs: { high: ['full sessions', 'do much in one session'], low: ['single acts', 'do little in one session'] },
  phoneShare: {
    high: ['on phones', 'use a phone more than others'],
    low: ['not on phones', 'use a phone less than others'],
  },
  tabletShare: {
    high: ['on tablets', 'use a tablet more than others'],
    low: ['not on tablets', 'use a tablet less than others'],
  },
  desktopShare: {
    high: ['at desks', 'use a desktop more than others'],
    low: ['not at desks', 'use a desktop less than others'],
  },
  tvShare: {
    high: ['on television', 'use a television more than others'],
    low: ['not on television', 'use a television less than others'],
  },
};

/** Smaller deviations, in standard deviations of everybody, are not worth a word. */
const NOTABLE = 0.3;
const TRAITS_MAX = 4;
const NAME_WORDS = 2;
/** Fewer people than this have no traits: words about so few would be about somebody. */
export const PEOPLE_DESCRIBED_MIN = 5;

export interface SegmentWords {
  readonly name: string;
  readonly traits: readonly string[];
}

const isFeature = (name: string): name is Feature => (FEATURES as readonly string[]).includes(name);

/**
 * Names and traits of segments from their centroids in standard deviations from everybody, a row a segment. Names are distinct.
 */
export function describeSegments(
  features: readonly string[],
  centroids: Float32Array,
  sizes: readonly number[],
): SegmentWords[] {
  const used = new Map<string, number>();
  return sizes.map((people, segment) => {
    const deviations = features
      .map((feature, column) => ({ feature, by: centroids[segment * features.length + column]! }))
      .filter(({ by }) => Math.abs(by) >= NOTABLE)
      .sort((a, b) => Math.abs(b.by) - Math.abs(a.by));
    const described = people >= PEOPLE_DESCRIBED_MIN ? deviations.slice(0, TRAITS_MAX) : [];
    const words = described.slice(0, NAME_WORDS).map(({ feature, by }) => wordsOf(feature, by)[0]);
    const base = words.length > 0 ? words.join(', ') : people < PEOPLE_DESCRIBED_MIN ? 'a few people' : 'like most';
    const count = (used.get(base) ?? 0) + 1;
    used.set(base, count);
    const traits = described.map(
      ({ feature, by }) => `${wordsOf(feature, by)[1]} (${by > 0 ? '+' : '-'}${Math.abs(by).toFixed(1)} sd)`,
    );
    return { name: count === 1 ? base : `${base} (${count})`, traits };
  });
}

function wordsOf(feature: string, by: number): readonly [string, string] {
  if (!isFeature(feature))
    return by > 0 ? [`high ${feature}`, `high ${feature}`] : [`low ${feature}`, `low ${feature}`];
  return by > 0 ? WORDS[feature].high : WORDS[feature].low;
}

/** Owns what the published test platform consists of: catalogue, people, lists, segments, and the figures of its audit. */
import type { CatalogueItem } from '../shared/contract-kit/event.ts';

const TOPICS = ['cricket', 'cooking', 'chess', 'gardening', 'astronomy', 'dance'];
const TITLES = [
  'Googly school',
  'Dal in ten minutes',
  'The Sicilian, slowly',
  'A balcony in May',
  'Rings of Saturn',
  'First steps',
];
export const ITEM_COUNT = 60;
export const ITEMS: readonly CatalogueItem[] = Array.from({ length: ITEM_COUNT }, (_, index) => ({
  id: `video-${index + 1}`,
  title: TITLES[index] ?? `Video ${index + 1}`,
  topics: [TOPICS[index % TOPICS.length] ?? 'other'],
  attributes: { simulated: true },
}));
export const PERSON_COUNT = 240;
const EVENTS_EACH = 20;
export const EVENT_COUNT = PERSON_COUNT * EVENTS_EACH;
/** Those whose lists and segments are known; the others only fill the counts. */
export const PEOPLE = ['asha', 'ravi', 'mina'] as const;
export const EVERYBODY = Array.from({ length: PERSON_COUNT }, (_, index) => PEOPLE[index] ?? `person-${index + 1}`);
/** Best first, as places in ITEMS: what each of PEOPLE is recommended. */
export const LISTS = [
  [0, 1, 4],
  [2, 3, 0],
  [5, 4, 1],
];
/** What newcomers get. */
export const FALLBACK = [3, 1, 5, 0];
export const K = 3;

export const SEGMENTS = [
  { name: 'evening bingers', people: 97, traits: ['many views after 18 h', 'long sessions'] },
  { name: 'cricket first', people: 66, traits: ['one topic', 'shares often'] },
  { name: 'samplers', people: 52, traits: ['short views', 'many topics'] },
  { name: 'weekend cooks', people: 25, traits: ['saves', 'weekend'] },
];
export const FINDINGS = [
  { metric: 'demographicParityRatio', attribute: 'gender', value: 0.94, flagged: false },
  { metric: 'equalOpportunity', attribute: 'ageGroup', value: 0.113, flagged: true },
  { metric: 'exposureParity', attribute: 'gender', value: 0.021, flagged: false },
  { metric: 'gini', attribute: null, value: 0.612, flagged: true },
  { metric: 'longTailShare', attribute: null, value: 0.287, flagged: false },
  { metric: 'calibration', attribute: 'ageGroup', value: null, flagged: false },
];
export const REPORT = [
  {
    metric: 'equalOpportunity',
    attribute: 'ageGroup',
    value: 0.113,
    interval: [0.061, 0.164],
    groups: [
      { group: '<18', n: 31, value: 0.318, interval: [0.262, 0.371] },
      { group: '18-24', n: 84, value: 0.402, interval: [0.381, 0.424] },
      { group: '25-34', n: 113, value: 0.431, interval: [0.41, 0.451] },
      { group: '56+', n: 12, value: null, interval: null },
    ],
  },
  {
    metric: 'calibrationDifference',
    attribute: 'ageGroup',
    value: null,
    reason: 'fewer than two groups are large enough',
    flagged: false,
    basis: 'holdout',
    groups: [],
  },
  { metric: 'gini', attribute: null, value: 0.612, interval: [0.598, 0.627], groups: [] },
];
